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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"cartwheel/internal/model"
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

// ready are expressions that hold once a view shows what there is to show.
var ready = map[string]string{
	"flow":     `document.querySelectorAll(".stage[data-state]").length === 7 && ` + says("Rejected rows") + ` && document.querySelector(".plot canvas")`,
	"quality":  `document.querySelectorAll(".plot canvas").length === 2 && ` + says("The gate's decision") + " && " + says("Beside others"),
	"explorer": `document.querySelectorAll(".answer tbody tr").length === 20 && ` + says("Empty so far"),
	"segments": `document.querySelectorAll(".bars tbody tr").length > 2 && document.querySelectorAll(".profiles tbody tr").length > 5`,
	"versions": `document.querySelectorAll(".list tbody tr").length === 2 && ` + says("champion"),
}

const live = `document.getElementById("connection").dataset.state === "live"`

func TestViews(t *testing.T) {
	s, champion := serveShop(t, "")
	for view, shown := range ready {
		t.Run(view, func(t *testing.T) {
			x := openTab(t)
			for _, how := range []struct {
				name          string
				width, height int64
				scheme        string
			}{{"light", 1320, 900, "light"}, {"dark", 1320, 900, "dark"}, {"phone, light", 390, 844, "light"}, {"phone, dark", 360, 640, "dark"}} {
				x.look(how.width, how.height, how.scheme)
				x.do(chromedp.Navigate("about:blank"), chromedp.Navigate(s.url+"/#/"+view))
				x.wait(live + " && " + shown)
				x.accessible(view + ", " + how.name)
			}
			if view != "segments" && !get[bool](x, says(champion)) {
				t.Errorf("the champion %s is not named", champion)
			}
			if title := get[string](x, "document.title"); !strings.HasSuffix(title, "· Cartwheel") {
				t.Errorf("title %q", title)
			}
		})
	}
}

// With nothing there, every view says what is missing, and with which command it comes.
func TestEmptySystem(t *testing.T) {
	s := serveData(t, t.TempDir(), "")
	x := openTab(t)
	x.errorsAreMeant()
	for view, expected := range map[string][]string{
		"flow": {"make up", "go run ./scripts/generate", "go run ./producer", "go run ./consumer --follow", "go run ./sparkjobs/train", "no version was trained yet"}, "quality": {"No version was measured yet", "go run ./sparkjobs/train"},
		"explorer": {"No version is served yet", "go run ./sparkjobs/train"}, "segments": {"No version is served yet", "go run ./sparkjobs/train"}, "versions": {"There is no version yet", "go run ./sparkjobs/train"},
	} {
		for _, scheme := range []string{"light", "dark"} {
			x.look(1320, 900, scheme)
			x.do(chromedp.Navigate("about:blank"), chromedp.Navigate(s.url+"/#/"+view))
			for _, text := range expected {
				x.wait(says(text))
			}
			x.accessible("empty " + view + ", " + scheme)
		}
	}
	x.do(chromedp.Navigate(s.url + "/"))
	x.wait(live + ` && location.hash === "#/flow"`)
}

// What happens on disk is on the page without a reload, and so is that the server has gone.
func TestStream(t *testing.T) {
	s := serveData(t, t.TempDir(), "")
	x := openTab(t)
	x.errorsAreMeant()
	x.do(chromedp.Navigate(s.url + "/#/flow"))
	x.wait(live + " && " + says("no version was trained yet"))
	get[bool](x, "window.unreloaded = true")
	modeltest.Write(t, s.models, modeltest.Random("fresh", 1, 30, 60, 4))
	modeltest.MakeChampion(t, s.models, "fresh")
	x.wait(says("fresh") + ` && document.querySelectorAll(".stage")[6].dataset.state === "good"`)
	s.stop()
	x.wait(`document.getElementById("connection").textContent === "reconnecting"`)
	if !get[bool](x, "window.unreloaded === true") {
		t.Error("the page was loaded anew")
	}
}

func rows(x *tab) []string {
	return get[[]string](x, `[...document.querySelectorAll(".answer button.item")].map((b) => b.textContent)`)
}

// settled waits for the answer after so many clicks of a session.
func (x *tab) settled(clicks int) {
	x.t.Helper()
	x.wait(fmt.Sprintf(`document.querySelectorAll(".clicks li").length === %d && !document.querySelector(".answer[aria-busy]")`, clicks))
}

func TestExplorer(t *testing.T) {
	s, champion := serveShop(t, "")
	x := openTab(t)
	x.look(1320, 900, "light")
	x.do(chromedp.Navigate(s.url + "/#/explorer"))
	x.wait(ready["explorer"])
	strategy := func() string { return get[string](x, `document.querySelector(".answer .pill").textContent`) }
	popular := rows(x)
	if strategy() != "popular" {
		t.Errorf("it begins with strategy %s", strategy())
	}
	x.do(chromedp.Click(chromedp.CSS(".answer tbody tr:nth-child(3) button.item")))
	x.settled(1)
	first := rows(x)
	if strategy() != "session" || strings.Join(first, " ") == strings.Join(popular, " ") {
		t.Errorf("after a click: strategy %s, %v", strategy(), first)
	}
	if n := get[int](x, `document.querySelectorAll(".change.new, .change.up, .change.down").length`); n == 0 {
		t.Error("no change is marked")
	}
	if !get[bool](x, `[...document.querySelectorAll(".share")].some((s) => s.textContent.startsWith("`+popular[2]+`"))`) {
		t.Errorf("nothing is recommended because of %s", popular[2])
	}
	x.wait(says("Buys within"))
	x.accessible("explorer with a session")
	x.do(chromedp.Evaluate[chromedp.Void](`(k => { k.value = "addtocart"; k.dispatchEvent(new Event("change")); })(document.getElementById("kind"))`),
		chromedp.Click(chromedp.CSS(".answer tbody tr:nth-child(5) button.item")))
	x.settled(2)
	if second := rows(x); strings.Join(second, " ") == strings.Join(first, " ") {
		t.Error("the second click changed nothing")
	}
	if got := get[string](x, `document.querySelector(".clicks li:last-child").innerText`); !strings.Contains(got, first[4]) || !strings.Contains(got, "put into the cart") {
		t.Errorf("the session's last click is %q, not %s", got, first[4])
	}
	x.do(chromedp.Click(chromedp.CSS(".clicks li:last-child .remove")))
	x.settled(1)
	if again := rows(x); strings.Join(again, " ") != strings.Join(first, " ") {
		t.Errorf("with the second click taken back: %v, want %v", again, first)
	}
	// By keyboard: an item's button is reached and pressed as any other.
	x.do(chromedp.Focus(chromedp.CSS(".answer tbody tr:nth-child(2) button.item")), chromedp.KeyEvent("\r"))
	x.settled(2)
	x.wait(`document.activeElement.matches("button.item")`)
	if on := get[string](x, "document.activeElement.textContent"); on != first[1] && on != rows(x)[0] {
		t.Errorf("the keyboard was on %s and is on %s", first[1], on)
	}

	category := get[string](x, `document.querySelector(".answer .chip").textContent`)
	x.do(chromedp.Click(chromedp.CSS(".answer tbody .chip")))
	x.wait(says("category "+category+" ×") + ` && !document.querySelector(".answer[aria-busy]")`)

	x.do(chromedp.Reload())
	x.wait(ready["explorer"])
	visitor := visitorOf(t, s, champion)
	x.do(chromedp.SendKeys(chromedp.CSS("#visitor"), visitor+"\r"))
	x.wait(`document.querySelector(".profile dl") && !document.querySelector(".answer[aria-busy]")`)
	if strategy() != "als" || !get[bool](x, says("SEGMENT")+" || "+says("segment")) {
		t.Errorf("visitor %s: strategy %s", visitor, strategy())
	}
	x.accessible("explorer with a visitor")
	x.errorsAreMeant()
	x.do(emptied("visitor"), chromedp.SendKeys(chromedp.CSS("#visitor"), "<b>nobody</b>\r"))
	x.wait(says("Nothing is known of this visitor"))
	if strategy() != "popular" {
		t.Errorf("somebody unknown: strategy %s", strategy())
	}
}

func TestKeysAndAdminActions(t *testing.T) {
	const reader, admin = "reader-0123456789abcdef", "admin-0123456789abcdef"
	s, champion := serveShop(t, "reader:"+reader+",admin:"+admin)
	x := openTab(t)
	x.errorsAreMeant() // without a key, and with too weak a one
	x.look(1320, 900, "light")
	x.do(chromedp.Navigate(s.url + "/#/versions"))
	x.wait(`!document.getElementById("key").hidden`)
	x.accessible("asking for a key")
	x.do(chromedp.SendKeys(chromedp.CSS("#key-field"), "wrong-key-wrong-key\r"))
	x.wait(says("does not know this key"))
	x.do(chromedp.SendKeys(chromedp.CSS("#key-field"), reader+"\r"))
	x.wait(ready["versions"] + " && " + live + ` && document.getElementById("key").hidden`)

	served := func() string {
		return get[string](x, `document.querySelector("tr:has(.pill.accent) .mono").textContent`)
	}
	const activate = `button[aria-label="Activate v0"]`
	x.do(chromedp.Click(chromedp.CSS(activate)))
	x.wait(`document.querySelector("dialog[open]") && ` + says("Activate this version?"))
	x.accessible("the question")
	x.do(chromedp.KeyEvent("\x1b")) // Escape
	x.wait(`!document.querySelector("dialog")`)
	if served() != champion {
		t.Fatalf("%s is served after the question was declined", served())
	}
	x.do(chromedp.Click(chromedp.CSS(activate)))
	x.wait(`document.querySelector("dialog[open]")`)
	x.do(chromedp.SendKeys(chromedp.CSS("#admin-key"), reader+"\r"))
	x.wait(says("this needs a key with the role admin"))
	if served() != champion {
		t.Fatalf("%s is served by a reader's word", served())
	}
	x.do(emptied("admin-key"), chromedp.SendKeys(chromedp.CSS("#admin-key"), admin+"\r"))
	x.wait(`!document.querySelector("dialog") && document.querySelector("tr:has(.pill.accent) .mono")?.textContent === "v0" && ` + says("v0 is the champion now"))

	x.wait(says("Roll back to"))
	x.do(chromedp.Click(chromedp.CSS(".tools button")))
	x.wait(says("Roll back?"))
	x.do(chromedp.SendKeys(chromedp.CSS("#admin-key"), admin+"\r"))
	x.wait(`!document.querySelector("dialog") && document.querySelector("tr:has(.pill.accent) .mono")?.textContent === "` + champion + `"`)
	if kept := get[string](x, "JSON.stringify({...sessionStorage, ...localStorage}) + document.cookie"); strings.Contains(kept, admin) || !strings.Contains(kept, reader) {
		t.Errorf("kept: %s", kept)
	}
}

// The keyboard reaches what the mouse does: first the way past the head, then the views.
func TestKeyboard(t *testing.T) {
	s, _ := serveShop(t, "")
	x := openTab(t)
	x.look(1320, 900, "light")
	x.do(chromedp.Navigate(s.url + "/#/segments"))
	x.wait(ready["segments"])
	focused := func() string { return get[string](x, "document.activeElement.textContent") }
	x.do(chromedp.KeyEvent("\t"))
	if focused() != "Skip to the content" || !get[bool](x, `document.activeElement.getBoundingClientRect().left >= 0`) {
		t.Errorf("first is %q", focused())
	}
	x.do(chromedp.KeyEvent("\t"))
	if focused() != "Flow" || get[string](x, "getComputedStyle(document.activeElement).outlineStyle") == "none" {
		t.Errorf("second is %q, or its focus cannot be seen", focused())
	}
	x.do(chromedp.KeyEvent("\r"))
	x.wait(`location.hash === "#/flow" && document.activeElement.id === "main"`)

	x.do(chromedp.Focus(chromedp.CSS(".skip")), chromedp.KeyEvent("\r"))
	x.wait(`location.hash === "#main" && document.activeElement.id === "main" && document.querySelector("main .stage")`)
	x.do(chromedp.Reload()) // the address is that of no view now
	x.wait(`location.hash === "#/flow" && document.querySelector(".stage")`)
}

// emptied clears a field.
func emptied(id string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](`document.getElementById("` + id + `").value = ""`)
}

// visitorOf returns a visitor whom the champion knows.
func visitorOf(t *testing.T, s *system, champion string) string {
	t.Helper()
	v, err := model.Load(filepath.Join(s.models, champion))
	if err != nil {
		t.Fatal(err)
	}
	return v.Visitors.Name(0)
}
