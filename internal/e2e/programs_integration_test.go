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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
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

// serve starts the API on a free port and stops it, as an operator would, at the end of the test.
func (p *pipeline) serve(t *testing.T) (url string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(p.bin, "api"), "--addr", "127.0.0.1:0", "--log-format", "json")
	cmd.Env = p.env
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
