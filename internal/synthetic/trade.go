package synthetic

import (
	"container/heap"

	"cartwheel/internal/event"
)

// trade plays all visitors at once, in order of time: whoever is due acts and is then due again later, or done.
type trade struct {
	*Shop
	journal *journal
	due     queue
	counts  Counts
}

func newTrade(s *Shop, j *journal) *trade { return &trade{Shop: s, journal: j} }

// run plays to the end, or until the journal has failed.
func (t *trade) run() {
	arrived := 0
	arrival := t.arrival(arrived)
	duplicate := t.nextDuplicate()
	for made := 0; t.journal.err == nil; made++ {
		for arrived < t.sizes.Visitors && (len(t.due) == 0 || arrival <= t.due[0].next) {
			heap.Push(&t.due, t.enter(arrived, arrival))
			arrived++
			arrival = t.arrival(arrived)
		}
		if len(t.due) == 0 {
			return
		}
		v := t.due[0]
		r := t.act(v)
		t.journal.add(v.arrival, r)
		if made == duplicate {
			t.journal.add(v.arrival, r)
			t.counts.Duplicates++
			duplicate = t.nextDuplicate()
		}
		if v.left == 0 {
			heap.Pop(&t.due)
		} else {
			heap.Fix(&t.due, 0)
		}
	}
}

// arrival is when the k-th visitor comes: the first at First, the last at Last, each early enough for all that they will do.
func (t *trade) arrival(k int) int64 {
	switch {
	case k == 0 || k >= t.sizes.Visitors:
		return First
	case k == t.sizes.Visitors-1:
		return Last
	}
	at := t.clock.arrival(k, t.sizes.Visitors, t.dice.below(1000))
	return min(at, Last-int64(t.crowd.events[k])+1)
}

// nextDuplicate draws which event will be logged twice: one in each of as many equal stretches as there are duplicates.
func (t *trade) nextDuplicate() int {
	n := t.sizes.Duplicates
	if t.counts.Duplicates == n {
		return -1
	}
	stretch := (t.sizes.Events - n) / n
	return t.counts.Duplicates*stretch + t.dice.below(stretch)
}

// count keeps the funnel's figures.
func (t *trade) count(kind string) {
	switch kind {
	case event.View:
		t.counts.Views++
	case event.AddToCart:
		t.counts.Carts++
	case event.Transaction:
		t.counts.OrderLines++
	}
}

// steer scales a chance so that a kind of event keeps to its share of the real file: up when there have been too few, down when
// too many. People would otherwise have to be tuned anew for each size.
func (t *trade) steer(permille, have, realCount int) int {
	made := t.counts.Views + t.counts.Carts + t.counts.OrderLines
	missing := int(mulDiv(uint64(made), uint64(realCount), realEvents)) - have
	return max(0, min(900, permille*min(8000, max(0, 1000+40*missing))/1000))
}

// queue is a heap of the visitors who are in the shop or will come back, by when they act next. Of two at the same moment the one who
// arrived earlier goes first, so that there is but one order.
type queue []*visitor

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].next < q[j].next || q[i].next == q[j].next && q[i].arrival < q[j].arrival
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(v any)   { *q = append(*q, v.(*visitor)) }
func (q *queue) Pop() any {
	old := *q
	v := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return v
}
