package features

import (
	"math"
	"slices"
	"testing"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/model"
)

const hour = int64(time.Hour / time.Millisecond)

// monday is the first of June 2015, 00:00 UTC.
const monday = int64(1433116800000)

func TestProfileOf(t *testing.T) {
	t.Parallel()
	saturday := monday + 5*24*hour
	events := []event.Event{ // in no order
		{Timestamp: saturday + 19*hour, Event: event.Transaction, ItemID: "a"},
		{Timestamp: monday + 7*hour, Event: event.View, ItemID: "a"},
		{Timestamp: monday + 7*hour + 10, Event: event.View, ItemID: "b"},
		{Timestamp: monday + 8*hour, Event: event.AddToCart, ItemID: "a"},      // after a pause: a session of its own
		{Timestamp: saturday + 13*hour, Event: event.AddToCart, ItemID: "c"},   // never looked at
		{Timestamp: monday - 1, Event: event.Transaction, ItemID: "before"},    // before the window
		{Timestamp: saturday + 20*hour, Event: event.Transaction, ItemID: "b"}, // at its end: not in it
	}
	w := Window{monday, saturday + 20*hour}
	got := ProfileOf(events, w)
	want := model.Profile{FirstSeen: monday + 7*hour, LastSeen: saturday + 19*hour, Views: 2, Carts: 2, Orders: 1, Items: 3, Viewed: 2, Carted: 2,
		Bought: 1, ViewedCarted: 1, CartedBought: 1, Sessions: 4, RecentEvents: 2, RecentCarts: 1, Morning: 3, Afternoon: 1, Evening: 1, Weekend: 2}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
	values := map[string]float64{}
	for i, v := range Values(got, w.At) {
		values[VisitorNames()[i]] = v
	}
	for name, want := range map[string]float64{"views": 2, "addtocarts": 2, "transactions": 1, "items": 3, "sessions": 4, "recency_days": 1.0 / 24,
		"tenure_days": 5 + 13.0/24, "events_per_session": 1.25, "events_per_item": 5.0 / 3, "cart_rate": 0.4, "view_to_cart": 0.5, "cart_to_buy": 0.5,
		"open_carts": 1, "recent_events": 2, "recent_addtocarts": 1, "morning_share": 0.6, "afternoon_share": 0.2, "evening_share": 0.2, "weekend_share": 0.4} {
		if math.Abs(values[name]-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, values[name], want)
		}
	}
	if len(values) != 19 {
		t.Errorf("%d features have names of their own, want 19", len(values))
	}
}

// TestNothingLaterMatters is the test for leakage: whatever happens from the window's end on, the features stay.
func TestNothingLaterMatters(t *testing.T) {
	t.Parallel()
	w := Window{monday, monday + 48*hour}
	events := []event.Event{{Timestamp: monday, Event: event.View, ItemID: "a"}, {Timestamp: w.At - 1, Event: event.AddToCart, ItemID: "a"}}
	before := Values(ProfileOf(events, w), w.At)
	events = append(events, event.Event{Timestamp: w.At, Event: event.Transaction, ItemID: "a"}, event.Event{Timestamp: w.At + hour, Event: event.View, ItemID: "z"})
	if after := Values(ProfileOf(events, w), w.At); !slices.Equal(before, after) {
		t.Errorf("features %v became %v by later events", before, after)
	}
}

func TestAgesAreNeverBelowZero(t *testing.T) {
	t.Parallel()
	p := ProfileOf([]event.Event{{Timestamp: monday + hour, Event: event.View, ItemID: "a"}}, Window{monday, monday + 2*hour})
	for i, v := range Values(p, monday) { // the moment lies before the event
		if v < 0 {
			t.Errorf("%s is %v", VisitorNames()[i], v)
		}
	}
}

func TestNobodyDidAnything(t *testing.T) {
	t.Parallel()
	p := ProfileOf(nil, Window{monday, monday + hour})
	if p != (model.Profile{}) {
		t.Errorf("the profile of no events is %+v", p)
	}
	for i, v := range Values(p, monday) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Errorf("%s is %v", VisitorNames()[i], v)
		}
	}
}
