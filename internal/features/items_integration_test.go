//go:build integration

package features

import (
	"math"
	"testing"

	"cartwheel/internal/event"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/synthetic"
)

// TestItemsAreSumsOfTheirEvents adds up what Spark does, event by event, with the latest tenth of the time still to come.
func TestItemsAreSumsOfTheirEvents(t *testing.T) {
	s, ctx := sparktest.Open(t), t.Context()
	sh := generated(t, s, 5_000)
	at, halfLife := synthetic.Last-(synthetic.Last-synthetic.First)/10, 7.0
	type kindOf struct{ item, kind string }
	counts, scores := map[kindOf]int64{}, map[kindOf]float64{}
	items := map[string]bool{}
	for _, e := range sh.events {
		of := kindOf{e.ItemID, e.Event}
		items[e.ItemID] = true
		counts[of]++
		scores[of] += math.Pow(2, -days(at-e.Timestamp)/halfLife)
	}
	df, err := Items(ctx, sh.frame, halfLife, at)
	rows := collect(t, df, err)
	if len(rows) != len(items) {
		t.Errorf("%d items, want %d", len(rows), len(items))
	}
	for _, row := range rows {
		for _, kind := range event.Kinds {
			of := kindOf{row["item"].(string), kind}
			if n := row[ItemCount(kind)]; n != counts[of] {
				t.Errorf("%v: %v events, want %d", of, n, counts[of])
			}
			if score := row[ItemScore(kind)].(float64); math.Abs(score-scores[of]) > 1e-9*scores[of] {
				t.Errorf("%v: popularity %v, want %v", of, score, scores[of])
			}
		}
	}
}
