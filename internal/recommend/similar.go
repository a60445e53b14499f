package recommend

import "slices"

// SimilarByVisits answers with the items that visitors touch together with an item, by the version's table of neighbours. Where that
// runs out, others follow with score 0: by the cosine of factors, then by popularity. It reports false if there is no such item.
func (r *Recommender) SimilarByVisits(id string, o Options) (Answer, bool) {
	item, known := r.items.Number(id)
	if !known {
		return Answer{}, false
	}
	s := r.begin(o)
	defer r.scratches.Put(s)
	s.skip.Add(item)
	if o.Only != nil {
		r.eligible(s, o.Only)
	}
	need := o.Offset + o.Limit
	near, scores := r.near.Of(item)
	best := s.best[:0]
	for i, other := range near {
		if scores[i] > 0 && !s.skip.Has(other) && (o.Only == nil || s.only.Has(other)) {
			best = append(best, Scored{other, float64(scores[i])})
		}
	}
	slices.SortFunc(best, better)
	if len(best) < need {
		rest := o
		rest.Limit, rest.Offset = need-len(best), 0
		rest.Exclude = slices.Clone(o.Exclude)
		for _, scored := range best {
			rest.Exclude = append(rest.Exclude, r.items.Name(scored.Item))
		}
		others, _ := r.Similar(id, rest)
		for _, other := range others.Items {
			number, _ := r.items.Number(other.ID)
			best = append(best, Scored{Item: number})
		}
	}
	s.best = best
	strategy := StrategySimilar
	if r.index.Vector(item) == nil && (len(best) == 0 || best[0].Score == 0) {
		strategy = StrategyPopular
	}
	return r.answer(s, strategy, best, o), true
}
