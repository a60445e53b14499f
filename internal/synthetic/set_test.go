package synthetic

import (
	"bytes"
	"context"
	"encoding/csv"
	"strconv"
	"strings"
	"testing"

	"cartwheel/internal/event"
)

// set is a generated data set, read back with encoding/csv.
type set struct {
	counts     Counts
	events     []event.Event
	tree       map[string]string // category -> parent, empty for a root
	categories map[string]string // item -> category
}

// generate writes a set and reads it again, checking the form of every row on the way.
func generate(t *testing.T, s Settings) set {
	t.Helper()
	shop := New(s)
	var events, tree, properties bytes.Buffer
	if err := shop.WriteCategoryTree(&tree); err != nil {
		t.Fatal(err)
	}
	if err := shop.WriteItemProperties(&properties); err != nil {
		t.Fatal(err)
	}
	counts, err := shop.WriteEvents(context.Background(), &events, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := set{counts: counts, tree: map[string]string{}, categories: map[string]string{}}
	for _, f := range records(t, events.String(), "timestamp,visitorid,event,itemid,transactionid") {
		e := event.Event{Timestamp: whole(t, f[0]), VisitorID: f[1], Event: f[2], ItemID: f[3], TransactionID: f[4]}
		if err := e.Validate(); err != nil {
			t.Fatal(err)
		}
		if v := whole(t, e.VisitorID); v < 0 || v >= int64(s.Sizes().Visitors) {
			t.Fatalf("visitor %d is out of range", v)
		}
		whole(t, e.ItemID)
		if (e.TransactionID != "") != (e.Event == event.Transaction) {
			t.Fatalf("event %q with transaction id %q", e.Event, e.TransactionID)
		}
		out.events = append(out.events, e)
	}
	for _, f := range records(t, tree.String(), "categoryid,parentid") {
		if _, twice := out.tree[f[0]]; twice {
			t.Fatalf("category %s is in the tree twice", f[0])
		}
		out.tree[f[0]] = f[1]
	}
	for _, f := range records(t, properties.String(), "timestamp,itemid,property,value") {
		if f[2] != "categoryid" {
			t.Fatalf("property %q", f[2])
		}
		if at := whole(t, f[0]); at < First || at > Last {
			t.Fatalf("item %s has its category since %d, outside the data's time", f[1], at)
		}
		if _, twice := out.categories[f[1]]; twice {
			t.Fatalf("item %s has two categories", f[1])
		}
		out.categories[f[1]] = f[3]
	}
	return out
}

func records(t *testing.T, text, header string) [][]string {
	t.Helper()
	first, rest, found := strings.Cut(text, "\n")
	if !found || first != header {
		t.Fatalf("header %q, want %q", first, header)
	}
	if strings.ContainsAny(text, "\r\"") || !strings.HasSuffix(text, "\n") {
		t.Fatal("the rows are not plain lines that end with \\n")
	}
	r := csv.NewReader(strings.NewReader(rest))
	r.FieldsPerRecord = strings.Count(header, ",") + 1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func whole(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != s {
		t.Fatalf("%q is not a whole number", s)
	}
	return n
}

func (s set) visitors() map[string]int {
	return s.tally(func(e event.Event) string { return e.VisitorID })
}
func (s set) items() map[string]int { return s.tally(func(e event.Event) string { return e.ItemID }) }
func (s set) kinds() map[string]int { return s.tally(func(e event.Event) string { return e.Event }) }

func (s set) tally(key func(event.Event) string) map[string]int {
	n := map[string]int{}
	for _, e := range s.events {
		n[key(e)]++
	}
	return n
}

// duplicates counts the rows that repeat an earlier one exactly.
func (s set) duplicates() int {
	seen := make(map[event.Event]bool, len(s.events))
	n := 0
	for _, e := range s.events {
		if seen[e] {
			n++
		}
		seen[e] = true
	}
	return n
}

// sessions gives each visitor's items in order, cut where a pause is longer than half an hour; repeated rows are left out.
// They are in order of their first event's row.
func (s set) sessions() [][]event.Event {
	open := map[string]int{} // visitor -> index of their latest session
	var out [][]event.Event
	for _, e := range s.events {
		i, ok := open[e.VisitorID]
		if ok {
			last := out[i][len(out[i])-1]
			if e == last {
				continue
			}
			if e.Timestamp-last.Timestamp <= sessionPause {
				out[i] = append(out[i], e)
				continue
			}
		}
		open[e.VisitorID] = len(out)
		out = append(out, []event.Event{e})
	}
	return out
}
