package serve

import (
	"log/slog"
	"path/filepath"
	"testing"
	"weak"

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
