//go:build browser

package dashboard_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

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
		"flow": {"make up", "go run ./scripts/generate", "go run ./producer", "go run ./consumer --follow", "go run ./sparkjobs/train", "no version was trained yet", "None in "}, "quality": {"No version was measured yet", "go run ./sparkjobs/train"},
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

// A training that ends, and a version that takes over, are in every view that is of versions, without a reload and with what was chosen kept.
func TestViewsFollowTheVersions(t *testing.T) {
	s, champion := serveShop(t, "")
	tabs := map[string]*tab{}
	for _, view := range []string{"quality", "explorer", "segments"} {
		x := openTab(t)
		x.errorsAreMeant() // v0 has no segments and foretells nothing
		x.look(1320, 900, "light")
		x.do(chromedp.Navigate(s.url + "/#/" + view))
		x.wait(live + " && " + ready[view])
		tabs[view] = x
	}
	tabs["quality"].do(chosen("metric", "recall@20"))

	// One of which a kind of question could not be asked, and which somebody forced.
	modeltest.Write(t, s.models, modeltest.Random("v1", 2, 30, 60, 4))
	rewrite(t, filepath.Join(s.models, "v1"), func(m *model.Manifest) {
		m.CreatedAt = time.Now()
		m.Metrics = map[string]model.Measurement{}
		for _, who := range []string{"blend", "popular"} {
			m.Metrics["visitor, all items: "+who] = model.Measurement{Cases: 7, Values: map[string]model.Interval{"ndcg@10": {}, "recall@20": {Mean: 0.1234, Low: 0.1, High: 0.2}}}
		}
		m.Decision = &model.Decision{Promoted: true, Forced: true, Reason: "forced, although it is worse"}
	})
	modeltest.MakeChampion(t, s.models, "v1")

	x := tabs["quality"]
	x.wait(`document.getElementById("version").value === "v1" && ` + says("Forced, although it is worse") + " && " + says("12.34"))
	if got := get[string](x, `document.getElementById("metric").value + " of " + document.getElementById("question").value`); got != "recall@20 of visitor, all items" {
		t.Errorf("shown is %s", got)
	}
	if pill := get[string](x, `document.querySelector("[aria-labelledby=h-gate] .pill").textContent`); pill != "promoted by force" {
		t.Errorf("the gate %s it", pill)
	}
	x.do(chosen("question", "visitor, new items"))
	x.wait(says(`This version was not asked "visitor, new items"`))
	x.accessible("a question that was not asked")
	x.do(chosen("version", champion))
	x.wait(says("known visitors"))
	tabs["explorer"].wait(`document.querySelector(".answer .head .mono")?.textContent === "v1"`)
	tabs["segments"].wait(says("The champion has no segments"))

	x = openTab(t)
	x.do(chromedp.Navigate(s.url + "/#/versions"))
	x.wait(says("promoted by force"))
}

// chosen chooses in a list.
func chosen(id, value string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(s => { s.value = %q; s.dispatchEvent(new Event("change")); })(document.getElementById(%q))`, value, id))
}

// rewrite changes a version's manifest.
func rewrite(t *testing.T, dir string, change func(*model.Manifest)) {
	t.Helper()
	path := filepath.Join(dir, "manifest.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m model.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	if data, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
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
	x.do(chosen("kind", "addtocart"),
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

// Ids may have 128 bytes, and mean something to a browser: they are shown as they are, and all else beside them.
func TestOddIDs(t *testing.T) {
	data := t.TempDir()
	models := filepath.Join(data, "models")
	spec := modeltest.Random("odd", 1, 30, 20, 4)
	odd := []string{strings.Repeat("W", 128), "<script>document.title = 'x'</script>", "a/b?c#d%2F &amp;", strings.Repeat("日", 42)}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range odd {
		name, _ := json.Marshal(id)
		text = bytes.ReplaceAll(text, []byte(strconv.Quote(spec.Items[i])), name)
	}
	spec = modeltest.Spec{}
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	modeltest.Write(t, models, spec)
	modeltest.MakeChampion(t, models, "odd")
	s := serveData(t, data, "")
	x := openTab(t)
	x.errorsAreMeant() // the version foretells nothing
	x.look(1320, 900, "light")
	x.do(chromedp.Navigate(s.url + "/#/explorer"))
	x.wait(ready["explorer"])
	clicked := 0
	for _, id := range odd {
		if get[bool](x, fmt.Sprintf(`(b => { b?.click(); return !!b; })([...document.querySelectorAll(".answer button.item")].find((b) => b.textContent === %q))`, id)) {
			clicked++
			x.settled(clicked)
		}
	}
	if clicked < len(odd) {
		t.Fatalf("only %d of these ids were recommended", clicked)
	}
	if wide := get[int](x, `(s => s.scrollWidth - s.clientWidth)(document.querySelector(".answer .scroll"))`); wide > 0 {
		t.Errorf("%d pixels of the list are out of sight", wide)
	}
	x.accessible("explorer with odd ids")
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
