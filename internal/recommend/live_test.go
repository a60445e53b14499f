package recommend_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"testing"

	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

func clicks(at int64, items ...string) []recommend.LiveClick {
	var list []recommend.LiveClick
	for i, item := range items {
		list = append(list, recommend.LiveClick{Click: recommend.Click{ItemID: item, Event: "view"}, At: at + int64(i)})
	}
	return list
}

// Whoever has done nothing since is answered as before, to the bit, whatever was asked of the recommender meanwhile.
func TestNothingNewChangesNothing(t *testing.T) {
	t.Parallel()
	spec := modeltest.Random("random", 5, 40, 200, 8)
	r := load(t, spec)
	dice := rand.New(rand.NewPCG(1, 9))
	for i := range 300 {
		id := fmt.Sprintf("v%d", dice.IntN(44)) // some are unknown
		o := recommend.Options{Limit: 1 + dice.IntN(20), Offset: dice.IntN(10), IncludeSeen: dice.IntN(2) == 0, Explain: dice.IntN(2) == 0}
		want := r.Visitor(id, o)
		r.VisitorWith(fmt.Sprintf("v%d", dice.IntN(44)), clicks(1e12, fmt.Sprintf("i%d", dice.IntN(220)), "i1"), o)
		if got := r.VisitorWith(id, nil, o); !reflect.DeepEqual(got, want) {
			t.Fatalf("question %d of %s: got %v, want %v", i, id, got, want)
		}
		strategy, scores := r.Scores(id, []string{"i1", "i2", "nothing"})
		if s, got := r.ScoresWith(id, nil, []string{"i1", "i2", "nothing"}); s != strategy || !reflect.DeepEqual(got, scores) {
			t.Fatalf("scores of %s: got %v, want %v", id, got, scores)
		}
	}
}

// What is new counts as if the version had it: a version that was trained with the event answers alike.
func TestNewEventsCountAsTrainedOnes(t *testing.T) {
	t.Parallel()
	without, with := small(), small()
	without.VisitorFactors[0], with.VisitorFactors[0] = nil, nil // folded in by both
	without.Seen["anna"] = []modeltest.Pair{{Item: "a1", Strength: 2, Age: 3, Habit: 2}}
	with.Seen["anna"] = []modeltest.Pair{{Item: "b1", Strength: 2, Habit: 1}, {Item: "a1", Strength: 5, Age: 0, Habit: 5}}
	with.Seen["anna"][0].Age = 0
	near := map[string][]modeltest.Scored{"b1": {{Item: "b2", Score: 0.5}}, "a1": {{Item: "a2", Score: 0.5}}}
	without.Near, with.Near = near, near
	live := []recommend.LiveClick{{Click: recommend.Click{ItemID: "a1", Event: "addtocart"}, At: 1e12}}
	live = append(live, clicks(1e12, "b1", "b1")...)
	for _, seen := range []bool{true, false} {
		o := recommend.Options{Limit: 10, IncludeSeen: seen, Explain: true}
		got, want := load(t, without).VisitorWith("anna", live, o), load(t, with).Visitor("anna", o)
		if len(got.Items) != len(want.Items) || got.Strategy != want.Strategy {
			t.Fatalf("got %v, want %v", got, want)
		}
		for i, item := range want.Items {
			if got.Items[i].ID != item.ID || abs(got.Items[i].Score-item.Score) > 1e-6 {
				t.Errorf("place %d: got %v, want %v", i, got.Items[i], item)
			}
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

// A visitor whom the version does not know is answered as a session, and his items do not come back unless that is wanted.
func TestStrangersAreAnsweredFromTheFirstClick(t *testing.T) {
	t.Parallel()
	r := load(t, small())
	for _, seen := range []bool{true, false} {
		o := recommend.Options{Limit: 5, IncludeSeen: seen}
		got := r.VisitorWith("stranger", clicks(1, "b1"), o)
		if want := r.Session([]recommend.Click{{ItemID: "b1", Event: "view"}}, o); !reflect.DeepEqual(got, want) || got.Strategy != recommend.StrategySession {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if strategy, scores := r.ScoresWith("stranger", clicks(1, "b1"), []string{"b2"}); strategy != recommend.StrategySession || scores[0].Score <= 0 {
		t.Errorf("%s %v", strategy, scores)
	}
}

// An item newer than the version may come back, and is not one of the version's.
func TestNewItemsOfAKnownVisitor(t *testing.T) {
	t.Parallel()
	spec := small()
	spec.Blends.VisitorAll.Own, spec.Blends.VisitorAll.OwnDecay, spec.Blends.VisitorAll.NeighboursDecay = 1, 0.9, 0.9
	r := load(t, spec)
	all := r.VisitorWith("anna", clicks(1, "brand-new"), recommend.Options{Limit: 10, IncludeSeen: true, Explain: true})
	found := false
	for _, item := range all.Items {
		found = found || item.ID == "brand-new" && item.Score > 0
	}
	if !found {
		t.Errorf("the new item is not in %v", all)
	}
	for _, item := range r.VisitorWith("anna", clicks(1, "brand-new"), recommend.Options{Limit: 10}).Items {
		if item.ID == "brand-new" {
			t.Error("the new item is shown although seen items are excluded")
		}
	}
}

func TestWantedItemsLead(t *testing.T) {
	t.Parallel()
	r := load(t, small())
	popular, _ := r.Popular("all", recommend.Options{Limit: 20})
	a := r.Wanted(wanted("b2", "brand-new", "a1"), recommend.Options{Limit: 20, Exclude: []string{"a1"}})
	if a.Items[0].ID != "b2" || a.Items[1].ID != "brand-new" || len(a.Items) != len(popular.Items) {
		t.Errorf("got %v beside %v", a, popular)
	}
	for _, item := range a.Items {
		if item.ID == "a1" {
			t.Error("an excluded item is shown")
		}
	}
	if page := r.Wanted(wanted("b2", "brand-new"), recommend.Options{Limit: 1, Offset: 1}); len(page.Items) != 1 || page.Items[0].ID != "brand-new" {
		t.Errorf("the second page is %v", page)
	}
	boosted := r.WithRules(recommend.Rules{ItemBoosts: map[string]float64{"a1": 9}})
	if first := boosted.Wanted(wanted("b2", "brand-new", "a1"), recommend.Options{Limit: 1}); first.Items[0].ID != "a1" {
		t.Errorf("a boost does not bring the last to the front: %v", first)
	}
}

// wanted gives items scores, the first the largest.
func wanted(ids ...string) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for i, id := range ids {
			if !yield(id, float64(len(ids)-i)) {
				return
			}
		}
	}
}
