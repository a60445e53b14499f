package recommend

import "cartwheel/internal/model"

// filter says which items may not be in an answer, for its request and for as long as the rules hold. A nil filter keeps nothing out.
type filter struct {
	skip    *set // what is excluded, seen, or asked about
	only    *set // what alone may be shown, nil if the request does not say
	rules   *rules
	branch  model.Branch
	inside  bool // whether only the branch's items may be shown
	nothing bool // whether the request names a category that there is not
}

// few is up to which part of the catalogue items are looked at one by one rather than searched for.
const few = 8

// out reports whether an item may not be shown.
func (f *filter) out(item int32) bool {
	return f != nil && (f.skip.Has(item) || f.rules.unavailable(item) || f.only != nil && !f.only.Has(item) || f.inside && !f.branch.Has(item) || f.nothing)
}

// boosted returns an item's score with its boost. Whether above or below 0, a boost above 1 raises it and one below 1 lowers it.
func (f *filter) boosted(item int32, score float64) float64 {
	if f == nil {
		return score
	}
	return f.rules.boosted(item, score)
}

// raised returns the items whose score may be above what it was without their boost.
func (f *filter) raised() []int32 {
	if f == nil || f.rules == nil {
		return nil
	}
	return f.rules.raised
}

// raises reports whether an item is one of them.
func (f *filter) raises(item int32) bool {
	return f != nil && f.rules != nil && f.rules.boosts != nil && f.rules.boosts[item] > 1
}

// filter sets up the request's filter.
func (r *Recommender) filter(s *scratch, o Options) {
	s.skip.Clear()
	s.filter = filter{skip: s.skip, rules: r.rules}
	for _, id := range o.Exclude {
		if item, known := r.items.Number(id); known {
			s.skip.Add(item)
		}
	}
	if o.Only != nil {
		s.only.Clear()
		s.filter.only = s.only
		for _, id := range o.Only {
			if item, known := r.items.Number(id); known {
				s.only.Add(item)
			}
		}
	}
	if o.Category != "" {
		var known bool
		s.filter.branch, known = r.categories.Branch(o.Category)
		s.filter.inside, s.filter.nothing = known, !known
	}
}

// narrow returns the items that a request leaves, if they are few enough to be looked at one by one; false if the catalogue has to be
// searched. Some may be there twice, and the filter may keep some out.
func (r *Recommender) narrow(s *scratch, o Options) (items []int32, ok bool) {
	f := &s.filter
	switch {
	case f.nothing:
		return nil, true
	case f.only != nil:
		s.list = s.list[:0]
		for _, id := range o.Only {
			if item, known := r.items.Number(id); known {
				s.list = append(s.list, item)
			}
		}
		return s.list, true
	case f.inside && len(f.branch.Items()) <= r.items.Len()/few:
		return f.branch.Items(), true
	}
	return nil, false
}

// listed is narrow without repeats and without what the filter keeps out.
func (r *Recommender) listed(s *scratch, o Options) (items []int32, ok bool) {
	if items, ok = r.narrow(s, o); !ok {
		return nil, false
	}
	met := s.mixture.met
	met.Clear()
	kept := s.kept[:0]
	for _, item := range items {
		if !met.Has(item) && !s.filter.out(item) {
			met.Add(item)
			kept = append(kept, item)
		}
	}
	s.kept = kept
	return kept, true
}

// HasCategory reports whether the version has a category.
func (r *Recommender) HasCategory(id string) bool {
	_, known := r.categories.Branch(id)
	return known
}
