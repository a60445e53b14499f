// Package live keeps what visitors do now: the newest events of each, from the topic, and how much each item is wanted in the last
// hour, day and week; and it takes new events to the topic.
//
// It promises that memory stays within its bounds whatever comes; that what it holds of a visitor follows from the events alone,
// whatever their order and however often each is delivered; that a visitor who was erased is gone at once and stays so; and that it
// goes on by itself once a broker that was away is back. It holds nothing on disk: a new process reads the topic again, from a
// bounded time back. What is recommended from it is the business of package recommend.
package live

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"

	"cartwheel/internal/event"
)

const (
	// maxEvents is how many events of a visitor are kept, the newest.
	maxEvents = 50
	// bytesPerVisitor is how much memory a visitor may take on average, with everything that the visitor costs.
	bytesPerVisitor = 1 << 10
	// visitorOverhead is what a visitor costs besides its id and its events: the struct and its entry in the map.
	visitorOverhead = 144
)

// Event is one event of a visitor.
type Event struct {
	ItemID    string
	Kind      string // one of event.Kinds
	At        int64  // Unix ms: when it happened, but no later than it came to the topic
	Partition int32  // of the topic
	Offset    int64
	id        uint64 // of the event's id
}

// History is the newest events of many visitors. When there are too many visitors, or they take too much memory, those go first of
// whom nothing has come for the longest. It is safe for concurrent use.
type History struct {
	seed        maphash.Seed
	maxVisitors int
	maxBytes    int

	mu       sync.Mutex
	visitors map[string]*visitor
	ends     visitor // of the ring of visitors, most recent first
	bytes    int
	erased   map[string]struct{}
	evicted  int64
	room     []byte  // for Add
	places   []place // likewise
}

// visitor is packed, for there are many: bytes without pointers cost the garbage collector nothing.
type visitor struct {
	id         string
	prev, next *visitor
	packed     []byte
}

// newHistory keeps up to so many visitors, in 1 KB each on average.
func newHistory(visitors int) *History {
	h := &History{seed: maphash.MakeSeed(), maxVisitors: visitors, maxBytes: visitors * bytesPerVisitor, visitors: map[string]*visitor{}, erased: map[string]struct{}{}}
	h.ends.prev, h.ends.next = &h.ends, &h.ends
	return h
}

// Add keeps an event that came to the topic at a place and time (Unix ms). It reports whether that changed anything: it does not
// where the event is there already, is older than the newest maxEvents of its visitor, or its visitor was erased. Nothing of e is
// held on to.
//
// What is kept of a visitor are the last events by time and, at the same time, by their places in the topic: clients send several at once,
// or know the time to the second alone. It is a set that neither order nor repeats change.
func (h *History) Add(e *event.Event, partition int32, offset, came int64) bool {
	added := Event{ItemID: e.ItemID, Kind: e.Event, At: min(e.Timestamp, came), Partition: partition, Offset: offset, id: maphash.String(h.seed, e.EventID)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, gone := h.erased[e.VisitorID]; gone {
		return false
	}
	v := h.visitors[e.VisitorID]
	if v == nil {
		v = &visitor{id: string([]byte(e.VisitorID))}
		h.visitors[v.id] = v
		h.bytes += visitorOverhead + len(v.id)
	} else {
		h.places = walk(h.places[:0], v.packed)
		for i := range h.places {
			if h.places[i].id == added.id {
				return false
			}
		}
		v.prev.next, v.next.prev = v.next, v.prev
	}
	v.prev, v.next = &h.ends, h.ends.next
	v.prev.next, v.next.prev = v, v
	kept := h.insert(v, &added)
	for len(h.visitors) > h.maxVisitors || h.bytes > h.maxBytes && len(h.visitors) > 1 {
		h.drop(h.ends.prev)
		h.evicted++
	}
	return kept
}

// insert puts an event among the packed ones, where h.places says that they are, and takes the oldest out if they are too many.
func (h *History) insert(v *visitor, e *Event) bool {
	if v.packed == nil {
		h.places = h.places[:0]
	}
	n := len(h.places)
	at, _ := slices.BinarySearchFunc(h.places, e, func(p place, e *Event) int {
		return cmp.Or(cmp.Compare(p.at, e.At), cmp.Compare(p.offset, e.Offset), cmp.Compare(p.id, e.id))
	})
	if at == 0 && n == maxEvents {
		return false
	}
	from, middle := 0, len(v.packed)
	if n == maxEvents {
		from = h.places[1].start
	}
	if at < n {
		middle = h.places[at].start
	}
	b := append(h.room[:0], v.packed[from:middle]...)
	b = pack(b, e)
	h.room = append(b, v.packed[middle:]...)
	h.bytes -= cap(v.packed)
	if cap(v.packed) < len(h.room) {
		v.packed = nil // append then takes as much as the memory's size classes give, and no more
	}
	v.packed = append(v.packed[:0], h.room...)
	h.bytes += cap(v.packed)
	return true
}

func (h *History) drop(v *visitor) {
	v.prev.next, v.next.prev = v.next, v.prev
	delete(h.visitors, v.id)
	h.bytes -= visitorOverhead + len(v.id) + cap(v.packed)
}

// Of returns what is kept of a visitor, oldest first, and whether the visitor was erased.
func (h *History) Of(visitor string) (events []Event, erased bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, gone := h.erased[visitor]; gone {
		return nil, true
	}
	v := h.visitors[visitor]
	if v == nil {
		return nil, false
	}
	events = unpack(make([]Event, 0, 8), v.packed)
	for i := range events {
		events[i].ItemID = string([]byte(events[i].ItemID)) // the packed bytes are written over
	}
	return events, false
}

// Erase forgets a visitor, for good.
func (h *History) Erase(visitor string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.erased[visitor] = struct{}{}
	if v := h.visitors[visitor]; v != nil {
		h.drop(v)
	}
}

// Size is how much a History holds.
type Size struct {
	Visitors int
	Bytes    int   // reckoned, not measured; a benchmark holds the one against the other
	Evicted  int64 // visitors that had to make room, so far
	Erased   int
}

// Size tells how much is held.
func (h *History) Size() Size {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Size{len(h.visitors), h.bytes, h.evicted, len(h.erased)}
}

// pack appends an event: id, time, partition, offset, kind, length of the item's id, the item's id.
func pack(b []byte, e *Event) []byte {
	b = binary.LittleEndian.AppendUint64(b, e.id)
	b = binary.AppendUvarint(b, uint64(e.At))
	b = binary.AppendUvarint(b, uint64(e.Partition))
	b = binary.AppendUvarint(b, uint64(e.Offset))
	b = append(b, byte(slices.Index(event.Kinds, e.Kind)), byte(len(e.ItemID)))
	return append(b, e.ItemID...)
}

// place is where a packed event begins, and what it is ordered by.
type place struct {
	start  int
	at     int64
	offset int64
	id     uint64
}

// walk appends the places of packed events.
func walk(places []place, b []byte) []place {
	for at := 0; at < len(b); {
		p := place{start: at, id: binary.LittleEndian.Uint64(b[at:])}
		at += 8
		time, n := binary.Uvarint(b[at:])
		p.at = int64(time)
		at += n
		for b[at] >= 0x80 { // partition
			at++
		}
		offset, n := binary.Uvarint(b[at+1:])
		p.offset = int64(offset)
		at += 1 + n
		at += 2 + int(b[at+1])
		places = append(places, p)
	}
	return places
}

// unpack appends what pack wrote. The item ids share the packed bytes' memory.
func unpack(events []Event, b []byte) []Event {
	for len(b) > 0 {
		var e Event
		e.id, b = binary.LittleEndian.Uint64(b), b[8:]
		for _, into := range []*int64{&e.At, nil, &e.Offset} {
			x, n := binary.Uvarint(b)
			b = b[n:]
			if into == nil {
				e.Partition = int32(x)
			} else {
				*into = int64(x)
			}
		}
		e.Kind = event.Kinds[b[0]]
		n := int(b[1])
		e.ItemID, b = share(b[2:2+n]), b[2+n:]
		events = append(events, e)
	}
	return events
}
