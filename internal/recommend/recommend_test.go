package recommend_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

func load(t testing.TB, spec modeltest.Spec) *recommend.Recommender {
	t.Helper()
	v, err := model.Load(modeltest.Write(t, t.TempDir(), spec))
	if err != nil {
		t.Fatal(err)
	}
	return recommend.New(v)
}

// small has two tastes: items a1 to a3 lie along the first axis, b1 and b2 along the second; new1 and new2 have no factors.
func small() modeltest.Spec {
	return modeltest.Spec{
		Name: "small", Rank: 2, Alpha: 40, RegParam: 0.01,
		Visitors:       []string{"anna", "ben", "cold", "mute"},
		VisitorFactors: [][]float32{{1, 0}, {0, 1}, nil, nil},
		Items:          []string{"a1", "a2", "a3", "b1", "b2", "new1", "new2"},
		ItemFactors:    [][]float32{{0.9, 0.1}, {0.8, 0}, {0.7, -0.2}, {0, 0.9}, {-0.1, 0.8}, nil, nil},
		Seen: map[string][]modeltest.Pair{"anna": {{Item: "a1", Strength: 2}}, "ben": {{Item: "b1", Strength: 1}},
			"cold": {{Item: "b2", Strength: 5}, {Item: "new1", Strength: 1}}},
		Popular: map[string][]modeltest.Scored{
			"all":         {{Item: "new2", Score: 9}, {Item: "a1", Score: 5}, {Item: "b1", Score: 4}},
			"transaction": {{Item: "b2", Score: 3}}},
		EventWeights: map[string]float64{"view": 1, "addtocart": 3, "transaction": 5},
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	r := load(t, small())
	all := recommend.Options{Limit: 100}
	session := func(items ...string) func(recommend.Options) recommend.Answer {
		return func(o recommend.Options) recommend.Answer {
			var clicks []recommend.Click
			for _, item := range items {
				clicks = append(clicks, recommend.Click{ItemID: item, Event: "view"})
			}
			return r.Session(clicks, o)
		}
	}
	visitor := func(id string) func(recommend.Options) recommend.Answer {
		return func(o recommend.Options) recommend.Answer { return r.Visitor(id, o) }
	}
	popular := func(event string) func(recommend.Options) recommend.Answer {
		return func(o recommend.Options) recommend.Answer { a, _ := r.Popular(event, o); return a }
	}
	similar := func(id string) func(recommend.Options) recommend.Answer {
		return func(o recommend.Options) recommend.Answer { a, _ := r.Similar(id, o); return a }
	}
	for name, c := range map[string]struct {
		ask      func(recommend.Options) recommend.Answer
		options  recommend.Options
		strategy string
		items    []string
	}{
		"known visitor: seen left out, items without factors before negative scores": {visitor("anna"), all, "als", []string{"a2", "a3", "new2", "b1", "new1", "b2"}},
		"seen included":                    {visitor("anna"), recommend.Options{Limit: 3, IncludeSeen: true}, "als", []string{"a1", "a2", "a3"}},
		"second page":                      {visitor("anna"), recommend.Options{Limit: 2, Offset: 2}, "als", []string{"new2", "b1"}},
		"page beyond the end":              {visitor("anna"), recommend.Options{Limit: 2, Offset: 50}, "als", nil},
		"excluded":                         {visitor("anna"), recommend.Options{Limit: 2, Exclude: []string{"a2", "nothing"}}, "als", []string{"a3", "new2"}},
		"only":                             {visitor("anna"), recommend.Options{Limit: 9, Only: []string{"b2", "new1", "a1", "a3", "a3", "nothing"}}, "als", []string{"a3", "new1", "b2"}},
		"only what is excluded":            {visitor("anna"), recommend.Options{Limit: 9, Only: []string{"a2"}, Exclude: []string{"a2"}}, "als", nil},
		"history without factors":          {visitor("cold"), recommend.Options{Limit: 1}, "als", []string{"b1"}},
		"neither history nor factors":      {visitor("mute"), all, "popular", []string{"new2", "a1", "b1", "a2", "a3", "b2", "new1"}},
		"unknown visitor":                  {visitor("nobody"), recommend.Options{Limit: 4}, "popular", []string{"new2", "a1", "b1", "a2"}},
		"unknown visitor, only":            {visitor("nobody"), recommend.Options{Limit: 4, Only: []string{"b2", "b1", "a3"}}, "popular", []string{"b1", "a3", "b2"}},
		"unknown visitor, page":            {visitor("nobody"), recommend.Options{Limit: 2, Offset: 1, Exclude: []string{"a1"}}, "popular", []string{"b1", "a2"}},
		"session":                          {session("b1"), recommend.Options{Limit: 1}, "session", []string{"b2"}},
		"session, seen included":           {session("b1"), recommend.Options{Limit: 2, IncludeSeen: true}, "session", []string{"b1", "b2"}},
		"session of unknown items":         {session("nothing"), recommend.Options{Limit: 1}, "popular", []string{"new2"}},
		"session of items without factors": {session("new2"), recommend.Options{Limit: 1}, "popular", []string{"a1"}},
		"empty session":                    {session(), recommend.Options{Limit: 1}, "popular", []string{"new2"}},
		"similar":                          {similar("b1"), all, "similar", []string{"b2", "a1", "a2", "new2", "new1", "a3"}},
		"similar, only":                    {similar("b1"), recommend.Options{Limit: 9, Only: []string{"a3", "b1", "b2"}}, "similar", []string{"b2", "a3"}},
		"similar to one without factors":   {similar("new2"), recommend.Options{Limit: 2}, "popular", []string{"a1", "b1"}},
		"popular by transaction":           {popular("transaction"), recommend.Options{Limit: 3}, "popular", []string{"b2", "a1", "a2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := c.ask(c.options)
			var items []string
			for _, item := range a.Items {
				items = append(items, item.ID)
			}
			if a.Strategy != c.strategy || !slices.Equal(items, c.items) {
				t.Errorf("got %s %v, want %s %v", a.Strategy, a.Items, c.strategy, c.items)
			}
		})
	}
	if _, ok := r.Popular("click", all); ok {
		t.Error("there is a list of popular items for an unknown kind of event")
	}
	if _, ok := r.Similar("nothing", all); ok {
		t.Error("an unknown item has similar ones")
	}
}

func TestSessionWeighsEventsAsTheTrainingDid(t *testing.T) {
	t.Parallel()
	r := load(t, small())
	o := recommend.Options{Limit: 3, IncludeSeen: true}
	repeated := []recommend.Click{{ItemID: "a1", Event: "view"}, {ItemID: "a1", Event: "view"}, {ItemID: "a1", Event: "view"}}
	bought := []recommend.Click{{ItemID: "a1", Event: "addtocart"}}
	if a, b := r.Session(repeated, o), r.Session(bought, o); !reflect.DeepEqual(a.Items, b.Items) {
		t.Errorf("three views give %v, one addtocart of weight 3 gives %v", a.Items, b.Items)
	}
	if a, b := r.Session(repeated, o), r.Session(repeated[:1], o); reflect.DeepEqual(a.Items, b.Items) {
		t.Errorf("three views and one give the same scores %v", a.Items)
	}
}

func TestSessionsComeBackToItemsNewerThanTheVersion(t *testing.T) {
	t.Parallel()
	spec := small()
	spec.Blends.Session = model.Blend{Factors: 1, Own: 2, NeighboursDecay: 0.6, OwnDecay: 0.9}
	r := load(t, spec)
	clicks := []recommend.Click{{ItemID: "a1"}, {ItemID: "brand new"}, {ItemID: "a1"}, {ItemID: "brand new"}}
	ids := func(o recommend.Options) (ids []string) {
		for _, item := range r.Session(clicks, o).Items {
			ids = append(ids, item.ID)
		}
		return ids
	}
	for _, c := range []struct {
		options recommend.Options
		want    []string
	}{
		{recommend.Options{Limit: 3, IncludeSeen: true}, []string{"a1", "brand new", "a2"}}, // a1 has factors besides
		{recommend.Options{Limit: 2}, []string{"a2", "a3"}},
		{recommend.Options{Limit: 2, IncludeSeen: true, Exclude: []string{"brand new"}}, []string{"a1", "a2"}},
		{recommend.Options{Limit: 9, IncludeSeen: true, Only: []string{"b1", "brand new", "a1"}}, []string{"a1", "brand new", "b1"}},
		{recommend.Options{Limit: 9, IncludeSeen: true, Only: []string{"b1"}}, []string{"b1"}},
	} {
		if got := ids(c.options); !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.options, got, c.want)
		}
	}
	alone := r.Session(clicks[1:2], recommend.Options{Limit: 2, IncludeSeen: true, Explain: true})
	if alone.Strategy != recommend.StrategySession || len(alone.Items) != 2 || alone.Items[0].ID != "brand new" || len(alone.Items[0].Because) != 1 {
		t.Errorf("a session of one new item: %+v", alone)
	}
}

// Whatever is asked, the answer must be the page of a ranking computed here with none of the package's means.
func TestAnswersEqualAReference(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 9))
	for round := range 40 {
		spec := modeltest.Random("x", uint64(round), 12, 1+random.IntN(300), 1+random.IntN(12))
		if round%4 > 0 { // the rest ranks by factors alone
			spec.Blends.VisitorNew, spec.Blends.VisitorAll = randomBlend(random), randomBlend(random)
		}
		r, shop := load(t, spec), recommend.Rules{}
		if round%2 > 0 {
			shop = randomRules(random, spec)
			r = r.WithRules(shop)
		}
		pick := func() (ids []string) { return some(random, spec.Items) }
		for v, id := range spec.Visitors {
			o := recommend.Options{Limit: 1 + random.IntN(20), Offset: random.IntN(20), IncludeSeen: random.IntN(2) == 0}
			if random.IntN(2) == 0 {
				o.Exclude = pick()
			}
			if random.IntN(3) == 0 {
				o.Only = append(pick(), "nothing")
			}
			if random.IntN(3) == 0 {
				o.Category = fmt.Sprint("c", random.IntN(len(spec.Parents)+1))
			}
			if spec.VisitorFactors[v] == nil || r.Visitor(id, o).Strategy == recommend.StrategyPopular {
				continue // the reference does not fold in
			}
			got := r.Visitor(id, o).Items
			want := reference(spec, shop, v, o)
			if len(got) != len(want) {
				t.Fatalf("%+v: %d items, want %d", o, len(got), len(want))
			}
			for i := range got {
				// Sums in float32 may differ in the last digits, and so may change places that are equal but for them.
				if math.Abs(got[i].Score-want[i].Score) > 1e-5 || got[i].ID != want[i].ID && !near(want, i) {
					t.Fatalf("%+v: place %d is %v, want %v", o, i, got[i], want[i])
				}
			}
		}
	}
}

// near reports whether the score at place i is equal to a neighbour's but for rounding.
func near(ranked []recommend.Item, i int) bool {
	return i > 0 && ranked[i-1].Score-ranked[i].Score < 1e-5 || i+1 < len(ranked) && ranked[i].Score-ranked[i+1].Score < 1e-5 ||
		i+1 == len(ranked)
}

func randomBlend(random *rand.Rand) model.Blend {
	weight := func() float64 { return float64(random.IntN(2)) * random.Float64() }
	return model.Blend{Factors: 0.1 + weight(), Neighbours: weight(), Recent: weight(), Own: weight(), Popular: weight(), NeighboursDecay: 0.9, OwnDecay: 0.99}
}

// reference ranks by the blend's formula, with plain loops over the whole catalogue.
func reference(spec modeltest.Spec, shop recommend.Rules, visitor int, o recommend.Options) []recommend.Item {
	n := len(spec.Items)
	var factors, nearness, recent, own, popular, place = make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]int, n)
	number := map[string]int{}
	for i, id := range spec.Items {
		number[id], place[i] = i, n+i
	}
	b := spec.Blends.VisitorNew.Or(model.ByFactors)
	if o.IncludeSeen {
		b = spec.Blends.VisitorAll.Or(model.ByFactors)
	}
	for i := range spec.Items {
		for j, x := range spec.ItemFactors[i] {
			factors[i] += float64(x) * float64(spec.VisitorFactors[visitor][j])
		}
	}
	for i, s := range spec.Popular["all"] {
		popular[number[s.Item]], place[number[s.Item]] = s.Score, i
	}
	seen := spec.Seen[spec.Visitors[visitor]]
	for _, p := range seen {
		own[number[p.Item]] = math.Cbrt(float64(p.Habit) * math.Pow(b.OwnDecay, float64(p.Age)))
		for _, s := range spec.Near[p.Item] {
			nearness[number[s.Item]] += float64(p.Strength) * math.Pow(b.NeighboursDecay, float64(p.Age)) * s.Score
		}
		for _, s := range spec.Recent[p.Item] {
			recent[number[s.Item]] += float64(p.Strength) * math.Pow(b.NeighboursDecay, float64(p.Age)) * s.Score
		}
	}
	share := func(signal []float64, i int) float64 {
		if largest := slices.Max(signal); largest > 0 {
			return signal[i] / largest
		}
		return 0
	}
	type candidate struct {
		recommend.Item
		place int
	}
	var all []candidate
	for i, id := range spec.Items {
		touched := slices.ContainsFunc(seen, func(p modeltest.Pair) bool { return p.Item == id })
		if touched && !o.IncludeSeen || !eligible(spec, shop, o, id) {
			continue
		}
		score := b.Factors*share(factors, i) + b.Neighbours*share(nearness, i) + b.Recent*share(recent, i) + b.Own*share(own, i) + b.Popular*share(popular, i)
		all = append(all, candidate{recommend.Item{ID: id, Score: boost(spec, shop, id, score)}, place[i]})
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.Score, a.Score), a.place-b.place) })
	var page []recommend.Item
	for i := o.Offset; i < len(all) && i < o.Offset+o.Limit; i++ {
		page = append(page, all[i].Item)
	}
	return page
}
