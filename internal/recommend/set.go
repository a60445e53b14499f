package recommend

// set is a set of items that is emptied in constant time, so that it can be used again for each request. A nil set is empty.
type set struct {
	marks []uint32 // by item: the round in which it was last put in
	round uint32
}

// newSet returns an empty set for items below n.
func newSet(n int) *set { return &set{marks: make([]uint32, n), round: 1} }

// Clear empties the set.
func (s *set) Clear() {
	s.round++
	if s.round == 0 { // after 2³² rounds, old marks would count again
		clear(s.marks)
		s.round = 1
	}
}

// Add puts an item in.
func (s *set) Add(item int32) { s.marks[item] = s.round }

// Has reports whether an item is in.
func (s *set) Has(item int32) bool { return s != nil && s.marks[item] == s.round }
