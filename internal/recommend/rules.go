package recommend

import (
	"slices"
	"sort"

	"cartwheel/internal/model"
)

// Rules are what a shop decides about its items, whatever version is served. Ids that a version does not know are passed over.
//
// A boost multiplies a score that is positive and divides one that is negative. An item's own boost goes before those of categories;
// of these, the one nearest above the item counts, and if the item is in several categories, the largest of what each would give.
type Rules struct {
	Unavailable    map[string]struct{} // items that may not be shown
	ItemBoosts     map[string]float64  // all boosts are above 0
	CategoryBoosts map[string]float64
}

// rules are Rules by a version's numbers.
type rules struct {
	Rules
	absent []bool    // by item: unavailable; nil if every item is to be had
	boosts []float64 // by item; nil if there are none
	// Items with a boost above 1, by what their length can do for them, largest first, and the same ones by popularity.
	raised, raisedByPopularity []int32
}

// WithRules returns a recommender that differs only in its rules.
func (r *Recommender) WithRules(shop Rules) *Recommender {
	n := r.items.Len()
	compiled := &rules{Rules: shop}
	for id := range shop.Unavailable {
		if item, known := r.items.Number(id); known {
			if compiled.absent == nil {
				compiled.absent = make([]bool, n)
			}
			compiled.absent[item] = true
		}
	}
	if len(shop.ItemBoosts)+len(shop.CategoryBoosts) > 0 {
		compiled.boosts = r.boosts(shop)
		for item, boost := range compiled.boosts {
			if boost > 1 {
				compiled.raised = append(compiled.raised, int32(item))
			}
		}
		compiled.raisedByPopularity = slices.Clone(compiled.raised)
		descending(compiled.raised, func(item int32) float64 { return compiled.boosts[item] * r.index.length(item) })
		popular := r.popular[model.PopularAll]
		descending(compiled.raisedByPopularity, func(item int32) float64 { return compiled.boosts[item] * popular.scored(item).Score })
	}
	other := *r
	other.rules, other.offered = compiled, r.popular
	if compiled.boosts != nil {
		other.offered = map[string]ranking{}
		for event, list := range r.popular {
			other.offered[event] = list.with(compiled)
		}
	}
	return &other
}

func descending(items []int32, by func(int32) float64) {
	slices.SortFunc(items, func(a, b int32) int { return better(Scored{a, by(a)}, Scored{b, by(b)}) })
}

// raisedAtMost bounds the score of the raised items from place i on in both orders, if the history touches none of them.
func (r *Recommender) raisedAtMost(m *mixture, i int) float64 {
	long, wanted := r.rules.raised[i], r.rules.raisedByPopularity[i]
	byLength := r.rules.boosts[long] * m.blend.Factors * m.length * r.index.length(long)
	byPopularity := r.rules.boosts[wanted] * m.blend.Popular * r.popular[model.PopularAll].scored(wanted).Score
	return (byLength + byPopularity) * (1 + 1e-9)
}

// boosts gives each item its boost, 1 without any.
func (r *Recommender) boosts(shop Rules) []float64 {
	// By category: its own boost or what is nearest above it. Parents have smaller numbers than their children.
	byCategory := make([]float64, r.categories.Len())
	own := map[int32]float64{}
	for id, boost := range shop.CategoryBoosts {
		if category, known := r.categories.Number(id); known {
			own[category] = boost
		}
	}
	for category := range byCategory {
		byCategory[category] = 1
		if boost, ok := own[int32(category)]; ok {
			byCategory[category] = boost
		} else if parent := r.categories.Parent(int32(category)); parent >= 0 {
			byCategory[category] = byCategory[parent]
		}
	}
	boosts := make([]float64, r.items.Len())
	for item := range boosts {
		boosts[item] = 1
		for i, category := range r.categories.Of(int32(item)) {
			if boost := byCategory[category]; i == 0 || boost > boosts[item] {
				boosts[item] = boost
			}
		}
	}
	for id, boost := range shop.ItemBoosts {
		if item, known := r.items.Number(id); known {
			boosts[item] = boost
		}
	}
	return boosts
}

func (r *rules) unavailable(item int32) bool {
	return r != nil && r.absent != nil && r.absent[item]
}

func (r *rules) boosted(item int32, score float64) float64 {
	if r == nil || r.boosts == nil {
		return score
	}
	return boosted(r.boosts[item], score)
}

func boosted(boost, score float64) float64 {
	if score < 0 {
		return score / boost
	}
	return score * boost
}

// offers reports whether an item that the version does not know may be shown.
func (r *rules) offers(id string) bool {
	_, unavailable := r.Unavailable[id]
	return !unavailable
}

// stranger returns the score of an item that the version does not know with its boost.
func (r *rules) stranger(id string, score float64) float64 {
	if boost, ok := r.ItemBoosts[id]; ok {
		return boosted(boost, score)
	}
	return score
}

// with returns the list with boosts.
func (l ranking) with(r *rules) ranking {
	list := model.Popular{Items: slices.Clone(l.order[:len(l.scores)]), Scores: make([]float64, len(l.scores))}
	for i, item := range list.Items {
		list.Scores[i] = r.boosted(item, l.scores[i])
	}
	sort.Stable(list)
	return newRanking(list, len(l.order))
}
