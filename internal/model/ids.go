package model

import (
	"fmt"
	"hash/maphash"
	"math"

	"cartwheel/internal/event"
)

// IDs maps opaque ids to dense numbers and back. It holds no pointer for each id: a million ids are three allocations that the
// garbage collector does not walk, at the ids' own bytes plus 12 to 20 for each.
type IDs struct {
	text  string   // all ids, one after another
	ends  []uint32 // where each ends in text
	slots []uint32 // open addressing: number + 1, 0 for empty; a power of two, at most half full
	seed  maphash.Seed
}

// newIDs numbers the names in their order. It refuses what event.ValidateID refuses, and repeats.
func newIDs(field string, names []string, p *pace) (*IDs, error) {
	var bytes int
	for _, name := range names {
		bytes += len(name)
	}
	if int64(bytes) > math.MaxUint32 || int64(len(names)) > math.MaxInt32 {
		return nil, fmt.Errorf("%d ids with %d bytes are more than an index holds", len(names), bytes)
	}
	slots := 4
	for slots < 2*len(names) {
		slots *= 2
	}
	ids := &IDs{ends: make([]uint32, len(names)), slots: make([]uint32, slots), seed: maphash.MakeSeed()}
	text := make([]byte, 0, bytes)
	for i, name := range names {
		if i%256 == 0 {
			p.rest()
		}
		if err := event.ValidateID(field, name); err != nil {
			return nil, fmt.Errorf("id %d: %w", i, err)
		}
		text = append(text, name...)
		ids.ends[i] = uint32(len(text))
	}
	ids.text = string(text)
	for i, name := range names {
		if i%256 == 0 {
			p.rest()
		}
		slot, found := ids.slot(name)
		if found {
			return nil, fmt.Errorf("%s %q has the numbers %d and %d", field, name, ids.slots[slot]-1, i)
		}
		ids.slots[slot] = uint32(i) + 1
	}
	return ids, nil
}

// Number returns the number of an id.
func (ids *IDs) Number(id string) (int32, bool) {
	slot, found := ids.slot(id)
	if !found {
		return 0, false
	}
	return int32(ids.slots[slot] - 1), true
}

// Name returns the id of a number, which must be in range. It does not allocate.
func (ids *IDs) Name(number int32) string {
	var start uint32
	if number > 0 {
		start = ids.ends[number-1]
	}
	return ids.text[start:ids.ends[number]]
}

// Len returns how many ids there are.
func (ids *IDs) Len() int { return len(ids.ends) }

// slot finds the slot of an id, or the empty slot where it would go.
func (ids *IDs) slot(id string) (slot int, found bool) {
	mask := len(ids.slots) - 1
	for slot = int(maphash.String(ids.seed, id)) & mask; ; slot = (slot + 1) & mask {
		switch number := ids.slots[slot]; {
		case number == 0:
			return slot, false
		case ids.Name(int32(number-1)) == id:
			return slot, true
		}
	}
}
