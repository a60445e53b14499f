package serve

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"weak"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

// What a version takes is free once the next one is served, though pools keep for the next request what the last one worked with.
func TestChampionBeforeIsLetGo(t *testing.T) {
	data := t.TempDir()
	models := filepath.Join(data, "models")
	log := slog.New(slog.DiscardHandler)
	c := &champion{dir: models, log: log, metrics: newMetrics(), shop: newCatalogue(filepath.Join(data, "catalogue"), log, newMetrics())}
	var before weak.Pointer[recommend.Recommender]
	for i, name := range []string{"one", "other"} {
		modeltest.Write(t, models, modeltest.Random(name, uint64(i), 50, 30, 4))
		modeltest.MakeChampion(t, models, name)
		c.check()
		now := c.current.Load()
		if now == nil || now.version != name {
			t.Fatalf("%s is not served: %v", name, c.fault.Load())
		}
		if i == 0 {
			if answer := now.Visitor("v1", recommend.Options{Limit: 5}); len(answer.Items) != 5 {
				t.Fatalf("the answer is %v", answer)
			}
			before = weak.Make(now.plain)
		}
	}
	if before.Value() != nil {
		t.Error("the version before is still in memory")
	}
}

// Before a version is served it has answered; one that breaks down over that is refused.
func TestVersionsAnswerBeforeTheyAreServed(t *testing.T) {
	t.Parallel()
	v, err := load(modeltest.Write(t, t.TempDir(), modeltest.Random("v", 1, 50, 30, 4)), model.AtOnce)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.warm(); !errors.Is(err, model.ErrBadVersion) { // it has no recommender by the shop's rules yet
		t.Errorf("a version that cannot answer: %v", err)
	}
	v.Recommender = v.plain
	if err := v.warm(); err != nil {
		t.Error(err)
	}
}
