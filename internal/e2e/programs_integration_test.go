//go:build integration

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cartwheel/internal/model"
)

// pipeline is a data folder, a topic of its own and the programs that work on them.
type pipeline struct {
	bin   string
	data  string
	topic string
	env   []string
}

// setUp builds the programs. KAFKA_BOOTSTRAP_SERVERS and SPARK_REMOTE come from whoever runs the tests.
func setUp(t *testing.T) *pipeline {
	t.Helper()
	for _, name := range []string{"KAFKA_BOOTSTRAP_SERVERS", "SPARK_REMOTE"} {
		if os.Getenv(name) == "" {
			t.Fatalf("%s is not set: integration tests need a real broker and a real cluster (make test brings both)", name)
		}
	}
	p := &pipeline{bin: t.TempDir(), data: t.TempDir()}
	p.topic = fmt.Sprintf("e2e-%d", time.Now().UnixNano())
	p.env = append(os.Environ(), "DATA_DIR="+p.data, "KAFKA_TOPIC="+p.topic, "KAFKA_GROUP_ID="+p.topic, "KAFKA_ERASURES_TOPIC="+p.topic+"-erasures", "SPARK_DATA_DIR=")
	build := exec.Command("go", "build", "-o", p.bin+"/", "cartwheel/producer", "cartwheel/consumer", "cartwheel/api", "cartwheel/sparkjobs/train", "cartwheel/sparkjobs/models", "cartwheel/scripts/generate")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	return p
}

// run starts a program, waits for its end, and wants the exit code 0.
func (p *pipeline) run(t *testing.T, program string, args ...string) (stdout string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	cmd.Env = p.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, &out, &errs)
	}
	return out.String()
}

// serve starts the API on a free port, with more variables in its environment, and stops it, as an operator would, at the end of the test.
func (p *pipeline) serve(t *testing.T, env ...string) (url string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(p.bin, "api"), "--addr", "127.0.0.1:0", "--log-format", "json")
	cmd.Env = slices.Concat(p.env, env)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the API's end: %v", err)
		}
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var line struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			url = "http://" + line.Addr
			waitReady(t, url)
			return url
		}
	}
	t.Fatal("the API ended without serving")
	return ""
}

// waitReady waits until the API has loaded a champion.
func waitReady(t *testing.T, url string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		response, err := http.Get(url + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("the API is not ready after a minute: %s", response.Status)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// champion is the version that LATEST names.
func (p *pipeline) champion(t *testing.T) string {
	t.Helper()
	name, err := os.ReadFile(filepath.Join(p.data, "models", "LATEST"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(name))
}

// load reads a version whole.
func (p *pipeline) load(t *testing.T, version string) *model.Version {
	t.Helper()
	v, err := model.Load(filepath.Join(p.data, "models", version))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// trainer is the training program while it goes on for good.
type trainer struct {
	*pipeline
	cmd         *exec.Cmd
	stdout, log string     // files
	ended       chan error // of one
}

// trainEvery starts it; stop ends it, or else the end of the test.
func (p *pipeline) trainEvery(t *testing.T, args ...string) *trainer {
	t.Helper()
	dir := t.TempDir()
	r := &trainer{pipeline: p, stdout: filepath.Join(dir, "stdout"), log: filepath.Join(dir, "log"), ended: make(chan error, 1)}
	r.cmd = exec.CommandContext(t.Context(), filepath.Join(p.bin, "train"), append([]string{"--every", "1s"}, args...)...)
	r.cmd.Env = p.env
	for path, into := range map[string]*io.Writer{r.stdout: &r.cmd.Stdout, r.log: &r.cmd.Stderr} {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		*into = f
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.ended <- r.cmd.Wait() }()
	return r
}

// next waits until another version than that is the champion and the training has told of it, and returns it.
func (r *trainer) next(t *testing.T, before string) (version string) {
	t.Helper()
	deadline := time.After(10 * time.Minute)
	for {
		if version = r.champion(t); version != before && strings.Contains(r.told(t), version+" is the champion") {
			return version
		}
		select {
		case err := <-r.ended:
			t.Fatalf("the training has ended: %v\n%s", err, read(t, r.log))
		case <-deadline:
			t.Fatalf("no version came after %s\n%s", before, read(t, r.log))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (r *trainer) told(t *testing.T) string { t.Helper(); return read(t, r.stdout) }

// stop ends the program as an operator would.
func (r *trainer) stop(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-r.ended; err != nil {
		t.Errorf("the training's end: %v\n%s", err, read(t, r.log))
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rows reads a CSV file whole, without its header.
func rows(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return all[1:]
}

// batchRows reads all batch files.
func (p *pipeline) batchRows(t *testing.T) [][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.data, "processed_batches", "batch_*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for _, file := range files {
		all = append(all, rows(t, file)...)
	}
	return all
}

// answer is what the API says to a question about items.
type answer struct {
	ModelVersion string `json:"model_version"`
	Strategy     string
	Items        []struct {
		ItemID string `json:"itemid"`
		Score  float64
	}
}

func get(t *testing.T, url string) (a answer) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", url, response.Status, body)
	}
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%s: %v\n%s", url, err, body)
	}
	return a
}

func (a answer) ids() (ids []string) {
	for _, item := range a.Items {
		ids = append(ids, item.ItemID)
	}
	return ids
}

// load asks the API some 400 times a second, which leaves the training its cores, and counts answers by version and what failed.
type load struct {
	stop     context.CancelFunc
	done     sync.WaitGroup
	mu       sync.Mutex
	answers  map[string]int
	failures []string
}

func startLoad(t *testing.T, urls []string) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel, answers: map[string]int{}}
	for worker := range 4 {
		l.done.Go(func() {
			pace := time.NewTicker(10 * time.Millisecond)
			defer pace.Stop()
			for i := worker; ctx.Err() == nil; i++ {
				<-pace.C
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, urls[i%len(urls)], nil)
				if err != nil {
					l.failed(err.Error())
					return
				}
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					if ctx.Err() == nil {
						l.failed(err.Error())
					}
					continue
				}
				var a answer
				err = json.NewDecoder(response.Body).Decode(&a)
				_ = response.Body.Close()
				switch {
				case ctx.Err() != nil:
				case err != nil || response.StatusCode != http.StatusOK || len(a.Items) == 0:
					l.failed(fmt.Sprint(response.Status, " ", err, " ", len(a.Items), " items"))
				default:
					l.mu.Lock()
					l.answers[a.ModelVersion]++
					l.mu.Unlock()
				}
			}
		})
	}
	return l
}

func (l *load) failed(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, why)
}

// seen reports how many answers a version has given so far.
func (l *load) seen(version string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers[version]
}
