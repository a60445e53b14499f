package train

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/config"
	"cartwheel/internal/model"
)

func TestWeightsFlag(t *testing.T) {
	t.Parallel()
	var w Weights
	if err := w.Set("view=0.5,transaction=4"); err != nil || w.String() != "view=0.5,transaction=4" {
		t.Errorf("got %q, %v", w.String(), err)
	}
	for _, bad := range []string{"", "view", "view=", "view=-1", "view=NaN", "view=Inf", "click=1", "view=0", "view=1;addtocart=2"} {
		if err := new(Weights).Set(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// mainWith runs the program as its main does, without Spark.
func mainWith(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), args, func(k string) string { return env[k] }, &out, &errs)
	return code, out.String(), errs.String()
}

func TestMainRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	filled := func() string { // one folder a case, for a training locks it
		dir := t.TempDir()
		batches := filepath.Join(dir, "processed_batches")
		if err := os.MkdirAll(batches, 0o755); err != nil {
			t.Fatal(err)
		}
		rows := "timestamp,visitorid,event,itemid,transactionid,eventid\n1,v,view,i,,e\n"
		if err := os.WriteFile(filepath.Join(batches, "batch_000_00000000000000000000_00000000000000000000.csv"), []byte(rows), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	pattern := filepath.Join(empty, "shop [old]")
	if err := os.Mkdir(pattern, 0o755); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never says a word
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for _, test := range []struct {
		name string
		env  map[string]string
		args []string
		code int
		says []string
	}{
		{"several settings", nil, []string{"--rank", "0", "--reg", "NaN", "--alpha", "-1", "--holdout", "1"}, 2, []string{"--rank 0", "--reg NaN", "--alpha -1", "--holdout 1"}},
		{"unknown flag", nil, []string{"--ranks", "3"}, 2, []string{"-ranks", "--help"}},
		{"bad variable", map[string]string{"LOG_LEVEL": "loud"}, nil, 2, []string{"loud", "debug"}},
		{"no data folder", map[string]string{"DATA_DIR": filepath.Join(empty, "nowhere")}, nil, 1, []string{"nowhere", "--data-dir"}},
		{"a data folder that is a pattern", map[string]string{"DATA_DIR": pattern}, nil, 2, []string{"--data-dir " + pattern, "*?[]{}", "name another folder"}},
		{"no batches", map[string]string{"DATA_DIR": empty}, nil, 1, []string{"no batch files", empty, "consumer"}},
		{"wrong scheme", map[string]string{"DATA_DIR": filled(), "SPARK_REMOTE": "http://localhost:15002"}, nil, 1, []string{"http://localhost:15002", "sc://localhost:15002"}},
		{"nobody there", map[string]string{"DATA_DIR": filled(), "SPARK_REMOTE": "sc://127.0.0.1:1"}, nil, 1, []string{"127.0.0.1:1", "SPARK_REMOTE"}},
		{"nobody answers", map[string]string{"DATA_DIR": filled(), "SPARK_REMOTE": "sc://" + silent.Addr().String()}, nil, 1, []string{silent.Addr().String(), "SPARK_REMOTE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := mainWith(t, test.env, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if left, _ := filepath.Glob(filepath.Join(test.env["DATA_DIR"], "models", "[^.]*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			for _, want := range test.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("the message lacks %q:\n%s", want, stderr)
				}
			}
		})
	}
}

func TestTwoTrainingsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := model.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model.Lock(dir); !errors.Is(err, model.ErrBusy) {
		t.Errorf("a second lock: %v, want ErrBusy", err)
	}
	unlock()
	again, err := model.Lock(dir)
	if err != nil {
		t.Fatalf("after the first ended: %v", err)
	}
	again()
}

func TestHelpNamesEverySetting(t *testing.T) {
	t.Parallel()
	code, stdout, _ := mainWith(t, nil, "--help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	var c Config
	s := config.New("train", "", new(bytes.Buffer))
	c.Declare(s)
	for flag, variable := range s.Variables() {
		if !strings.Contains(stdout, "--"+flag) || !strings.Contains(stdout, variable) {
			t.Errorf("--help lacks --%s or %s", flag, variable)
		}
	}
}
