package recommend

import "cartwheel/internal/model"

// ItemScore is what an item's place would follow from. Known is false for an item that the version does not know.
type ItemScore struct {
	ID    string
	Score float64
	Known bool
}

// Scores returns the scores that Visitor ranks by when seen items are included, of any items, in the order asked.
func (r *Recommender) Scores(visitorID string, itemIDs []string) (strategy string, scores []ItemScore) {
	return r.ScoresWith(visitorID, nil, itemIDs)
}

// scored reads the items' scores off the mixture, or where it says nothing, off popularity.
func (r *Recommender) scored(s *scratch, strategy string, itemIDs []string) (string, []ItemScore) {
	if s.mixture.silent() {
		strategy = StrategyPopular
	}
	popular := r.offered[model.PopularAll]
	scores := make([]ItemScore, len(itemIDs))
	for i, id := range itemIDs {
		item, known := r.items.Number(id)
		scores[i] = ItemScore{ID: id, Known: known}
		switch {
		case !known:
		case strategy == StrategyPopular:
			scores[i].Score = popular.scored(item).Score
		default:
			scores[i].Score = r.score(&s.mixture, item)
		}
	}
	return strategy, scores
}
