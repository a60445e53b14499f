package features

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"cartwheel/internal/event"
)

// visits draws what a visitor did in some days, in order of time.
func visits(draw *rand.Rand, n int) (events []event.Event) {
	for range n {
		events = append(events, event.Event{Timestamp: monday + draw.Int64N(20*24*hour), Event: event.Kinds[draw.IntN(3)], ItemID: fmt.Sprint(draw.IntN(6))})
	}
	slices.SortFunc(events, func(a, b event.Event) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return events
}

// metIn tells which items a visitor has touched.
func metIn(events []event.Event) func(string) bool {
	return func(id string) bool {
		return slices.ContainsFunc(events, func(e event.Event) bool { return e.ItemID == id })
	}
}

// All that a profile can tell exactly is what the profile of all events would say; the rest is possible.
func TestExtend(t *testing.T) {
	t.Parallel()
	draw := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		events := visits(draw, 1+draw.IntN(12))
		known := draw.IntN(len(events) + 1)
		w := Window{monday, monday + 20*24*hour}
		made := Window{w.From, w.At}
		if known < len(events) {
			made.At = events[known].Timestamp
			for known > 0 && events[known-1].Timestamp == made.At {
				known--
			}
		}
		before, later := events[:known], events[known:]
		p := ProfileOf(before, made)
		got, want := Extend(p, metIn(before), later, w), ProfileOf(events, w)
		if err := got.Check(); err != nil {
			t.Fatalf("%v and then %v: %v: %+v", before, later, err, got)
		}
		exact := got
		exact.Viewed, exact.Carted, exact.Bought, exact.ViewedCarted, exact.CartedBought = want.Viewed, want.Carted, want.Bought, want.ViewedCarted, want.CartedBought
		if p.RecentEvents != ProfileOf(before, w).RecentEvents {
			exact.RecentEvents, exact.RecentCarts = want.RecentEvents, want.RecentCarts // the moment has moved on: they may have ceased to be recent
		}
		if exact != want {
			t.Fatalf("%v and then %v:\ngot  %+v\nwant %+v", before, later, got, want)
		}
		if known == 0 && got != want || len(later) == 0 && got.Items != want.Items {
			t.Fatalf("with only one side: got %+v, want %+v", got, want)
		}
	}
}

// A visitor who looks, fills the cart and buys, as most do, has the very profile of all events wherever it was split.
func TestExtendAsVisitorsDo(t *testing.T) {
	t.Parallel()
	events := []event.Event{
		{Timestamp: monday, Event: event.View, ItemID: "a"},
		{Timestamp: monday + 60_000, Event: event.View, ItemID: "b"},
		{Timestamp: monday + 120_000, Event: event.AddToCart, ItemID: "a"},
		{Timestamp: monday + 5*24*hour, Event: event.View, ItemID: "b"},
		{Timestamp: monday + 5*24*hour + 1000, Event: event.AddToCart, ItemID: "b"},
		{Timestamp: monday + 5*24*hour + 2000, Event: event.Transaction, ItemID: "b"},
		{Timestamp: monday + 6*24*hour, Event: event.Transaction, ItemID: "a"},
	}
	w := Window{monday, monday + 6*24*hour + 1}
	want := ProfileOf(events, w)
	for known := range events {
		p := ProfileOf(events[:known], Window{w.From, events[known].Timestamp})
		if got := Extend(p, metIn(events[:known]), events[known:], w); got != want {
			t.Errorf("after %d events: got %+v\nwant %+v", known, got, want)
		}
	}
	p := ProfileOf(events[:3], Window{monday, monday + hour})
	late := Window{monday + 24*hour, w.At}
	if got, want := Extend(p, metIn(events[:3]), events[3:], late), ProfileOf(events, late); got != want {
		t.Errorf("what lies before the window counts: %+v, want %+v", got, want)
	}
}

// A profile that reaches into the window lies in it whole, and stays possible.
func TestExtendOfAWindowThatMoves(t *testing.T) {
	t.Parallel()
	draw := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		events := visits(draw, 2+draw.IntN(10))
		known := 1 + draw.IntN(len(events)-1)
		made := Window{monday, events[known-1].Timestamp + 1}
		w := Window{monday + draw.Int64N(15*24*hour), monday + 20*24*hour}
		got := Extend(ProfileOf(events[:known], made), metIn(events[:known]), events[known:], w)
		if err := got.Check(); err != nil {
			t.Fatalf("%v, %d known, %v: %v: %+v", events, known, w, err, got)
		}
		if got.Events() > 0 && (got.FirstSeen < w.From || got.LastSeen >= w.At) {
			t.Fatalf("%+v is not in %v", got, w)
		}
	}
}

func TestWindowCheck(t *testing.T) {
	t.Parallel()
	w := Window{monday, monday + 20*24*hour}
	draw := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		if events := visits(draw, draw.IntN(8)); w.Check(ProfileOf(events, w)) != nil {
			t.Fatalf("the profile of %v cannot be: %v", events, w.Check(ProfileOf(events, w)))
		}
	}
}
