package live

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"cartwheel/internal/event"
)

func view(visitor, item, id string, at int64) *event.Event {
	return &event.Event{Timestamp: at, VisitorID: visitor, Event: event.View, ItemID: item, EventID: id}
}

const later = 1 << 50 // when the events come, long after they happened

// What is kept is the newest events, whatever their order and however often each comes.
func TestNeitherOrderNorRepeatsMatter(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(3, 4))
	for round := range 200 {
		h := newHistory(10)
		n := 1 + dice.IntN(120)
		type came struct {
			e      *event.Event
			offset int64
		}
		var sent []came
		for i := range n {
			sent = append(sent, came{view("anna", fmt.Sprint("item-", i), fmt.Sprint("id-", i), 1+dice.Int64N(60)), int64(i)})
		}
		for _, s := range sent {
			h.Add(s.e, 2, s.offset, later)
		}
		want, _ := h.Of("anna")
		if len(want) != min(n, maxEvents) {
			t.Fatalf("round %d: %d of %d events are kept", round, len(want), n)
		}
		oldest := want[0].At
		newer := 0
		for _, s := range sent {
			if s.e.Timestamp > oldest {
				newer++
			}
		}
		if newer > len(want) {
			t.Fatalf("round %d: %d events are newer than the oldest of the %d kept", round, newer, len(want))
		}
		other := &History{seed: h.seed, maxVisitors: 10, maxBytes: 1 << 20, visitors: map[string]*visitor{}, erased: map[string]struct{}{}}
		other.ends.prev, other.ends.next = &other.ends, &other.ends
		again := append(append([]came{}, sent...), sent...)
		dice.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		for _, s := range again {
			other.Add(s.e, 2, s.offset, later)
		}
		if got, _ := other.Of("anna"); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: shuffled and repeated, other events are kept:\n%v\n%v", round, got, want)
		}
		for _, s := range sent {
			if h.Add(s.e, 2, s.offset, later) {
				t.Fatalf("round %d: a repeat of %s changed something", round, s.e.EventID)
			}
		}
	}
}

// Events of the same time stay in the order in which they came to the topic, in every history.
func TestEventsOfOneTimeStayInOrder(t *testing.T) {
	t.Parallel()
	for range 20 {
		h := newHistory(10)
		for i := range 2 * maxEvents {
			h.Add(view("anna", fmt.Sprint("item-", i), fmt.Sprint("id-", i), 1000), 1, int64(i), later)
		}
		got, _ := h.Of("anna")
		for i, e := range got {
			if want := fmt.Sprint("item-", maxEvents+i); len(got) != maxEvents || e.ItemID != want {
				t.Fatalf("%d events are kept, place %d of them is %s, want %s", len(got), i, e.ItemID, want)
			}
		}
	}
}

// A clock that runs ahead does not make an event newer than its arrival.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	h := newHistory(10)
	h.Add(view("anna", "from-the-future", "1", event.MaxTimestamp), 0, 0, 1000)
	h.Add(view("anna", "now", "2", 2000), 0, 1, 2000)
	h.Add(view("anna", "back", "3", 500), 0, 2, 3000)
	got, _ := h.Of("anna")
	if len(got) != 3 || got[0].ItemID != "back" || got[1].ItemID != "from-the-future" || got[1].At != 1000 || got[2].ItemID != "now" {
		t.Errorf("got %v", got)
	}
}

func TestEventsAreKeptAsTheyAre(t *testing.T) {
	t.Parallel()
	h := newHistory(10)
	long := strings.Repeat("ü", event.MaxIDBytes/2)
	h.Add(&event.Event{Timestamp: 5, VisitorID: long, Event: event.Transaction, ItemID: long, EventID: long}, 1<<20, 1<<60, later)
	got, _ := h.Of(long)
	if len(got) != 1 || got[0].ItemID != long || got[0].Kind != event.Transaction || got[0].At != 5 || got[0].Partition != 1<<20 || got[0].Offset != 1<<60 {
		t.Errorf("got %v", got)
	}
}

// A flood of visitors makes the least recent ones go; a flood of one visitor's events makes nobody go.
func TestFloods(t *testing.T) {
	t.Parallel()
	h := newHistory(100)
	for i := range 10_000 {
		h.Add(view(fmt.Sprint("v", i), "i", fmt.Sprint(i), 1), 0, int64(i), later)
	}
	if s := h.Size(); s.Visitors != 100 || s.Evicted != 9900 {
		t.Errorf("after a flood of visitors: %+v", s)
	}
	for _, i := range []int{9900, 9999} {
		if got, _ := h.Of(fmt.Sprint("v", i)); len(got) != 1 {
			t.Errorf("visitor %d, one of the last 100, has %v", i, got)
		}
	}
	for i := range 100_000 {
		h.Add(view("v9999", fmt.Sprint("i", i), fmt.Sprint("f", i), int64(i+2)), 0, int64(i), later)
	}
	if got, _ := h.Of("v9999"); len(got) != maxEvents || got[maxEvents-1].ItemID != "i99999" || h.Size().Visitors != 100 {
		t.Errorf("after a flood of one visitor: %d events, %+v", len(got), h.Size())
	}
	// Visitors with many events of long ids are fewer, for the memory is bounded, too.
	long := strings.Repeat("x", 120)
	for v := range 100 {
		for i := range 60 {
			h.Add(view(fmt.Sprint("w", v), fmt.Sprint(long, i), fmt.Sprint(v, "-", i), int64(i+1)), 0, int64(i), later)
		}
	}
	if s := h.Size(); s.Bytes > 100*bytesPerVisitor || s.Visitors < 5 || s.Visitors > 30 {
		t.Errorf("after a flood of long ids: %+v", s)
	}
}

func TestErasedVisitorsStayAway(t *testing.T) {
	t.Parallel()
	h := newHistory(10)
	h.Add(view("anna", "a", "1", 1), 0, 0, later)
	h.Erase("anna")
	h.Erase("anna")
	if got, erased := h.Of("anna"); got != nil || !erased {
		t.Errorf("got %v, %v", got, erased)
	}
	if h.Add(view("anna", "a", "2", 2), 0, 1, later) {
		t.Error("an event of hers changed something")
	}
	if s := h.Size(); s.Visitors != 0 || s.Bytes != 0 || s.Erased != 1 {
		t.Errorf("%+v", s)
	}
}

// What a history says that it holds is what it takes, so that its bound is one of the memory. No other test runs beside this one.
func TestBytesAreThoseInUse(t *testing.T) {
	for _, events := range []int{1, 3, maxEvents} {
		for _, visitors := range []int{2_000, 3_000, 4_000} { // a map doubles at times
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			h := newHistory(2 * visitors)
			for i := range events {
				for v := range visitors {
					h.Add(view(fmt.Sprint("visitor-", v), fmt.Sprint(i*v), fmt.Sprint(i, "-", v), 1_700_000_000_000+int64(i)), int32(v%6), int64(v), later)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			said := h.Size().Bytes
			if taken := float64(after.HeapAlloc - before.HeapAlloc); taken > 1.15*float64(said) || taken < 0.6*float64(said) {
				t.Errorf("%d visitors of %d events take %.0f bytes, and %d are said", visitors, events, taken, said)
			}
			runtime.KeepAlive(h)
		}
	}
}

// BenchmarkBytesPerVisitor fills a history as RetailRocket's visitors would, most of whom have few events, and measures the memory.
func BenchmarkBytesPerVisitor(b *testing.B) {
	for name, events := range map[string]func(*rand.Rand) int{
		"few":  func(r *rand.Rand) int { return min(maxEvents, 1+int(r.ExpFloat64()*1.5)) },
		"full": func(*rand.Rand) int { return maxEvents },
	} {
		b.Run(name, func(b *testing.B) {
			const visitors = 200_000
			for range b.N {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				h, dice, n := newHistory(visitors), rand.New(rand.NewPCG(1, 2)), 0
				for v := range visitors {
					for range events(dice) {
						h.Add(view(fmt.Sprint(v), fmt.Sprint(dice.IntN(400_000)), fmt.Sprintf("%024x", n), 1_700_000_000_000+int64(n)), int32(v%6), int64(n/6), later)
						n++
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				held := h.Size()
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(held.Visitors), "bytes/visitor")
				b.ReportMetric(float64(held.Bytes)/float64(held.Visitors), "reckoned/visitor")
				b.ReportMetric(float64(held.Visitors), "visitors")
				b.ReportMetric(float64(n)/float64(visitors), "events/visitor")
			}
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	h := newHistory(1_000_000)
	dice := rand.New(rand.NewPCG(1, 2))
	const n = 1 << 16
	events := make([]*event.Event, n)
	for i := range events {
		events[i] = view(fmt.Sprint(dice.IntN(20_000)), fmt.Sprint(dice.IntN(400_000)), "", 0)
	}
	b.ResetTimer()
	for i := range b.N {
		e := events[i%n]
		e.EventID, e.Timestamp = fmt.Sprint(i), int64(i+1)
		h.Add(e, 0, int64(i), later)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
