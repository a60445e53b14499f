package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/model/modeltest"
)

// The shop's files are followed while the API runs and hold for every version; a wrong one is refused, said and counted, and what it
// said before still holds.
func TestRulesAreFollowed(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	models, unavailable, rules := filepath.Join(data, "models"), filepath.Join(data, "catalogue/unavailable"), filepath.Join(data, "catalogue/rules.json")
	modeltest.Write(t, models, shop("v1"))
	modeltest.MakeChampion(t, models, "v1")
	if err := os.Mkdir(filepath.Dir(rules), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, unavailable, "a2\r\n\nnothing\n")
	p := start(t, data)
	put := func(path, text string) {
		writeFile(t, path+".new", text)
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	p.ready(t, "v1")
	expect := func(want string) {
		t.Helper()
		if got := p.do(t, "GET", "/v1/visitors/anna/recommendations?limit=2", "").items(t).ids(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	expect(`a3 q/"\?`)
	put(rules, `{"boosts":{"items":{"popular":20},"categories":{"b":2}}}`)
	p.log.wait(t, "catalogue file read")
	expect("popular a3")
	for refused, c := range []struct{ path, text, says string }{
		{rules, `{"boosts":{"items":{"popular":0}}}`, `"popular" is 0`},
		{unavailable, "\xff\n", "line 1"},
	} {
		put(c.path, c.text)
		if says := fmt.Sprint(p.log.wait(t, "catalogue file refused; what it said before still holds")); !strings.Contains(says, c.says) || !strings.Contains(says, c.path) {
			t.Errorf("%s: the log says %s, want %q", c.text, says, c.says)
		}
		expect("popular a3")
		if n := p.metric(t, "cartwheel_catalogue_refused_total"); n != fmt.Sprint(refused+1) {
			t.Errorf("%s refusals are counted, want %d", n, refused+1)
		}
	}
	modeltest.Write(t, models, shop("v2"))
	modeltest.MakeChampion(t, models, "v2")
	p.ready(t, "v2")
	expect("popular a3")
	for _, path := range []string{unavailable, rules} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		p.log.wait(t, "catalogue file read")
	}
	expect("a2 a3")
}
