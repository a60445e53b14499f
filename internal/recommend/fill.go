package recommend

import (
	"slices"

	"cartwheel/internal/model"
)

// What comes after the items of which a session says something, their scores 0: first what is near to it by factors, where the blend
// has no weight for them, then what is popular in the categories of its items, then what is popular.
const (
	fillPopular  = iota
	fillCategory // and above it, by its inner product, what is near by factors
)

// hints reports whether there is anything but popularity to fill an answer by.
func (r *Recommender) hints(s *scratch) bool {
	for _, h := range s.mixture.history {
		if h.item >= 0 && (r.index.Vector(h.item) != nil || len(r.categories.Of(h.item)) > 0) {
			return true
		}
	}
	return false
}

// fill puts the items of s.best that have the score 0, in whose place others of that score could stand, in the order of filling. s.best
// is sorted, with as many items as are needed or as there are.
func (r *Recommender) fill(s *scratch, o Options) {
	from := len(s.best)
	for from > 0 && s.best[from-1].Score <= 0 {
		from--
	}
	for from < len(s.best) && (s.best[from].Score < 0 || s.best[from].Item < 0) { // an item that the version does not know stays
		from++
	}
	to := from
	for to < len(s.best) && s.best[to].Score == 0 {
		to++
	}
	if from == to {
		return
	}
	m, popular, slots := &s.mixture, r.popular[model.PopularAll], to-from
	query := []float32(nil)
	if m.blend.Factors == 0 && r.folder.Fold(s.query, s.pairs) {
		query = s.query
	}
	s.categories = s.categories[:0]
	for _, h := range m.history {
		if h.item >= 0 {
			s.categories = append(s.categories, r.categories.Of(h.item)...)
		}
	}
	slices.Sort(s.categories)
	s.categories = slices.Compact(s.categories)

	m.met.Clear()
	best := m.top[:0]
	consider := func(item int32) (ofScore0 bool) {
		if m.met.Has(item) {
			return true
		}
		if s.filter.out(item) || r.score(m, item) != 0 {
			return false
		}
		m.met.Add(item)
		key := float64(fillPopular)
		if row := r.index.Vector(item); row != nil && query != nil {
			key = fillCategory + dot(query, row)
		}
		if key <= fillCategory {
			key = fillPopular
			for _, category := range r.categories.Of(item) {
				if _, same := slices.BinarySearch(s.categories, category); same {
					key = fillCategory
				}
			}
		}
		best = push(best, Scored{r.traits[item].place, key}, slots)
		return true
	}
	if items, ok := r.narrow(s, o); ok {
		for _, item := range items {
			consider(item)
		}
	} else {
		if query != nil {
			s.near = r.index.above(s.near, query, to, &s.filter, 0) // those before from may be among them
			for _, scored := range s.near {
				consider(scored.Item)
			}
		}
		for _, category := range s.categories {
			for _, item := range r.categories.Items(category) {
				consider(item)
			}
		}
		for place, met := 0, 0; place < len(popular.order) && met < slots; place++ {
			if consider(popular.order[place]) {
				met++
			}
		}
	}
	m.top = best
	slices.SortFunc(best, better)
	for i, scored := range best {
		s.best[from+i] = Scored{Item: popular.order[scored.Item]}
	}
}
