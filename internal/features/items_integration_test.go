//go:build integration

package features

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"cartwheel/internal/event"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/synthetic"
)

// TestItemsAreSumsOfTheirEvents adds up what Spark does, event by event, with the latest tenth of the time still to come, and beside the
// shop's items some whose events lie on one side of what a trend compares, or at its edges.
func TestItemsAreSumsOfTheirEvents(t *testing.T) {
	s, ctx := sparktest.Open(t), t.Context()
	sh := generated(t, s, 5_000)
	at, halfLife := synthetic.Last-(synthetic.Last-synthetic.First)/10, 7.0
	dayMS := day.Milliseconds()
	var planted []string
	plant := func(item string, times ...int64) {
		for _, when := range times {
			sh.events = append(sh.events, event.Event{Timestamp: when, Event: event.View, ItemID: item})
			planted = append(planted, fmt.Sprintf("('1', '%s', 'view', %dL)", item, when))
		}
	}
	for range 20 {
		plant("only new", at-dayMS)
		plant("only old", at-10*dayMS)
	}
	plant("long ago", at-60*dayMS)
	plant("at the edges", at-7*dayMS, at-7*dayMS+1, at-35*dayMS, at-35*dayMS+1)
	more, err := s.Sql(ctx, "SELECT * FROM VALUES "+strings.Join(planted, ",")+" AS t(visitor, item, event, timestamp)")
	if err != nil {
		t.Fatal(err)
	}
	events := sh.frame.Union(ctx, more)
	c, _, err := FindCatalogue(sh.dir)
	if err != nil {
		t.Fatal(err)
	}
	placed, err := c.ItemCategories(ctx, s, sh.dir)
	categories := map[string]any{}
	for _, row := range sparktest.Rows(t, placed, err) {
		categories[row["itemid"].(string)] = row["category"]
	}
	if placed, err = placed.SelectExpr(ctx, "itemid item", "category"); err != nil {
		t.Fatal(err)
	}

	type kindOf struct{ item, kind string }
	counts, scores := map[kindOf]int64{}, map[kindOf]float64{}
	recent, earlier := map[string]float64{}, map[string]float64{}
	items := map[string]bool{}
	var n, m float64
	for _, e := range sh.events {
		of := kindOf{e.ItemID, e.Event}
		items[e.ItemID] = true
		counts[of]++
		scores[of] += math.Pow(2, -days(at-e.Timestamp)/halfLife)
		switch age := at - e.Timestamp; {
		case age < 7*dayMS:
			recent[e.ItemID]++
			n++
		case age < 35*dayMS:
			earlier[e.ItemID]++
			m++
		}
	}
	df, err := Items(ctx, events, halfLife, at, placed)
	rows := sparktest.Rows(t, df, err)
	if len(rows) != len(items) {
		t.Errorf("%d items, want %d", len(rows), len(items))
	}
	trends := map[string]float64{}
	for _, row := range rows {
		item := row["item"].(string)
		for _, kind := range event.Kinds {
			of := kindOf{item, kind}
			if n := row[ItemCount(kind)]; n != counts[of] {
				t.Errorf("%v: %v events, want %d", of, n, counts[of])
			}
			if score := row[ItemScore(kind)].(float64); math.Abs(score-scores[of]) > 1e-9*scores[of] {
				t.Errorf("%v: popularity %v, want %v", of, score, scores[of])
			}
		}
		want := (recent[item] + 5) / (earlier[item]*n/m + 5)
		if trends[item] = row["trend"].(float64); math.Abs(trends[item]-want) > 1e-9 {
			t.Errorf("%s: trend %v, want %v of %v new and %v old events", item, trends[item], want, recent[item], earlier[item])
		}
		if row["category"] != categories[item] {
			t.Errorf("%s: category %v, want %v", item, row["category"], categories[item])
		}
	}
	if trends["only new"] != 5 || trends["only old"] > 0.8 || trends["long ago"] != 1 || recent["at the edges"] != 1 || earlier["at the edges"] != 2 {
		t.Errorf("the planted trends are not: %v", trends)
	}

	// Without 28 days to compare with, nothing has a trend, and without a catalogue nothing a category.
	df, err = Items(ctx, events, halfLife, synthetic.First+3*dayMS, nil)
	for _, row := range sparktest.Rows(t, df, err) {
		if row["trend"] != 1.0 || row["category"] != nil {
			t.Errorf("%v: trend %v, category %v", row["item"], row["trend"], row["category"])
		}
	}
}
