package live

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"cartwheel/internal/event"
)

// Windows are the spans of time over which items are counted, by name. An event weighs e^(-age/window): one that has just happened
// counts whole, one that is a window old a third, one that is three windows old a twentieth. So one number an item is enough, where a
// window with edges would have to remember every event until it leaves.
var Windows = []Window{{"1h", time.Hour}, {"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}}

// Window is a span of time over which items are counted.
type Window struct {
	Name string
	Span time.Duration
}

// HasWindow reports whether there is a window of that name.
func HasWindow(name string) bool { return windowOf(name) >= 0 }

func windowOf(name string) int {
	return slices.IndexFunc(Windows, func(w Window) bool { return w.Name == name })
}

const (
	short, long = 0, 2 // of Windows, for trends
	windows     = 3
	kinds       = 3
	// trendPrior is how many expected events a trend has to its name before it has any.
	trendPrior = 5
	// rankingAge is how old a ranking may be that is given out again: sorting for each request would cost more than the request.
	rankingAge = time.Second
)

// maxItems is how many items are counted. When there are more, the least wanted tenth is forgotten.
const maxItems = 200_000

// Wanted is an item and how much it is wanted.
type Wanted struct {
	ItemID string
	Score  float64
}

// Counts are decayed counts of every item's events, by kind and window. They are safe for concurrent use.
type Counts struct {
	maxItems int
	since    time.Time // from when on all events are counted
	now      func() time.Time

	mu    sync.Mutex
	items map[string]*counted

	ranking  sync.Mutex // apart, for events need not wait while items are sorted
	rankings map[string]ranking
}

type counted struct {
	at int64                   // Unix ms, of the figures
	n  [kinds][windows]float32 // by kind of event and window
}

type ranking struct {
	made time.Time
	list []Wanted
}

// newCounts counts up to so many items, of the events since a time, by that clock.
func newCounts(items int, since time.Time, now func() time.Time) *Counts {
	return &Counts{maxItems: items, since: since, now: now, items: map[string]*counted{}, rankings: map[string]ranking{}}
}

// Add counts an event of an item at a time (Unix ms), one from the future as of now: the item's other events would have aged until then.
// Whoever calls it sees to it that each event is counted once.
func (c *Counts) Add(item, kind string, at int64) {
	k := slices.Index(event.Kinds, kind)
	if k < 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at = min(at, c.now().UnixMilli())
	one := c.items[item]
	if one == nil {
		if len(c.items) >= c.maxItems {
			c.forget()
		}
		one = &counted{at: at}
		c.items[string([]byte(item))] = one
	}
	if at > one.at {
		one.age(at)
	}
	for w := range Windows {
		one.n[k][w] += decay(one.at-at, w) // an event that comes late has aged already
	}
}

// age brings the figures to a later time.
func (one *counted) age(at int64) {
	for w := range Windows {
		d := decay(at-one.at, w)
		for k := range one.n {
			one.n[k][w] *= d
		}
	}
	one.at = at
}

func decay(ms int64, window int) float32 {
	return float32(math.Exp(-float64(ms) / float64(Windows[window].Span/time.Millisecond)))
}

// forget makes room by a tenth: by the items least wanted over the longest window.
func (c *Counts) forget() {
	now := c.now().UnixMilli()
	all := make([]Wanted, 0, len(c.items))
	for id, one := range c.items {
		all = append(all, Wanted{id, one.of("", long, now)})
	}
	slices.SortFunc(all, moreWanted)
	for _, least := range all[c.maxItems-max(1, c.maxItems/10):] {
		delete(c.items, least.ItemID)
	}
}

// of is a figure as of a time; of all kinds together where none is named.
func (one *counted) of(kind string, window int, now int64) (n float64) {
	for k, name := range event.Kinds {
		if kind == "" || kind == name {
			n += float64(one.n[k][window])
		}
	}
	return n * float64(decay(max(0, now-one.at), window))
}

// Popular lists the items that are wanted in a window, by one kind of event or by all (""), most wanted first. The list is up to a
// second old, and not to be changed.
func (c *Counts) Popular(window, kind string) []Wanted {
	w := windowOf(window)
	return c.ranked(window+" "+kind, func(one *counted, now int64) float64 { return one.of(kind, w, now) })
}

// Trending lists the items that are wanted more in the last hour than the last week lets expect, the largest rise first:
//
//	(n + a) / (E + a)
//
// with n the events of the short window, E what the long one leads to expect in it, and a = 5. It is the mean of what an item's true
// rise may be, if rises are spread about 1 by Gamma(a, a): DuMouchel 1999, "Bayesian Data Mining in Large Frequency Tables", with one
// component. So few events make no trend. Where less than the long window has been counted, E is what that leads to expect: what is
// wanted evenly all the time does not trend when a server starts.
func (c *Counts) Trending() []Wanted {
	known := c.now().Sub(c.since)
	share := filled(short, known) / filled(long, known)
	return c.ranked("trending", func(one *counted, now int64) float64 {
		n := one.of("", short, now)
		if rise := (n + trendPrior) / (one.of("", long, now)*share + trendPrior); rise > 1 {
			return rise
		}
		return 0
	})
}

// filled is how many events a window counts where one a nanosecond has come for some time.
func filled(window int, known time.Duration) float64 {
	span := float64(Windows[window].Span)
	return -span * math.Expm1(-max(1, float64(known))/span)
}

func (c *Counts) ranked(name string, score func(*counted, int64) float64) []Wanted {
	c.ranking.Lock()
	defer c.ranking.Unlock()
	now := c.now()
	if r, ok := c.rankings[name]; ok && now.Sub(r.made) >= 0 && now.Sub(r.made) < rankingAge {
		return r.list
	}
	const least = 1e-3 // of an event: what is less is long ago
	var list []Wanted
	c.mu.Lock()
	for id, one := range c.items {
		if s := score(one, now.UnixMilli()); s > least {
			list = append(list, Wanted{id, s})
		}
	}
	c.mu.Unlock()
	slices.SortFunc(list, moreWanted)
	c.rankings[name] = ranking{now, list}
	return list
}

func moreWanted(a, b Wanted) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ItemID, b.ItemID))
}

// Items is how many items are counted.
func (c *Counts) Items() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.items)
}
