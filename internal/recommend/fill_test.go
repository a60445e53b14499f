package recommend_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

// When neighbours run out, what is near by factors follows, then what is popular in the session's categories, then what is popular.
func TestSessionsAreFilled(t *testing.T) {
	t.Parallel()
	spec := small()
	spec.Items = append(spec.Items, "kin1", "kin2", "lone")
	spec.ItemFactors = append(spec.ItemFactors, nil, nil, nil)
	spec.Near = map[string][]modeltest.Scored{"b1": {{Item: "a3", Score: 1}}}
	spec.Parents = map[string]string{"top": "", "under": "top", "other": ""}
	spec.Categories = map[string][]string{"b1": {"under"}, "new1": {"under", "other"}, "kin1": {"under"}, "kin2": {"under"}, "a1": {"top"}, "lone": {"other"}}
	spec.Popular["all"] = []modeltest.Scored{{Item: "new2", Score: 9}, {Item: "a1", Score: 5}, {Item: "kin2", Score: 2}, {Item: "b1", Score: 1}}
	neighbours := model.Blend{Neighbours: 1, NeighboursDecay: 1, OwnDecay: 1}
	for name, c := range map[string]struct {
		session model.Blend
		clicked string
		options recommend.Options
		want    []string
	}{
		// a1 and a2 point a little the way of b1.
		"neighbours, factors, categories, popular": {neighbours, "b1", recommend.Options{}, []string{"a3", "b2", "a1", "a2", "kin2", "new1", "kin1", "new2", "lone"}},
		"a page of it":                        {neighbours, "b1", recommend.Options{Offset: 4, Limit: 3}, []string{"kin2", "new1", "kin1"}},
		"some of it":                          {neighbours, "b1", recommend.Options{Only: []string{"new2", "kin1", "b2", "a3"}}, []string{"a3", "b2", "kin1", "new2"}},
		"without what is left out":            {neighbours, "b1", recommend.Options{Exclude: []string{"b2", "kin2"}, Limit: 4}, []string{"a3", "a1", "a2", "new1"}},
		"neither neighbours nor factors":      {neighbours, "kin1", recommend.Options{Limit: 5}, []string{"kin2", "b1", "new1", "new2", "a1"}},
		"nor any weight but popularity's":     {model.Blend{Popular: 1}, "lone", recommend.Options{Limit: 3}, []string{"new1", "new2", "a1"}},
		"factors that the blend weighs":       {model.ByFactors, "b1", recommend.Options{Limit: 4}, []string{"b2", "a1", "a2", "kin2"}},
		"popularity that the blend weighs":    {model.Blend{Neighbours: 1, Popular: 0.1}, "b1", recommend.Options{Limit: 6}, []string{"a3", "new2", "a1", "kin2", "b2", "a2"}},
		"of nothing known goes by popularity": {neighbours, "brand new", recommend.Options{Limit: 2}, []string{"new2", "a1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := spec
			spec.Blends.Session = c.session
			o := c.options
			if o.Limit == 0 {
				o.Limit = 50
			}
			r := load(t, spec)
			a := r.Session([]recommend.Click{{ItemID: c.clicked, Event: "view"}}, o)
			var got []string
			for _, item := range a.Items {
				got = append(got, item.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %s %v, want %v", a.Strategy, a.Items, c.want)
			}
		})
	}
}

// Whatever the session and the catalogue, the rest of an answer is in that order, and its pages are the parts of the whole.
func TestFillingEqualsAReference(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for round := range 60 {
		spec := modeltest.Random("x", uint64(round), 3, 1+random.IntN(250), 1+random.IntN(8))
		spec.Blends.Session = model.Blend{Neighbours: float64(random.IntN(2)), Own: float64(random.IntN(2)), Popular: float64(random.IntN(4) / 3), NeighboursDecay: 0.9, OwnDecay: 0.9}
		spec.Blends.Session = spec.Blends.Session.Or(model.Blend{Recent: 1, NeighboursDecay: 1, OwnDecay: 1})
		shop := randomRules(random, spec)
		r := load(t, spec).WithRules(shop)
		byFactors := load(t, spec).With(model.Blends{Session: model.ByFactors})
		place := map[string]int{}
		for i, item := range spec.Items {
			place[item] = len(spec.Items) + i
		}
		for i, s := range spec.Popular["all"] {
			place[s.Item] = i
		}
		for range 10 {
			var clicks []recommend.Click
			for range 1 + random.IntN(4) {
				clicks = append(clicks, recommend.Click{ItemID: spec.Items[random.IntN(len(spec.Items))], Event: "view"})
			}
			o := recommend.Options{Limit: len(spec.Items), IncludeSeen: random.IntN(2) == 0}
			if random.IntN(3) == 0 {
				o.Only = some(random, spec.Items)
			}
			if random.IntN(3) == 0 {
				o.Exclude = some(random, spec.Items)
			}
			whole := r.Session(clicks, o)
			if whole.Strategy != recommend.StrategySession {
				continue // of items without factors and categories
			}
			rest := 0
			for rest < len(whole.Items) && whole.Items[rest].Score > 0 {
				rest++
			}
			near := map[string]float64{} // by factors, as a blend of these alone has it
			for _, item := range byFactors.Session(clicks, recommend.Options{Limit: len(spec.Items), IncludeSeen: true}).Items {
				near[item.ID] = max(0, item.Score)
			}
			related := func(item string) int {
				for _, click := range clicks {
					for _, category := range spec.Categories[item] {
						if slices.Contains(spec.Categories[click.ItemID], category) {
							return 1
						}
					}
				}
				return 0
			}
			for i := rest + 1; i < len(whole.Items); i++ {
				a, b := whole.Items[i-1].ID, whole.Items[i].ID
				if whole.Items[i].Score != 0 {
					t.Fatalf("%v follows a score of 0", whole.Items[i])
				}
				switch {
				case near[a] > near[b]:
				case near[a] < near[b]:
					t.Fatalf("%v, %+v: %s, near by %v, comes after %s, near by %v", clicks, o, b, near[b], a, near[a])
				case related(a) < related(b) || related(a) == related(b) && place[a] > place[b]:
					t.Fatalf("%v, %+v: %s (%d, place %d) comes after %s (%d, place %d)", clicks, o, b, related(b), place[b], a, related(a), place[a])
				}
			}
			var pages []recommend.Item
			page := o
			for page.Limit = 1 + random.IntN(9); page.Offset < len(whole.Items); page.Offset += page.Limit {
				pages = append(pages, r.Session(clicks, page).Items...)
			}
			if !slices.EqualFunc(pages, whole.Items, func(a, b recommend.Item) bool { return a.ID == b.ID && a.Score == b.Score }) {
				t.Fatalf("%+v: the pages are %v, the whole is %v", o, pages, whole.Items)
			}
		}
	}
}
