package recommend

import "cartwheel/internal/model"

// ItemScore is what an item's place would follow from. Known is false for an item that the version does not know.
type ItemScore struct {
	ID    string
	Score float64
	Known bool
}

// Scores returns the scores that Visitor ranks by, of any items, in the order asked, seen or not.
func (r *Recommender) Scores(visitorID string, itemIDs []string) (strategy string, scores []ItemScore) {
	s := r.begin(Options{})
	defer r.scratches.Put(s)
	var query []float32
	if visitor, known := r.visitors.Number(visitorID); known {
		items, strengths := r.seen.Of(visitor)
		for i, item := range items {
			s.pairs = append(s.pairs, Pair{item, strengths[i]})
		}
		query = r.taste(s, visitor)
	}
	popular := r.popular[model.PopularAll]
	strategy = StrategyALS
	if query == nil {
		strategy = StrategyPopular
	}
	scores = make([]ItemScore, len(itemIDs))
	for i, id := range itemIDs {
		item, known := r.items.Number(id)
		scores[i] = ItemScore{ID: id, Known: known}
		switch {
		case !known:
		case query == nil:
			scores[i].Score = popular.scored(item).Score
		default:
			if row := r.index.Vector(item); row != nil {
				scores[i].Score = dot(query, row)
			}
		}
	}
	return strategy, scores
}
