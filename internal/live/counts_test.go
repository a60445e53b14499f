package live

import (
	"fmt"
	"math"
	"testing"
	"time"

	"cartwheel/internal/event"
)

// Each figure is the sum over its events of e^(-age/window), in whatever order they come.
func TestCountsDecay(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	c := newCounts(10, time.Time{}, func() time.Time { return now })
	at := func(ago time.Duration) int64 { return now.Add(-ago).UnixMilli() }
	c.Add("a", event.View, at(0))
	c.Add("a", event.View, at(2*time.Hour)) // late
	c.Add("a", event.Transaction, at(time.Hour))
	c.Add("b", event.View, at(30*time.Minute))
	c.Add("c", event.View, at(1000*time.Hour))
	c.Add("a", "nonsense", at(0))
	for _, want := range []struct {
		window, kind string
		a            float64
	}{{"1h", event.View, 1 + math.Exp(-2)}, {"1h", "", 1 + math.Exp(-2) + math.Exp(-1)}, {"24h", "", 1 + math.Exp(-2./24) + math.Exp(-1./24)}} {
		got := c.Popular(want.window, want.kind)
		if len(got) != 2 || got[0].ItemID != "a" || math.Abs(got[0].Score-want.a) > 1e-4 || got[1].ItemID != "b" {
			t.Errorf("%s %s: got %v, want a with %v, then b", want.window, want.kind, got, want.a)
		}
	}
	if got := c.Popular("7d", ""); len(got) != 3 {
		t.Errorf("in a week: %v", got)
	}
	// Rankings are given out for a second.
	c.Add("b", event.View, at(0))
	c.Add("b", event.View, at(0))
	if got := c.Popular("1h", event.View); got[0].ItemID != "a" {
		t.Errorf("at once: %v", got)
	}
	now = now.Add(rankingAge)
	if got := c.Popular("1h", event.View); got[0].ItemID != "b" {
		t.Errorf("a second later: %v", got)
	}
}

// What comes faster than before trends; what always came so does not, however often.
func TestTrends(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	for _, hours := range []int{2, 24, 24 * 30} { // that a server has been counting: from a bounded time before its start on
		c := newCounts(10, now.Add(-time.Duration(hours)*time.Hour), func() time.Time { return now })
		for hour := range hours {
			for minute := 1; minute < 60; minute += 2 {
				c.Add("steady", event.View, now.Add(-time.Duration(hour)*time.Hour-time.Duration(minute)*time.Minute).UnixMilli())
			}
		}
		for range 40 {
			c.Add("rising", event.View, now.UnixMilli())
		}
		c.Add("once", event.View, now.UnixMilli())
		got := c.Trending()
		if len(got) < 2 || got[0].ItemID != "rising" || got[0].Score < 1.5 || got[1].ItemID == "rising" || got[1].Score > 1.3 {
			t.Errorf("after %d hours: %v", hours, got)
		}
		if want := (40 + 5) / (40./168 + 5); hours > 24 && math.Abs(got[0].Score-want) > 0.05 {
			t.Errorf("the rise is %v, want %v", got[0].Score, want)
		}
		for _, one := range got {
			if one.ItemID == "steady" && one.Score > 1.01 {
				t.Errorf("after %d hours what is wanted evenly trends: %v", hours, one)
			}
		}
	}
}

func TestCountsAreBounded(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	c := newCounts(100, time.Time{}, func() time.Time { return now })
	for range 3 {
		c.Add("wanted", event.View, now.UnixMilli())
	}
	for i := range 10_000 {
		c.Add(fmt.Sprint("flood-", i), event.View, now.UnixMilli())
	}
	if c.Items() > 100 || c.Popular("7d", "")[0].ItemID != "wanted" {
		t.Errorf("%d items, first %v", c.Items(), c.Popular("7d", "")[0])
	}
}

// An event that bears a time from the future takes nothing from those that have happened.
func TestCountsOfAClockThatRunsAhead(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	c := newCounts(10, time.Time{}, func() time.Time { return now })
	for range 9 {
		c.Add("wanted", event.View, now.UnixMilli())
	}
	c.Add("wanted", event.View, event.MaxTimestamp)
	c.Add("wanted", event.View, now.UnixMilli())
	for _, window := range Windows {
		if got := c.Popular(window.Name, ""); len(got) != 1 || math.Abs(got[0].Score-11) > 1e-4 {
			t.Errorf("%s: got %v, want 11 events", window.Name, got)
		}
	}
}
