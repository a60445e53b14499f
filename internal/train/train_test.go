package train

import (
	"bytes"
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cartwheel/internal/config"
	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

func TestScore(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name            string
		ranked, targets []string
		want            metrics
	}{
		{"first", []string{"a", "b"}, []string{"a"}, metrics{1, 1, 1, 1, 1}},
		{"third", []string{"x", "y", "a"}, []string{"a"}, metrics{0.5, 1, 1, 1.0 / 3, 1}}, // 1/log2(4)
		{"none", []string{"x"}, []string{"a"}, metrics{}},
		{"two of three", []string{"a", "x", "b"}, []string{"a", "b", "c"}, metrics{1.5 / (1 + 1/math.Log2(3) + 0.5), 2.0 / 3, 1, 1, 1}},
		{"eleventh", []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "a"}, []string{"a"}, metrics{0, 0, 0, 1.0 / 11, 1}},
		{"empty answer", nil, []string{"a"}, metrics{}},
	} {
		got := score(test.ranked, test.targets)
		for k := range got {
			if math.Abs(got[k]-test.want[k]) > 1e-12 {
				t.Errorf("%s: %s is %v, want %v", test.name, metricNames[k], got[k], test.want[k])
			}
		}
	}
}

func TestSummariseBracketsTheMean(t *testing.T) {
	t.Parallel()
	var asked, twice []question
	var all, doubled []metrics
	for i := range 400 {
		q, m := question{visitor: strconv.Itoa(i)}, metrics{float64(i % 2), 0.25, 1}
		asked, all = append(asked, q), append(all, m)
		twice, doubled = append(twice, q, q), append(doubled, m, m)
	}
	m := summarise(asked, all, 1)
	ndcg := m.Values["ndcg@10"]
	// The standard error of a fair coin's mean over 400 throws is 0.025.
	if math.Abs(ndcg.Mean-0.5) > 1e-9 || math.Abs(ndcg.Low-0.45) > 0.01 || math.Abs(ndcg.High-0.55) > 0.01 {
		t.Errorf("a fair coin: %+v, want 0.5 [0.45, 0.55]", ndcg)
	}
	if v := m.Values["recall@10"]; math.Abs(v.Mean-0.25) > 1e-9 || math.Abs(v.Low-0.25) > 1e-9 || math.Abs(v.High-0.25) > 1e-9 {
		t.Errorf("a constant: %+v, want 0.25 throughout", v)
	}
	if again := summarise(asked, all, 1); again.Values["ndcg@10"] != ndcg {
		t.Error("the same seed gives another interval")
	}
	// Asking every visitor the same twice makes nothing surer.
	if d := summarise(twice, doubled, 1).Values["ndcg@10"]; math.Abs((d.High-d.Low)-(ndcg.High-ndcg.Low)) > 0.01 {
		t.Errorf("asked twice: %+v, want about as wide as %+v", d, ndcg)
	}
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	v, err := model.Load(modeltest.Write(t, t.TempDir(), modeltest.Spec{
		Name: "v", Rank: 1, Alpha: 1, Visitors: []string{"known"}, VisitorFactors: [][]float32{{1}},
		Items: []string{"old", "new"}, ItemFactors: [][]float32{{1}, {1}},
		Seen:    map[string][]modeltest.Pair{"known": {{Item: "old", Strength: 1}}},
		Popular: map[string][]modeltest.Scored{"all": {{Item: "old", Score: 1}}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := questions([]heldOut{
		{"stranger", "b", "view", 20}, {"stranger", "a", "view", 10}, {"stranger", "a", "view", 30},
		{"stranger", "a", "view", 9_000_000}, {"stranger", "d", "view", 8_000_000}, // another session
		{"known", "old", "view", 5}, {"known", "new", "view", 6}, {"known", "never heard of", "view", 7}, {"known", "new", "view", 8},
		{"once", "a", "view", 1},
	}, v)
	var told []string
	for _, q := range got {
		line := q.kind + "; " + q.visitor + ";"
		for _, c := range q.clicks {
			line += " " + c.ItemID
		}
		told = append(told, line+" -> "+strings.Join(q.targets, " "))
	}
	want := []string{
		"visitor, new items; known; -> new never heard of",
		"visitor, all items; known; -> old new never heard of",
		"session, next item; known; old -> new",
		"session, next item; known; old new -> never heard of",
		"session, next item; known; old new never heard of -> new",
		"session, next item; stranger; a -> b",
		"session, next item; stranger; a b -> a",
		"session, next item; stranger; d -> a",
	}
	if !slices.Equal(told, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}

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
	code, _, stderr := mainWith(t, nil, "--help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	var c Config
	s := config.New("train", "", new(bytes.Buffer))
	c.Declare(s)
	for flag, variable := range s.Variables() {
		if !strings.Contains(stderr, "--"+flag) || !strings.Contains(stderr, variable) {
			t.Errorf("--help lacks --%s or %s", flag, variable)
		}
	}
}
