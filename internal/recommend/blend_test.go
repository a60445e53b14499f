package recommend_test

import (
	"fmt"
	"math"
	"slices"
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

// A click counts by its kind's weight to the power that the blend says, for its item's neighbours and for the item itself.
func TestClicksCountByTheirKind(t *testing.T) {
	t.Parallel()
	clicks := []recommend.Click{{ItemID: "a1", Event: "transaction"}, {ItemID: "b1", Event: "addtocart"}, {ItemID: "b1", Event: "view"}}
	// Near: a1 leads to a3, b1 to b2, each by 1. Two clicks back halve twice. The nearer of b1's clicks weighs 1, the other 3/2.
	for kinds, want := range map[float64]map[string]float64{
		0: {"b2": 1, "a3": 0.25, "b1": 1, "a1": 0.25 / 1.5},
		1: {"b2": 1, "a3": 1.25 / 1.5, "b1": 1, "a1": 1.25 / 2.5},
	} {
		spec := small()
		spec.Near = map[string][]modeltest.Scored{"a1": {{Item: "a3", Score: 1}}, "b1": {{Item: "b2", Score: 1}}}
		spec.Blends.Session = model.Blend{Neighbours: 1, Own: 1, NeighboursDecay: 0.5, OwnDecay: 0.5, Kinds: kinds}
		r := load(t, spec)
		got := map[string]float64{}
		for _, item := range r.Session(clicks, recommend.Options{Limit: 4, IncludeSeen: true}).Items {
			got[item.ID] = item.Score
		}
		if len(got) != len(want) {
			t.Errorf("kinds %v: %v", kinds, got)
		}
		for id, score := range want {
			if math.Abs(got[id]-score) > 1e-6 {
				t.Errorf("kinds %v: %s has %v, want %v", kinds, id, got[id], score)
			}
		}
		// What a training chooses by is the same.
		weighings := []recommend.Weighing{{Decay: 1}, {Decay: 0.5}, {Decay: 1, Kinds: 1}, {Decay: 0.5, Kinds: 1}}
		signals, at := r.SessionSignals(clicks, weighings), 1+2*int(kinds)
		for i, item := range signals.Items {
			if score := float64(signals.Near[at][i] + signals.Own[at][i]); math.Abs(score-want[spec.Items[item]]) > 1e-6 {
				t.Errorf("kinds %v: the signals of %s come to %v, want %v", kinds, spec.Items[item], score, want[spec.Items[item]])
			}
		}
	}
}

// The signals of a session of one kind of event are worked out for one power, and hold for all.
func TestClicksOfOneKindCountAlike(t *testing.T) {
	t.Parallel()
	spec := small()
	spec.Near = map[string][]modeltest.Scored{"a1": {{Item: "a3", Score: 0.7}}, "b1": {{Item: "b2", Score: 0.3}, {Item: "a3", Score: 0.1}}}
	r := load(t, spec)
	clicks := []recommend.Click{{ItemID: "b1", Event: "addtocart"}, {ItemID: "a1", Event: "addtocart"}, {ItemID: "b1", Event: "addtocart"}}
	shared := r.SessionSignals(clicks, []recommend.Weighing{{Decay: 0.9}, {Decay: 0.4}, {Decay: 0.9, Kinds: 1}, {Decay: 0.4, Kinds: 1}})
	alone := r.SessionSignals(clicks, []recommend.Weighing{{Decay: 0.9, Kinds: 1}, {Decay: 0.4, Kinds: 1}})
	if len(shared.Near) != 4 || len(shared.Recent) != 4 || len(shared.Own) != 4 {
		t.Fatalf("%d, %d and %d ways, want 4", len(shared.Near), len(shared.Recent), len(shared.Own))
	}
	for w := range 2 {
		for i, item := range alone.Items {
			j := slices.Index(shared.Items, item)
			if j < 0 || math.Abs(float64(shared.Near[2+w][j]-alone.Near[w][i])) > 1e-6 || math.Abs(float64(shared.Own[2+w][j]-alone.Own[w][i])) > 1e-6 {
				t.Errorf("item %s in way %d: %v and %v, want %v and %v", spec.Items[item], w, shared.Near[2+w], shared.Own[2+w], alone.Near[w], alone.Own[w])
			}
		}
	}
}
