package synthetic

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"cartwheel/internal/event"
)

// The figures to compare with are those published of the real file, or measured on samples of it.
func TestStatisticsFollowTheRealFile(t *testing.T) {
	t.Parallel()
	s := generate(t, Settings{Events: 200_000, Seed: 1})
	n := float64(len(s.events))
	near := func(what string, got, want, within float64) {
		t.Helper()
		if math.Abs(got-want) > within {
			t.Errorf("%s: %.4f, want %.4f ± %.4f", what, got, want, within)
		}
	}

	kinds := s.kinds()
	near("share of view", float64(kinds[event.View])/n, 0.9667, 0.001)
	near("share of addtocart", float64(kinds[event.AddToCart])/n, 0.0252, 0.0005)
	near("share of transaction", float64(kinds[event.Transaction])/n, 0.0081, 0.0003)
	if d := s.duplicates(); d != 33 {
		t.Errorf("%d rows repeat another, want 33", d)
	}

	visits := descending(s.visitors())
	near("visitors with one event", share(visits, func(c int) bool { return c == 1 }), 0.711, 0.01)
	near("visitors with more than ten", share(visits, func(c int) bool { return c > 10 }), 0.017, 0.005)
	if visits[0] < 1000 || visits[0] > 3000 {
		t.Errorf("the busiest visitor has %d events, want one to three thousand", visits[0])
	}
	sales := descending(s.items())
	near("the best item's share", float64(sales[0])/n, 0.00124, 0.002) // fewer items share the visits than in the real file
	near("the best hundredth of the items' share", float64(total(sales[:len(sales)/100]))/n, 0.09, 0.04)
	near("the better half of the items' share", float64(total(sales[:len(sales)/2]))/n, 0.82, 0.05)

	sessions := s.sessions()
	near("events a session", n/float64(len(sessions)), 1.57, 0.05)
	again, back, steps, pauses := 0.0, 0.0, 0.0, []int64{}
	for _, session := range sessions {
		seen := map[string]bool{}
		for i, e := range session {
			if i > 0 {
				steps++
				pauses = append(pauses, e.Timestamp-session[i-1].Timestamp)
				if e.ItemID == session[i-1].ItemID {
					again++
				} else if seen[e.ItemID] {
					back++
				}
			}
			seen[e.ItemID] = true
		}
	}
	slices.Sort(pauses)
	near("steps to the same item", again/steps, 0.264, 0.07)
	near("steps back to an earlier item", back/steps, 0.146, 0.04)
	near("median pause in seconds", float64(pauses[len(pauses)/2])/1000, 70, 15)

	hours := make([]float64, 24)
	for _, e := range s.events {
		hours[time.UnixMilli(e.Timestamp).UTC().Hour()]++
	}
	for h, got := range hours {
		near("share of an hour of the day", got/n, float64(hourShare[h])/1053, 0.006)
	}
}

func TestOrderOfTime(t *testing.T) {
	t.Parallel()
	s := generate(t, Settings{Events: 50_000, Seed: 3})
	first, last, latest, late := s.events[0].Timestamp, int64(0), int64(0), 0
	of := map[string]int64{}
	for i, e := range s.events {
		first, last = min(first, e.Timestamp), max(last, e.Timestamp)
		if e.Timestamp < latest {
			late++
		}
		latest = max(latest, e.Timestamp)
		if latest-e.Timestamp > disorder {
			t.Fatalf("row %d comes %d ms after a later one, more than %d", i+1, latest-e.Timestamp, int64(disorder))
		}
		if e.Timestamp < of[e.VisitorID] {
			t.Fatalf("row %d: visitor %s goes back in time", i+1, e.VisitorID)
		}
		of[e.VisitorID] = e.Timestamp
	}
	if first != First || last != Last {
		t.Errorf("from %d to %d, want %d to %d", first, last, First, Last)
	}
	if late == 0 || late > len(s.events)*2/3 {
		t.Errorf("%d of %d rows come after a later one", late, len(s.events))
	}
}

func TestTheFunnel(t *testing.T) {
	t.Parallel()
	s := generate(t, Settings{Events: 100_000, Seed: 4})
	type pair struct{ visitor, item string }
	viewed, carted := map[pair]bool{}, map[pair]bool{}
	order := map[string]event.Event{}
	carts, lines, afterCart := 0, 0, 0
	for _, e := range s.events {
		p := pair{e.VisitorID, e.ItemID}
		switch e.Event {
		case event.View:
			viewed[p] = true
			continue
		case event.AddToCart:
			carts++
			carted[p] = true
		case event.Transaction:
			lines++
			if carted[p] {
				afterCart++
			}
			if o, ok := order[e.TransactionID]; ok && (o.VisitorID != e.VisitorID || o.Timestamp != e.Timestamp) {
				t.Fatalf("order %s is of two visitors or moments", e.TransactionID)
			}
			order[e.TransactionID] = e
		}
		if !viewed[p] {
			t.Fatalf("visitor %s: %s of item %s without a view before", e.VisitorID, e.Event, e.ItemID)
		}
	}
	if float64(afterCart) < 0.9*float64(lines) || afterCart == lines {
		t.Errorf("%d of %d order lines follow a cart, want most but not all", afterCart, lines)
	}
	if perOrder := float64(lines) / float64(len(order)); perOrder < 1.1 || perOrder > 1.6 {
		t.Errorf("%.2f lines an order, the real file has 1.27", perOrder)
	}
}

// Items come and go: of the best sellers of the first month, many are no longer among those of the last.
func TestItemsAppearAndFade(t *testing.T) {
	t.Parallel()
	s := generate(t, Settings{Events: 100_000, Seed: 5})
	const month = 30 * 24 * hour
	early, late := map[string]int{}, map[string]int{}
	for _, e := range s.events {
		if e.Timestamp < First+month {
			early[e.ItemID]++
		}
		if e.Timestamp > Last-month {
			late[e.ItemID]++
		}
	}
	const most = 100
	was, is := best(early, most), best(late, most)
	kept, fresh := 0, 0
	for _, item := range is {
		if slices.Contains(was, item) {
			kept++
		}
		if early[item] == 0 {
			fresh++
		}
	}
	if kept > most*3/4 || kept < most/20 {
		t.Errorf("%d of the last month's %d best sellers were among the first month's", kept, most)
	}
	if fresh < most/20 {
		t.Errorf("%d of the last month's %d best sellers are new", fresh, most)
	}
}

func TestEveryItemHasALeafOfTheTree(t *testing.T) {
	t.Parallel()
	s := generate(t, Settings{Events: 50_000, Seed: 6})
	hasChildren := map[string]bool{}
	roots := 0
	for category, parent := range s.tree {
		hasChildren[parent] = true
		if parent == "" {
			roots++
		}
		for steps := 0; parent != ""; steps++ {
			next, known := s.tree[parent]
			if !known || steps == len(s.tree) {
				t.Fatalf("category %s does not lead to a root", category)
			}
			parent = next
		}
	}
	if roots == 0 || roots == len(s.tree) {
		t.Errorf("%d of %d categories are roots", roots, len(s.tree))
	}
	for item := range s.items() {
		category, ok := s.categories[item]
		if !ok {
			t.Fatalf("item %s has no category", item)
		}
		if _, ok := s.tree[category]; !ok || hasChildren[category] {
			t.Fatalf("item %s: category %s is not a leaf of the tree", item, category)
		}
	}
	if len(s.categories) != len(s.items()) {
		t.Errorf("%d items have a category, %d have events", len(s.categories), len(s.items()))
	}
}

func descending(counts map[string]int) []int {
	return slices.SortedFunc(maps.Values(counts), func(a, b int) int { return b - a })
}

// best are the keys with the greatest counts, equal ones by name.
func best(counts map[string]int, n int) []string {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	return keys[:min(n, len(keys))]
}

func total(counts []int) (sum int) {
	for _, c := range counts {
		sum += c
	}
	return sum
}

func share(counts []int, is func(int) bool) float64 {
	n := 0
	for _, c := range counts {
		if is(c) {
			n++
		}
	}
	return float64(n) / float64(len(counts))
}
