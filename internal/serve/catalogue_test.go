package serve

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cartwheel/internal/recommend"
)

// A file that is wrong is refused once, and what it said before still holds.
func TestCatalogueRefuses(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	c := newCatalogue(t.TempDir(), slog.New(slog.NewTextHandler(&log, nil)), newMetrics())
	put := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if c.check() {
		t.Error("without files, rules have changed")
	}
	put(c.unavailable.path, "\ufeffa2\r\n\nnothing\n")
	put(c.boosts.path, `{"boosts":{"items":{"popular":20},"categories":{"b":2}}}`)
	sound := recommend.Rules{Unavailable: map[string]struct{}{"a2": {}, "nothing": {}}, ItemBoosts: map[string]float64{"popular": 20}, CategoryBoosts: map[string]float64{"b": 2}}
	if !c.check() || !reflect.DeepEqual(c.rules, sound) {
		t.Fatalf("the rules are %+v, want %+v", c.rules, sound)
	}
	for _, bad := range []struct{ path, text, says string }{
		{c.boosts.path, `{"boosts":{"items":{"popular":0}}}`, "is 0, not between"},
		{c.boosts.path, `{"boosts":{"items":{"popular":1e9}}}`, "not between 0.001 and 1000"},
		{c.boosts.path, `{"boosts":{"items":{"popular":"2"}}}`, "string"},
		{c.boosts.path, `{"boosts":{"categories":{"":2}}}`, "category is empty"},
		{c.boosts.path, `{"boosts":{"items":{"a1":2,"a1":3}}}`, "twice"},
		{c.boosts.path, `{"boost":{}}`, "no member"},
		{c.boosts.path, `{"boosts":`, "breaks off"},
		{c.boosts.path, "", "empty"},
		{c.unavailable.path, "a2\n" + strings.Repeat("x", 200) + "\n", "line 2"},
		{c.unavailable.path, "\xff\n", "line 1"},
	} {
		put(bad.path, bad.text)
		log.Reset()
		first, second := c.check(), c.check()
		if first || second || !reflect.DeepEqual(c.rules, sound) {
			t.Errorf("%q: the rules are %+v, want %+v", bad.text, c.rules, sound)
		}
		if text := log.String(); strings.Count(text, "refused") != 1 || !strings.Contains(text, bad.says) || !strings.Contains(text, bad.path) {
			t.Errorf("%q: the log says %s, want %q once", bad.text, text, bad.says)
		}
	}
	if err := os.Remove(c.boosts.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(c.unavailable.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(c.unavailable.path), 0o755); err != nil {
		t.Fatal(err)
	}
	if !c.check() || len(c.rules.ItemBoosts) > 0 || len(c.rules.Unavailable) != 2 || !strings.Contains(log.String(), "not a regular file") {
		t.Errorf("with one file gone and the other a folder, the rules are %+v: %s", c.rules, log.String())
	}
}
