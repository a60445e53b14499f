package recommend_test

import (
	"fmt"
	"math"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

// The best item may be far down in every signal's own list. Here 300 items lead by factors and 300 others by popularity, and the one
// that is 301st in both is the best by their sum.
func TestTheBestMayLeadInNoSignal(t *testing.T) {
	t.Parallel()
	spec := modeltest.Spec{Name: "x", Rank: 1, Alpha: 1, RegParam: 0.1, Visitors: []string{"v"}, VisitorFactors: [][]float32{{1}},
		Seen:    map[string][]modeltest.Pair{"v": {{Item: "p0", Strength: 1}}},
		Popular: map[string][]modeltest.Scored{},
		Blends:  model.Blends{VisitorAll: model.Blend{Factors: 1, Popular: 1, NeighboursDecay: 1, OwnDecay: 1}}}
	add := func(id string, factor float32, popular float64) {
		spec.Items, spec.ItemFactors = append(spec.Items, id), append(spec.ItemFactors, []float32{factor})
		if popular > 0 {
			spec.Popular["all"] = append(spec.Popular["all"], modeltest.Scored{Item: id, Score: popular})
		}
	}
	for i := range 300 {
		add(fmt.Sprintf("p%d", i), 0.001, 1-0.0001*float64(i))
	}
	for i := range 300 {
		add(fmt.Sprintf("f%d", i), 1-0.0001*float32(i), 0)
	}
	add("both", 0.9, 0.9)
	a := load(t, spec).Visitor("v", recommend.Options{Limit: 1, IncludeSeen: true})
	if len(a.Items) != 1 || a.Items[0].ID != "both" {
		t.Errorf("got %v, want the item that is good in both", a.Items)
	}
}

func TestSharesAreTheSignalsParts(t *testing.T) {
	t.Parallel()
	spec := small()
	spec.Seen["anna"] = []modeltest.Pair{{Item: "a1", Strength: 4, Habit: 8}, {Item: "a2", Strength: 1, Habit: 1}}
	spec.Near = map[string][]modeltest.Scored{"a1": {{Item: "b1", Score: 0.25}}, "a2": {{Item: "b1", Score: 1}, {Item: "a1", Score: 0.2}}}
	spec.Blends.VisitorAll = model.Blend{Neighbours: 1, Own: 1, NeighboursDecay: 1, OwnDecay: 1}
	a := load(t, spec).Visitor("anna", recommend.Options{Limit: 3, IncludeSeen: true, Explain: true})

	// Near: b1 has 4·0.25 + 1·1 = 2, the largest, and a1 has 1·0.2. Own: a1 has the cube root of 8, the largest, and a2 that of 1.
	want := []struct {
		id     string
		score  float64
		shares map[string]float64
	}{
		{"a1", 0.2/2 + 1, map[string]float64{"a1": 1 / 1.1, "a2": 0.1 / 1.1}},
		{"b1", 1, map[string]float64{"a1": 0.5, "a2": 0.5}},
		{"a2", 0.5, map[string]float64{"a2": 1}},
	}
	if len(a.Items) != len(want) {
		t.Fatalf("got %v", a.Items)
	}
	for i, w := range want {
		got := a.Items[i]
		if got.ID != w.id || math.Abs(got.Score-w.score) > 1e-6 || len(got.Because) != len(w.shares) {
			t.Errorf("place %d is %v, want %s with %v because of %v", i, got, w.id, w.score, w.shares)
		}
		for _, share := range got.Because {
			if math.Abs(share.Share-w.shares[share.ID]) > 1e-6 {
				t.Errorf("%s because of %s: %v, want %v", w.id, share.ID, share.Share, w.shares[share.ID])
			}
		}
	}
}

func TestLongSessions(t *testing.T) {
	t.Parallel()
	r := load(t, small())
	clicks := []recommend.Click{{ItemID: "b1"}}
	for range 5000 {
		clicks = append(clicks, recommend.Click{ItemID: "a1"})
	}
	for _, item := range r.Session(clicks, recommend.Options{Limit: 100}).Items {
		if item.ID == "b1" || item.ID == "a1" {
			t.Errorf("%s was clicked, however long ago, and is shown", item.ID)
		}
	}
	if a := r.Session(clicks, recommend.Options{Limit: 1, IncludeSeen: true}); a.Items[0].ID != "a1" {
		t.Errorf("after 5,000 clicks on a1: %v", a.Items)
	}
}
