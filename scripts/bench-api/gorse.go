package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"cartwheel/internal/event"
)

// gorseConfig is for a shop whose visitors mostly view and of whose items nothing is told but their ids. Every kind of event is positive,
// for with views as "read" most visitors could be recommended nothing. What comes from items with the same visitors is ranked by the
// factorization machine, so that an answer is one list out of the cache; with matrix factorization as a further source, or popularity,
// far fewer answers hit. The time between trainings is the default, an hour.
const gorseConfig = `
[database]
data_store = "sqlite://%[1]s/data.sqlite"
cache_store = "sqlite://%[1]s/cache.sqlite"
[blob]
uri = "%[1]s/blob"
[master]
host = "127.0.0.1"
port = %[2]d
http_host = "127.0.0.1"
http_port = %[3]d
n_jobs = %[4]d
[recommend]
cache_size = 100
[recommend.data_source]
positive_feedback_types = ["view", "addtocart", "transaction"]
[[recommend.non-personalized]]
name = "popular"
score = "len(feedback)"
[[recommend.item-to-item]]
name = "neighbors"
type = "users"
[recommend.ranker]
type = "fm"
recommenders = ["item-to-item/neighbors"]
[recommend.ranker.early_stopping]
patience = 10
[recommend.fallback]
recommenders = ["non-personalized/popular"]
`

// gorse is a Gorse of its own, in a folder of its own.
type gorse struct {
	*process
	program, dir string
	grpc, http   int
}

var gorseVersion = regexp.MustCompile(`(?m)^Version:\s*(\S+)`)

// version is what the program says of itself.
func (g *gorse) version() (string, error) {
	if g.program == "" {
		return "", errors.New("GORSE is not set: it is the path of gorse-in-one, which https://github.com/gorse-io/gorse/releases has for each system (make bench-gorse GORSE=/path/to/gorse-in-one)")
	}
	out, err := exec.Command(g.program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("GORSE=%s is no gorse-in-one: %w", g.program, err)
	}
	found := gorseVersion.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("GORSE=%s is no gorse-in-one: asked for its version, it says %q", g.program, out)
	}
	return string(found[1]), nil
}

// configure takes two ports and writes the settings.
func (g *gorse) configure() error {
	for _, port := range []*int{&g.grpc, &g.http} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close() // Gorse takes it later
		*port = l.Addr().(*net.TCPAddr).Port
	}
	if err := os.MkdirAll(g.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.dir, "config.toml"), fmt.Appendf(nil, gorseConfig, g.dir, g.grpc, g.http, runtime.NumCPU()), 0o644)
}

// serve gives Gorse the events, and starts it again, at which it sees to its recommendations at once. It tells the seconds of both.
func (g *gorse) serve(b *bench, events []event.Event) (taking, preparing float64, err error) {
	if err := g.configure(); err != nil {
		return 0, 0, err
	}
	var log bytes.Buffer
	if err := g.start(b, &log); err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, log.Bytes())
	}
	begun := time.Now()
	err = g.take(b, events)
	taking = time.Since(begun).Seconds()
	g.stop()
	if err != nil {
		return 0, 0, err
	}
	begun = time.Now()
	if err := g.start(b, nil); err != nil {
		return 0, 0, err
	}
	if err := g.prepare(b); err != nil {
		g.stop()
		return 0, 0, err
	}
	return taking, time.Since(begun).Seconds(), nil
}

// start starts it and waits until it answers. It writes a line for each request to its standard output, which can be nowhere, but not
// be turned off.
func (g *gorse) start(b *bench, log io.Writer) error {
	cmd := b.command(g.program, "--config", filepath.Join(g.dir, "config.toml"), "--cache-path", g.dir)
	cmd.Stdout = log
	g.process = &process{cmd: cmd, addr: fmt.Sprint("127.0.0.1:", g.http)}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting Gorse: %w", err)
	}
	for late := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err := ask(g.addr, request{path: "/api/health/live"}); err == nil {
			return nil
		} else if time.Now().After(late) {
			g.stop()
			return fmt.Errorf("waiting for Gorse to answer: %w", err)
		}
	}
}

// feedback and the others are what Gorse's API takes, by its names.
type (
	feedback struct{ FeedbackType, UserId, ItemId, Timestamp string }
	user     struct{ UserId string }
	item     struct {
		ItemId, Timestamp string
		Categories        []string
	}
)

// take gives Gorse the events: who and what first, then what was done, the later of the same kind over the earlier.
func (g *gorse) take(b *bench, events []event.Event) error {
	var users []user
	var items []item
	var done []feedback
	met := map[string]bool{}
	for _, e := range events {
		at := time.UnixMilli(e.Timestamp).UTC().Format(time.RFC3339Nano)
		if !met["v"+e.VisitorID] {
			users = append(users, user{e.VisitorID})
		}
		if !met["i"+e.ItemID] {
			// Gorse v0.5.9, at least, answers sessions with items of the category "" only, which no item has by itself.
			items = append(items, item{e.ItemID, at, []string{""}})
		}
		met["v"+e.VisitorID], met["i"+e.ItemID] = true, true
		done = append(done, feedback{e.Event, e.VisitorID, e.ItemID, at})
	}
	return errors.Join(send(b, g, http.MethodPost, "users", users), send(b, g, http.MethodPost, "items", items), send(b, g, http.MethodPut, "feedback", done))
}

// send sends a list in parts.
func send[T any](b *bench, g *gorse, method, what string, list []T) error {
	const part = 1000
	for from := 0; from < len(list); from += part {
		body, err := json.Marshal(list[from:min(from+part, len(list))])
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(b.ctx, method, "http://"+g.addr+"/api/"+what, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		said, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("giving Gorse %s: %s: %s", what, answer.Status, said)
		}
	}
	return nil
}

// task is a step of what Gorse does beforehand, as its dashboard shows it.
type task struct {
	Name, Status, Error string
	Count, Total        int
}

// lastTask ends what is done beforehand.
const lastTask = "Collect Garbage in Cache"

// ready tells whether all is done, and what is under way.
func ready(tasks []task) (done bool, doing string, err error) {
	for _, t := range tasks {
		switch {
		case t.Status == "Failed":
			return false, "", fmt.Errorf("in Gorse, %q failed: %s", t.Name, t.Error)
		case t.Status == "Running":
			doing = fmt.Sprintf("%s, %d of %d", t.Name, t.Count, t.Total)
		case t.Name == lastTask && t.Status == "Complete":
			done = true
		}
	}
	return done, doing, nil
}

// prepare waits until all recommendations are in Gorse's cache.
func (g *gorse) prepare(b *bench) error {
	for seconds := 0; ; seconds++ {
		answer, err := ask(g.addr, request{path: "/api/dashboard/tasks"})
		if err != nil {
			return fmt.Errorf("asking Gorse how far it is: %w", err)
		}
		var tasks []task
		if err := json.Unmarshal(answer, &tasks); err != nil {
			return fmt.Errorf("asking Gorse how far it is: %w: %q", err, answer)
		}
		done, doing, err := ready(tasks)
		if done || err != nil {
			return err
		}
		if seconds%10 == 9 {
			fmt.Fprintln(os.Stderr, "Gorse prepares its recommendations:", doing)
		}
		select {
		case <-b.ctx.Done():
			return b.ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
