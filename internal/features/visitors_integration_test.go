//go:build integration

package features

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"cartwheel/internal/event"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/synthetic"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// shop is a generated data set, as the cluster sees it and in memory.
type shop struct {
	dir    string
	frame  sql.DataFrame // visitor, item, event, timestamp
	events []event.Event
}

func generated(t *testing.T, s *spark.Session, events int) shop {
	t.Helper()
	dir := t.TempDir()
	made := synthetic.New(synthetic.Settings{Events: events, Seed: 7})
	var buffer, tree, properties bytes.Buffer
	if _, err := made.WriteEvents(t.Context(), &buffer, nil); err != nil {
		t.Fatal(err)
	}
	if err := made.WriteCategoryTree(&tree); err != nil {
		t.Fatal(err)
	}
	if err := made.WriteItemProperties(&properties); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "raw", "events.csv"), buffer.String())
	write(t, filepath.Join(dir, "raw", "category_tree.csv"), tree.String())
	write(t, filepath.Join(dir, "raw", "item_properties.csv"), properties.String())
	rows, err := csv.NewReader(&buffer).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	sh := shop{dir: dir}
	for _, row := range rows[1:] {
		at, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sh.events = append(sh.events, event.Event{Timestamp: at, VisitorID: row[1], Event: row[2], ItemID: row[3]})
	}
	frame, err := s.Read().Format("csv").Option("header", "true").Load(filepath.Join(dir, "raw", "events.csv"))
	if err == nil {
		sh.frame, err = frame.SelectExpr(t.Context(), "visitorid visitor", "itemid item", "event", "CAST(timestamp AS BIGINT) timestamp")
	}
	if err != nil {
		t.Fatal(err)
	}
	return sh
}

// TestSQLAndGoAgree holds both definitions of every number together, to the bit, over windows that overlap, cut sessions in two, reach
// beyond the data, or hold all of it.
func TestSQLAndGoAgree(t *testing.T) {
	s, ctx := sparktest.Open(t), t.Context()
	sh := generated(t, s, 20_000)
	byVisitor := map[string][]event.Event{}
	for _, e := range sh.events {
		byVisitor[e.VisitorID] = append(byVisitor[e.VisitorID], e)
	}
	const week = 7 * 24 * hour
	windows := []Window{{0, synthetic.Last + 1}, {synthetic.Last - week, synthetic.Last + week}}
	for i := range int64(4) {
		at := synthetic.First + (8+i)*week + i*17*60_000
		windows = append(windows, Window{at - 4*week, at})
	}
	moments, err := Moments(ctx, sh.frame)
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := Profiles(ctx, moments, windows...)
	if err != nil {
		t.Fatal(err)
	}
	type key struct {
		at      int64
		visitor string
	}
	want := map[key]model.Profile{}
	cut := 0
	for visitor, events := range byVisitor {
		for _, w := range windows {
			if p := ProfileOf(events, w); p != (model.Profile{}) {
				want[key{w.At, visitor}] = p
				if err := p.Check(); err != nil {
					t.Errorf("visitor %s: %+v: %v", visitor, p, err)
				}
			}
			for i := 1; i < len(events); i++ {
				if events[i-1].Timestamp < w.From && events[i].Timestamp >= w.From && events[i].Timestamp-events[i-1].Timestamp < sessionPause.Milliseconds() {
					cut++
				}
			}
		}
	}
	if cut == 0 {
		t.Error("no window cuts a session in two: the test does not try what it should")
	}
	rows := sparktest.Rows(t, profiles, nil)
	if len(rows) != len(want) {
		t.Errorf("Spark has %d profiles, Go %d", len(rows), len(want))
	}
	for _, row := range rows {
		k := key{row["at"].(int64), row["visitor"].(string)}
		var got model.Profile
		for i, number := range got.Numbers() {
			*number = row[model.ProfileColumns[i]].(int64)
		}
		if got != want[k] {
			t.Fatalf("%v: Spark's profile is %+v, Go's %+v", k, got, want[k])
		}
	}
	// As of the window's end, and of a moment that some events lie beyond.
	for _, earlier := range []int64{0, week} {
		dated, err := profiles.SelectExpr(ctx, append([]string{fmt.Sprintf("at - %d at", earlier), "visitor"}, model.ProfileColumns...)...)
		if err != nil {
			t.Fatal(err)
		}
		values, err := Visitors(ctx, dated)
		for _, row := range sparktest.Rows(t, values, err) {
			at := row["at"].(int64)
			k := key{at + earlier, row["visitor"].(string)}
			for i, value := range Values(want[k], at) {
				if name := VisitorNames()[i]; row[name].(float64) != value {
					t.Fatalf("%v: %s is %v by Spark and %v by Go", k, name, row[name], value)
				}
			}
		}
	}
}

// TestLaterEventsLeaveNoTrace permutes what happened from the window's end on, over visitors, and adds to it.
func TestLaterEventsLeaveNoTrace(t *testing.T) {
	s, ctx := sparktest.Open(t), t.Context()
	sh := generated(t, s, 10_000)
	w := Window{synthetic.First, synthetic.First + 60*24*hour}
	later, err := sh.frame.SelectExpr(ctx, fmt.Sprintf("IF(timestamp < %d, visitor, reverse(visitor)) visitor", w.At), "item",
		fmt.Sprintf("IF(timestamp < %d, event, 'transaction') event", w.At), fmt.Sprintf("IF(timestamp < %[1]d, timestamp, %[1]d + timestamp %% 1000) timestamp", w.At))
	if err != nil {
		t.Fatal(err)
	}
	told := func(events sql.DataFrame) []string {
		moments, err := Moments(ctx, events)
		if err != nil {
			t.Fatal(err)
		}
		profiles, err := Profiles(ctx, moments, w)
		if err != nil {
			t.Fatal(err)
		}
		values, err := Visitors(ctx, profiles)
		var lines []string
		for _, row := range sparktest.Rows(t, values, err) {
			lines = append(lines, fmt.Sprint(row))
		}
		slices.Sort(lines)
		return lines
	}
	before, after := told(sh.frame), told(later)
	if len(before) < 1000 {
		t.Fatalf("only %d visitors", len(before))
	}
	if !slices.Equal(before, after) {
		t.Error("what happened after the window changed features")
	}
	moved := func(events sql.DataFrame) string {
		sums, err := events.SelectExpr(ctx, fmt.Sprintf("sum(hash(visitor, event)) FILTER (WHERE timestamp >= %d) s", w.At))
		return fmt.Sprint(sparktest.Rows(t, sums, err)[0]["s"])
	}
	if moved(sh.frame) == moved(later) {
		t.Error("the later events were not changed: the test tries nothing")
	}
}

func TestCatalogueOfTheGeneratedShop(t *testing.T) {
	s, ctx := sparktest.Open(t), t.Context()
	sh := generated(t, s, 5_000)
	write(t, filepath.Join(sh.dir, "raw", "item_properties_part2.csv"), "timestamp,itemid,property,value\n1500000000000,"+sh.events[0].ItemID+",categoryid,moved\n1,"+sh.events[0].ItemID+",available,1\n")
	c, found, err := FindCatalogue(sh.dir)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	placed, err := c.ItemCategories(ctx, s, sh.dir)
	var used []string
	of := map[string]string{}
	for _, row := range sparktest.Rows(t, placed, err) {
		item, category := row["itemid"].(string), row["category"].(string)
		if _, twice := of[item]; twice {
			t.Errorf("item %s is there twice", item)
		}
		of[item], used = category, append(used, category)
	}
	for _, e := range sh.events {
		if of[e.ItemID] == "" {
			t.Errorf("item %s has no category", e.ItemID)
		}
	}
	if item := sh.events[0].ItemID; of[item] != "moved" {
		t.Errorf("item %s is in the category %s, not in its latest", item, of[item])
	}
	all, err := c.Categories(sh.dir, used)
	if err != nil {
		t.Fatal(err)
	}
	if made := synthetic.New(synthetic.Settings{Events: 5_000, Seed: 7}).Categories(); len(all) != made+1 {
		t.Errorf("%d categories, want the tree's %d and the one that only an item names", len(all), made)
	}

	write(t, filepath.Join(sh.dir, "raw", "item_properties_part2.csv"), "timestamp,itemid,property,value\nyesterday,1,categoryid,2\n")
	broken, err := c.ItemCategories(ctx, s, sh.dir)
	if err == nil {
		_, err = broken.Collect(ctx)
	}
	if err == nil {
		t.Error("a timestamp that is none was read")
	}
}
