package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/reexec"
)

// program is the API as a user starts it.
type program struct {
	url    string
	models string
	stop   context.CancelFunc // as the first signal does
	kill   context.CancelFunc // as the second does
	code   <-chan int
	log    *lines
}

// start runs the program on a free port, waits until it listens, and stops it when the test ends.
func start(t *testing.T, dataDir string, args ...string) *program {
	t.Helper()
	stop, cancelStop := context.WithCancel(context.Background())
	now, cancelNow := context.WithCancel(context.Background())
	code, log := make(chan int, 1), newLines()
	p := &program{models: filepath.Join(dataDir, "models"), stop: cancelStop, kill: cancelNow, code: code, log: log}
	args = append([]string{"--addr", "127.0.0.1:0", "--data-dir", dataDir, "--log-format", "json"}, args...)
	go func() { code <- run(now, stop, args, func(string) string { return "" }, io.Discard, log) }()
	p.url = "http://" + log.wait(t, "serving")["addr"].(string)
	t.Cleanup(func() {
		cancelStop()
		cancelNow()
	})
	return p
}

// startProcess is start with a process of its own, which stop sends the signal that ends programs.
func startProcess(t *testing.T, dataDir string, args ...string) *program {
	t.Helper()
	log, code := newLines(), make(chan int, 1)
	cmd := reexec.Command(append([]string{"--addr", "127.0.0.1:0", "--data-dir", dataDir, "--log-format", "json"}, args...)...)
	cmd.Env = append(cmd.Env, "KAFKA_BOOTSTRAP_SERVERS=") // which the tests may be run with
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		code <- cmd.ProcessState.ExitCode()
		close(code)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range code { // until it has ended
		}
	})
	stop := func() { _ = cmd.Process.Signal(syscall.SIGTERM) }
	return &program{models: filepath.Join(dataDir, "models"), stop: stop, kill: stop, code: code, log: log, url: "http://" + log.wait(t, "serving")["addr"].(string)}
}

// ready waits until the program serves a version.
func (p *program) ready(t *testing.T, version string) {
	t.Helper()
	for {
		if got := p.log.wait(t, "champion loaded")["version"]; got == version {
			return
		}
	}
}

// startWith runs the program on one version, made the champion.
func startWith(t *testing.T, spec modeltest.Spec) *program {
	t.Helper()
	data := t.TempDir()
	models := filepath.Join(data, "models")
	modeltest.Write(t, models, spec)
	modeltest.MakeChampion(t, models, spec.Name)
	p := start(t, data)
	p.ready(t, spec.Name)
	return p
}

// lines is a log that a test reads line by line, as they come.
type lines struct {
	mu     sync.Mutex
	buffer bytes.Buffer
	all    []string
	next   int
	more   chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1)} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buffer.Write(p)
	for {
		line, err := l.buffer.ReadString('\n')
		if err != nil {
			l.buffer.WriteString(line)
			break
		}
		l.all = append(l.all, line)
	}
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

// wait returns the next line with a message, parsed.
func (l *lines) wait(t testing.TB, message string) map[string]any {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		l.mu.Lock()
		for l.next < len(l.all) {
			line := l.all[l.next]
			l.next++
			var fields map[string]any
			if err := json.Unmarshal([]byte(line), &fields); err == nil && fields["msg"] == message {
				l.mu.Unlock()
				return fields
			}
		}
		l.mu.Unlock()
		select {
		case <-l.more:
		case <-deadline:
			t.Fatalf("the log never said %q:\n%s", message, l.text())
		}
	}
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "") + l.buffer.String()
}

func (l *lines) count(part string) int { return strings.Count(l.text(), part) }

// answer is what came back, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
	last   bool // the server closes the connection after it
}

func (p *program) do(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	a, err := p.try(http.DefaultClient, method, path, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try is do for goroutines, which must not end a test.
func (p *program) try(client *http.Client, method, path, body string, header ...string) (answer, error) {
	request, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, data, response.Close}, err
}

type itemList struct {
	ModelVersion string `json:"model_version"`
	Strategy     string `json:"strategy"`
	Items        []struct {
		ItemID string  `json:"itemid"`
		Score  float64 `json:"score"`
	} `json:"items"`
}

func (a answer) items(t *testing.T) itemList {
	t.Helper()
	var list itemList
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		t.Fatalf("the answer is not JSON: %v: %s", err, a.body)
	}
	return list
}

func (l itemList) ids() string {
	var ids []string
	for _, item := range l.Items {
		ids = append(ids, item.ItemID)
	}
	return strings.Join(ids, " ")
}

// problem checks that an answer is a problem with that status and field whose detail says so.
func (a answer) problem(t *testing.T, status int, field, says string) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Field string
		Status                     int
		RequestID                  string `json:"request_id"`
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("status %d: the answer is not JSON: %v: %s", a.status, err, a.body)
	}
	if a.status != status || p.Status != status || p.Title != http.StatusText(status) || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d, content type %s, want %d as a problem: %s", a.status, a.header.Get("Content-Type"), status, a.body)
	}
	if p.Field != field || !strings.Contains(p.Detail, says) {
		t.Errorf("the problem is in %q and says %q, want %q and %q", p.Field, p.Detail, field, says)
	}
	if p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("request ids %q and %q", p.RequestID, a.header.Get("X-Request-Id"))
	}
}

// shop is a version with two tastes: items a1 to a3 and b1 to b2; new has no factors, and two ids are awkward in a path.
func shop(name string) modeltest.Spec {
	return modeltest.Spec{
		Name: name, Rank: 2, Alpha: 40, RegParam: 0.01,
		Visitors:       []string{"anna", "ben", "a/b +%2F ü"},
		VisitorFactors: [][]float32{{1, 0}, {0, 1}, {1, 0}},
		Items:          []string{"a1", "a2", "a3", "b1", "b2", "new", "popular", `q/"\?`},
		ItemFactors:    [][]float32{{0.9, 0.1}, {0.8, 0}, {0.7, -0.2}, {0, 0.9}, {-0.1, 0.8}, nil, {0.1, 0.1}, {0.5, 0}},
		Seen:           map[string][]modeltest.Pair{"anna": {{Item: "a1", Strength: 2}}, "ben": {{Item: "b1", Strength: 1}}},
		Popular: map[string][]modeltest.Scored{
			"all":  {{Item: "new", Score: 9}, {Item: "a1", Score: 5}, {Item: "b1", Score: 4}},
			"view": {{Item: "b2", Score: 3}}},
		Trending:     []modeltest.Scored{{Item: "b2", Score: 3}, {Item: "a2", Score: 1.5}},
		Parents:      map[string]string{"all": "", "b": "all"},
		Categories:   map[string][]string{"a1": {"all"}, "a2": {"all"}, "b1": {"b"}, "b2": {"b"}},
		Near:         map[string][]modeltest.Scored{"b1": {{Item: "new", Score: 0.5}}},
		EventWeights: map[string]float64{"view": 1, "addtocart": 3, "transaction": 5},
		Profiles:     map[string]model.Profile{"anna": anna, "ben": ben},
		Features:     features.VisitorNames(),
	}
}

const dayMS = 24 * 3600_000

// anna came twice within the window that purchases are foretold from, ben once and long before it.
var (
	end  = modeltest.End.UnixMilli()
	anna = model.Profile{FirstSeen: end - 10*dayMS, LastSeen: end - 4*dayMS, Views: 3, Carts: 1, Items: 1, Viewed: 1, Carted: 1, ViewedCarted: 1, Sessions: 2, Morning: 2, Weekend: 1}
	ben  = model.Profile{FirstSeen: end - 40*dayMS, LastSeen: end - 40*dayMS, Views: 1, Items: 1, Viewed: 1, Sessions: 1}
)

// metric reads one figure of /metrics.
func (p *program) metric(t *testing.T, name string) string {
	t.Helper()
	scanner := bufio.NewScanner(bytes.NewReader(p.do(t, "GET", "/metrics", "").body))
	for scanner.Scan() {
		if value, found := strings.CutPrefix(scanner.Text(), name+" "); found {
			return value
		}
	}
	return "absent"
}

func writeFile(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}
