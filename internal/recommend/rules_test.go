package recommend_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

func some(random *rand.Rand, of []string) (ids []string) {
	for range random.IntN(len(of) + 1) {
		ids = append(ids, of[random.IntN(len(of))])
	}
	return ids
}

func randomRules(random *rand.Rand, spec modeltest.Spec) recommend.Rules {
	shop := recommend.Rules{Unavailable: map[string]struct{}{"nothing": {}}, ItemBoosts: map[string]float64{"nothing": 3}, CategoryBoosts: map[string]float64{"nowhere": 3}}
	for _, id := range some(random, spec.Items) {
		if random.IntN(3) == 0 {
			shop.Unavailable[id] = struct{}{}
		}
		if random.IntN(3) == 0 {
			shop.ItemBoosts[id] = math.Exp(random.NormFloat64())
		}
	}
	for category := range spec.Parents {
		if random.IntN(4) == 0 {
			shop.CategoryBoosts[category] = math.Exp(random.NormFloat64())
		}
	}
	return shop
}

// eligible says, by walking up the tree, whether the rules and the request let an item be shown.
func eligible(spec modeltest.Spec, shop recommend.Rules, o recommend.Options, id string) bool {
	inside := o.Category == ""
	for _, category := range spec.Categories[id] {
		for ; category != "" && category != o.Category; category = spec.Parents[category] {
		}
		inside = inside || category != ""
	}
	_, unavailable := shop.Unavailable[id]
	return inside && !unavailable && !slices.Contains(o.Exclude, id) && (o.Only == nil || slices.Contains(o.Only, id))
}

func boost(spec modeltest.Spec, shop recommend.Rules, id string, score float64) float64 {
	factor, met := shop.ItemBoosts[id]
	if !met {
		for _, category := range spec.Categories[id] {
			for ; category != "" && shop.CategoryBoosts[category] == 0; category = spec.Parents[category] {
			}
			given := shop.CategoryBoosts[category]
			if category == "" {
				given = 1
			}
			factor, met = max(factor, given), true
		}
	}
	switch {
	case !met:
		return score
	case score < 0:
		return score / factor
	}
	return score * factor
}

// Whatever is asked and whatever the rules are, every kind of list holds all items that are eligible and no other, each once, best
// first, and its pages are the parts of the whole.
func TestListsHoldWhateverIsEligible(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(8, 1))
	for round := range 30 {
		spec := modeltest.Random("x", uint64(round), 6, 1+random.IntN(250), 1+random.IntN(8))
		spec.Blends.VisitorNew, spec.Blends.Session = randomBlend(random), randomBlend(random)
		shop := randomRules(random, spec)
		r := load(t, spec).WithRules(shop)
		for range 6 {
			var o recommend.Options
			if random.IntN(2) == 0 {
				o.Exclude = some(random, spec.Items)
			}
			if random.IntN(3) == 0 {
				o.Only = some(random, spec.Items)
			}
			if random.IntN(2) == 0 {
				o.Category = fmt.Sprint("c", random.IntN(len(spec.Parents)+1)) // the last there is not
			}
			visitor, item := spec.Visitors[random.IntN(len(spec.Visitors))], spec.Items[random.IntN(len(spec.Items))]
			clicks := []recommend.Click{{ItemID: item, Event: "view"}}
			var touched []string
			for _, pair := range spec.Seen[visitor] {
				touched = append(touched, pair.Item)
			}
			for name, c := range map[string]struct {
				ask func(recommend.Options) recommend.Answer
				not []string
			}{
				"visitor": {func(o recommend.Options) recommend.Answer { return r.Visitor(visitor, o) }, touched},
				"nobody":  {func(o recommend.Options) recommend.Answer { return r.Visitor("nobody", o) }, nil},
				"session": {func(o recommend.Options) recommend.Answer { return r.Session(clicks, o) }, []string{item}},
				"popular": {func(o recommend.Options) recommend.Answer { a, _ := r.Popular("view", o); return a }, nil},
				"similar": {func(o recommend.Options) recommend.Answer { a, _ := r.Similar(item, o); return a }, []string{item}},
				"visits":  {func(o recommend.Options) recommend.Answer { a, _ := r.SimilarByVisits(item, o); return a }, []string{item}},
			} {
				o.Limit, o.Offset = len(spec.Items), 0
				whole := c.ask(o).Items
				got := map[string]int{}
				for i, shown := range whole {
					got[shown.ID]++
					if i > 0 && shown.Score > whole[i-1].Score {
						t.Fatalf("%s, %+v: %v comes after %v", name, o, shown, whole[i-1])
					}
				}
				want := map[string]int{}
				for _, id := range spec.Items {
					if eligible(spec, shop, o, id) && !slices.Contains(c.not, id) {
						want[id] = 1
					}
				}
				if !maps.Equal(got, want) {
					t.Fatalf("%s, %+v: got %v, want each of %v once", name, o, got, want)
				}
				o.Limit = 1 + random.IntN(12)
				var pages []recommend.Item
				for o.Offset = 0; o.Offset < len(whole); o.Offset += o.Limit {
					pages = append(pages, c.ask(o).Items...)
				}
				if !slices.EqualFunc(pages, whole, func(a, b recommend.Item) bool { return a.ID == b.ID && a.Score == b.Score }) {
					t.Fatalf("%s, %+v: the pages are %v, the whole is %v", name, o, pages, whole)
				}
			}
		}
	}
}

// boostedShop is small with a tree in which under is below top.
func boostedShop() modeltest.Spec {
	spec := small()
	spec.Parents = map[string]string{"top": "", "under": "top", "other": ""}
	spec.Categories = map[string][]string{"a1": {"top"}, "a2": {"under"}, "a3": {"under", "other"}, "b2": {"other"}}
	return spec
}

func TestBoostsByPrecedence(t *testing.T) {
	t.Parallel()
	r := load(t, boostedShop())
	plain := map[string]float64{}
	for _, item := range r.Visitor("anna", recommend.Options{Limit: 9, IncludeSeen: true}).Items {
		plain[item.ID] = item.Score
	}
	for name, c := range map[string]struct {
		items, categories map[string]float64
		want              map[string]float64 // by how much a score is multiplied, where not by 1
	}{
		"a category's goes to all below":             {nil, map[string]float64{"top": 2}, map[string]float64{"a1": 2, "a2": 2, "a3": 2}},
		"the nearest category's counts":              {nil, map[string]float64{"top": 2, "under": 0.5}, map[string]float64{"a1": 2, "a2": 0.5}}, // a3 has 1 from other
		"of several categories the largest counts":   {nil, map[string]float64{"under": 2, "other": 3}, map[string]float64{"a2": 2, "a3": 3, "b2": 1. / 3}},
		"an item's own counts before its category's": {map[string]float64{"a2": 0.25}, map[string]float64{"under": 2}, map[string]float64{"a2": 0.25, "a3": 2}},
		"a negative score is divided":                {map[string]float64{"b2": 4}, nil, map[string]float64{"b2": 0.25}},
		"unknown ids say nothing":                    {map[string]float64{"nothing": 4}, map[string]float64{"nowhere": 4}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := r.WithRules(recommend.Rules{ItemBoosts: c.items, CategoryBoosts: c.categories})
			o := recommend.Options{Limit: 9, IncludeSeen: true}
			_, scores := r.Scores("anna", []string{"a1", "a2", "a3", "b1", "b2", "new1"})
			for _, score := range scores {
				want := plain[score.ID]
				if factor, ok := c.want[score.ID]; ok {
					want *= factor
				}
				if math.Abs(score.Score-want) > 1e-12 {
					t.Errorf("%s has %v, want %v", score.ID, score.Score, want)
				}
				for _, item := range r.Visitor("anna", o).Items {
					if item.ID == score.ID && item.Score != score.Score {
						t.Errorf("%s is listed with %v, its score is %v", item.ID, item.Score, score.Score)
					}
				}
			}
		})
	}
}

func TestRulesForItemsNewerThanTheVersion(t *testing.T) {
	t.Parallel()
	spec := small()
	spec.Blends.Session = model.Blend{Factors: 1, Own: 1, NeighboursDecay: 1, OwnDecay: 1}
	r := load(t, spec)
	clicks := []recommend.Click{{ItemID: "brand new"}, {ItemID: "a1"}}
	first := func(shop recommend.Rules, o recommend.Options) string {
		o.Limit, o.IncludeSeen = 1, true
		return r.WithRules(shop).Session(clicks, o).Items[0].ID
	}
	if got := first(recommend.Rules{ItemBoosts: map[string]float64{"brand new": 9}}, recommend.Options{}); got != "brand new" {
		t.Errorf("with a boost, %s comes first", got)
	}
	if got := first(recommend.Rules{ItemBoosts: map[string]float64{"brand new": 9}, Unavailable: map[string]struct{}{"brand new": {}}}, recommend.Options{}); got != "a1" {
		t.Errorf("without it, %s comes first", got)
	}
}

// BenchmarkFilters measures a visitor's answer with and without what narrows it, over a catalogue of the size of RetailRocket's.
func BenchmarkFilters(b *testing.B) {
	const items = 235_061
	spec := modeltest.Random("x", 1, 1000, items, 64)
	random := rand.New(rand.NewPCG(2, 2))
	for _, row := range spec.ItemFactors {
		scale := float32(0.03 * math.Exp(random.NormFloat64()))
		for i := range row {
			row[i] *= scale / float32(math.Sqrt(float64(i+1)))
		}
	}
	// Below all lie categories of 100, 1,000, 10,000 and 100,000 items, taken evenly from the catalogue.
	spec.Parents, spec.Categories = map[string]string{"all": ""}, map[string][]string{}
	for _, size := range []int{100, 1000, 10_000, 100_000} {
		category := fmt.Sprint(size)
		spec.Parents[category] = "all"
		for i := range size {
			item := spec.Items[i*(items/size)]
			spec.Categories[item] = append(spec.Categories[item], category)
		}
	}
	spec.Blends.VisitorNew = model.Blend{Factors: 1, Neighbours: 1, Recent: 0.5, Popular: 0.1, NeighboursDecay: 1, OwnDecay: 1}
	plain := load(b, spec)
	boosts := func(category string, by float64) *recommend.Recommender {
		return plain.WithRules(recommend.Rules{CategoryBoosts: map[string]float64{category: by}})
	}
	absent := map[string]struct{}{}
	for i := 0; i < items; i += 10 {
		absent[spec.Items[i]] = struct{}{}
	}
	for _, c := range []struct {
		name string
		r    *recommend.Recommender
		o    recommend.Options
	}{
		{"plain", plain, recommend.Options{}},
		{"only-10", plain, recommend.Options{Only: spec.Items[500:510]}},
		{"only-1000", plain, recommend.Options{Only: spec.Items[500:1500]}},
		{"exclude-1000", plain, recommend.Options{Exclude: spec.Items[500:1500]}},
		{"category-100", plain, recommend.Options{Category: "100"}},
		{"category-1000", plain, recommend.Options{Category: "1000"}},
		{"category-10000", plain, recommend.Options{Category: "10000"}},
		{"category-100000", plain, recommend.Options{Category: "100000"}},
		{"category-all", plain, recommend.Options{Category: "all"}},
		{"a-tenth-unavailable", plain.WithRules(recommend.Rules{Unavailable: absent}), recommend.Options{}},
		{"boost-1000-up", boosts("1000", 2), recommend.Options{}},
		{"boost-100000-up", boosts("100000", 2), recommend.Options{}},
		{"boost-100000-down", boosts("100000", 0.5), recommend.Options{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.o.Limit = 10
			for i := 0; b.Loop(); i++ {
				c.r.Visitor(spec.Visitors[i%1000], c.o)
			}
		})
	}
}
