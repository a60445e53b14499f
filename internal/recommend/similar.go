package recommend

import (
	"slices"

	"cartwheel/internal/model"
)

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
	need := o.Offset + o.Limit
	near, scores := r.near.Of(item)
	best := s.best[:0]
	for i, other := range near {
		if scores[i] > 0 && !s.filter.out(other) {
			best = push(best, Scored{other, r.rules.boosted(other, float64(scores[i]))}, need)
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

// byCosine ranks by the cosine of factors with a query. Items without factors have the score 0, and come by popularity, before the
// first negative score.
func (r *Recommender) byCosine(s *scratch, query []float32, o Options) Answer {
	need := o.Offset + o.Limit
	popular := r.popular[model.PopularAll]
	var without []int32 // factors
	if items, ok := r.listed(s, o); ok {
		s.best = s.best[:0]
		queryNorm := norm(query)
		for _, item := range items {
			if row := r.index.Vector(item); row != nil {
				s.best = append(s.best, Scored{item, r.rules.boosted(item, dot(query, row)/queryNorm/norm(row))})
			} else {
				without = append(without, item)
			}
		}
		slices.SortFunc(s.best, better)
		slices.SortFunc(without, func(a, b int32) int { return int(popular.place[a]) - int(popular.place[b]) })
	} else {
		s.best = r.index.TopCosine(s.best, query, need, &s.filter)
		without = r.factorless
	}
	positive := len(s.best)
	for positive > 0 && s.best[positive-1].Score < 0 {
		positive--
	}
	var fill []Scored
	for _, item := range without {
		if positive+len(fill) >= need {
			break
		}
		if !s.filter.out(item) {
			fill = append(fill, Scored{Item: item})
		}
	}
	s.best = slices.Insert(s.best, positive, fill...)
	return r.answer(s, StrategySimilar, s.best, o)
}
