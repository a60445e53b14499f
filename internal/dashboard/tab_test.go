//go:build browser

package dashboard_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/serve"
)

// browser is the one that all tests open their tabs in.
var browser context.Context

func TestMain(m *testing.M) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		fmt.Fprintln(os.Stderr, "these tests look at the page in Chromium, and there is none in PATH (Debian, Ubuntu: apt-get install chromium)")
		os.Exit(1)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.CombinedOutput(io.Discard))
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's does not work for root
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s cannot be started: %v\n", path, err)
		os.Exit(1)
	}
	browser = ctx
	code := m.Run()
	stop()
	stopAllocator()
	os.Exit(code)
}

// system is an API to look at.
type system struct {
	url, models string
	stop        func()
}

// serveData runs the API on a data folder until the test ends.
func serveData(t *testing.T, data, keys string) *system {
	t.Helper()
	accepted, err := serve.ParseKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- serve.New(serve.Options{DataDir: data, Topic: "retail.events.v1", Group: "cartwheel-batches", Poll: 50 * time.Millisecond, Keys: accepted,
			Log: slog.New(slog.DiscardHandler)}).Run(context.Background(), stop, listener)
	}()
	end := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	t.Cleanup(end)
	return &system{url: "http://" + listener.Addr().String(), models: filepath.Join(data, "models"), stop: end}
}

// serveShop runs it on a version that Spark made, the champion, and on one that knows less, "v0".
func serveShop(t *testing.T, keys string) (s *system, champion string) {
	t.Helper()
	data := t.TempDir()
	models := filepath.Join(data, "models")
	trained, err := filepath.Glob("../model/testdata/2*")
	if err != nil || len(trained) != 1 {
		t.Fatalf("there should be one trained version among the models' test data: %v, %v", trained, err)
	}
	champion = filepath.Base(trained[0])
	if err := os.CopyFS(filepath.Join(models, champion), os.DirFS(trained[0])); err != nil {
		t.Fatal(err)
	}
	modeltest.Write(t, models, modeltest.Random("v0", 1, 30, 60, 4))
	modeltest.MakeChampion(t, models, champion)
	rejects := filepath.Join(data, "raw", "events.csv.rejects.csv")
	if err := os.MkdirAll(filepath.Dir(rejects), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rejects, []byte("line,reason,row\n3,\"invalid event: visitorid is empty\",\"x\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return serveData(t, data, keys), champion
}

// tab is a tab of the browser, in which nothing may go wrong.
type tab struct {
	t        *testing.T
	ctx      context.Context
	mu       sync.Mutex
	network  bool // answers that are errors are meant
	messages []string
}

// waiting bounds how long a test waits for the page; a page that works takes a fraction of it.
const waiting = time.Minute

func openTab(t *testing.T) *tab {
	t.Helper()
	ctx, leave := chromedp.NewContext(browser)
	x := &tab{t: t, ctx: ctx}
	messages := chromedp.Console(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			x.mu.Lock()
			if wrong := m.IsException() || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning; wrong && !(x.network && m.Source == "network") {
				x.messages = append(x.messages, fmt.Sprintf("%s (%s %s)", m, m.Source, m.URL))
			}
			x.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		leave()
		listening.Wait()
		for _, m := range x.messages {
			t.Errorf("the console says: %s", m)
		}
	})
	return x
}

// errorsAreMeant lets answers with a status of 400 or more pass, which the console tells of.
func (x *tab) errorsAreMeant() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.network = true
}

func (x *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, waiting)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		x.t.Fatal(err)
	}
}

// get evaluates an expression, and waits if it is a promise.
func get[T any](x *tab, expression string) T {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, waiting)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		text, _ := chromedp.Run(x.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		x.t.Fatalf("%s: %v; the page says:\n%s", expression, err, text)
	}
	return v
}

// wait waits until an expression is true.
func (x *tab) wait(expression string) {
	x.t.Helper()
	get[bool](x, "new Promise((done) => { const look = () => (("+expression+") ? done(true) : setTimeout(look, 20)); look(); })")
}

func says(text string) string { return "document.body.innerText.includes(" + strconv.Quote(text) + ")" }

// look sets how the page is looked at.
func (x *tab) look(width, height int64, scheme string) {
	x.t.Helper()
	_, err := chromedp.Call(x.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if err != nil {
		x.t.Fatal(err)
	}
	x.do(chromedp.EmulateViewport(width, height))
}

// accessible reports what axe-core finds against WCAG 2.2, levels A and AA, and whether the page is wider than the window.
func (x *tab) accessible(what string) {
	x.t.Helper()
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		x.t.Fatal(err)
	}
	if err := chromedp.Do(x.ctx, chromedp.Evaluate[chromedp.Void](string(axe))); err != nil {
		x.t.Fatal(err)
	}
	found := get[struct {
		Checked    int
		Violations []string
	}](x, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).then((r) => ({Checked: r.passes.length,
		Violations: r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 200) + " " + n.failureSummary))}))`)
	if found.Checked < 5 {
		x.t.Errorf("%s: only %d rules found anything to check", what, found.Checked)
	}
	for _, v := range found.Violations {
		x.t.Errorf("%s: %s", what, v)
	}
	if wide := get[int](x, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
		x.t.Errorf("%s: the page is %d pixels wider than the window", what, wide)
	}
}
