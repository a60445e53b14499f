package recommend_test

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
)

// Shares on factors that Spark learned, against the formula worked out here with gonum's dense matrices.
func TestSharesTakeTheScoreApart(t *testing.T) {
	t.Parallel()
	v, err := model.Load("../model/testdata/20261124T220726Z-ab8338")
	if err != nil {
		t.Fatal(err)
	}
	byFactors := model.Blends{VisitorNew: model.ByFactors, VisitorAll: model.ByFactors, Session: model.ByFactors}
	r, rank := recommend.New(v).With(byFactors), v.Factors.Rank
	row := func(item int32) *mat.VecDense {
		y := mat.NewVecDense(rank, nil)
		for i, x := range v.Factors.Items.Of(item) {
			y.SetVec(i, float64(x))
		}
		return y
	}
	gramian := mat.NewSymDense(rank, nil)
	for item := range int32(v.Items.Len()) {
		gramian.SymRankOne(gramian, 1, row(item))
	}
	explained := 0
	for visitor := range int32(400) {
		a := r.Visitor(v.Visitors.Name(visitor), recommend.Options{Limit: 3, Explain: true})
		if a.Strategy != "als" {
			continue
		}
		items, strengths := v.Seen.Of(visitor)
		left := mat.NewSymDense(rank, nil)
		left.CopySym(gramian)
		var n float64
		for i, item := range items {
			if mat.Norm(row(item), 2) > 0 {
				left.SymRankOne(left, v.Manifest.Parameters.Alpha*float64(strengths[i]), row(item))
				n++
			}
		}
		for i := range rank {
			left.SetSym(i, i, left.At(i, i)+v.Manifest.Parameters.RegParam*n)
		}
		var inverse mat.Dense
		if err := inverse.Inverse(left); err != nil {
			t.Fatal(err)
		}
		for _, item := range a.Items {
			if item.Score == 0 {
				continue // an item without factors, where few have any
			}
			number, _ := v.Items.Number(item.ID)
			part := func(i int) float64 {
				c := v.Manifest.Parameters.Alpha * float64(strengths[i])
				return (1 + c) * mat.Inner(row(number), &inverse, row(items[i]))
			}
			var whole, sum float64
			for i := range items {
				whole += part(i)
			}
			for _, share := range item.Because {
				touched, _ := v.Items.Number(share.ID)
				i := slices.Index(items, touched)
				if i < 0 {
					t.Fatalf("visitor %d never touched %s", visitor, share.ID)
				}
				want := part(i) / whole
				// Scores are of factors in float32; and where not all items are named, those that are stand for the rest.
				if len(items) <= 50 && math.Abs(share.Share-want) > 1e-4 {
					t.Errorf("visitor %d, item %s: %s has share %v, want %v", visitor, item.ID, share.ID, share.Share, want)
				}
				sum += share.Share
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("visitor %d, item %s: shares add up to %v", visitor, item.ID, sum)
			}
			explained++
		}
	}
	if explained < 100 {
		t.Errorf("only %d items were explained", explained)
	}
}

func TestExplanationNamesTheItemThatMatters(t *testing.T) {
	t.Parallel()
	r := load(t, small())
	clicks := []recommend.Click{{ItemID: "a1"}, {ItemID: "b1"}, {ItemID: "new1"}}
	a := r.Session(clicks, recommend.Options{Limit: 2, Explain: true})
	for _, item := range a.Items {
		want := map[string]string{"a2": "a1", "a3": "a1", "b2": "b1"}[item.ID]
		if len(item.Because) != 2 || item.Because[0].ID != want || item.Because[0].Share <= item.Because[1].Share {
			t.Errorf("%s is explained by %v, want %s first", item.ID, item.Because, want)
		}
	}
	if a := r.Session(clicks, recommend.Options{Limit: 2}); a.Items[0].Because != nil {
		t.Error("an explanation that nobody asked for")
	}
}

func TestScoresAreWhatAnswersRankBy(t *testing.T) {
	t.Parallel()
	r := load(t, small())
	for _, visitor := range []string{"anna", "cold", "nobody"} {
		a := r.Visitor(visitor, recommend.Options{Limit: 10, IncludeSeen: true})
		ids := []string{"nothing"}
		for _, item := range a.Items {
			ids = append(ids, item.ID)
		}
		strategy, scores := r.Scores(visitor, ids)
		if strategy != a.Strategy || len(scores) != len(ids) || scores[0] != (recommend.ItemScore{ID: "nothing"}) {
			t.Fatalf("%s: %s %v", visitor, strategy, scores)
		}
		for i, item := range a.Items {
			if scores[i+1] != (recommend.ItemScore{ID: item.ID, Score: item.Score, Known: true}) {
				t.Errorf("%s: %v, want %v", visitor, scores[i+1], item)
			}
		}
	}
}

// With every signal in the blend, the shares must add up to 1 and name nothing but what was touched.
func TestSharesOfABlendAddUp(t *testing.T) {
	t.Parallel()
	v, err := model.Load("../model/testdata/20261124T220726Z-ab8338")
	if err != nil {
		t.Fatal(err)
	}
	blend := model.Blend{Factors: 1, Neighbours: 1, Recent: 1, Own: 1, NeighboursDecay: 0.9, OwnDecay: 0.99}
	r := recommend.New(v).With(model.Blends{VisitorNew: blend, VisitorAll: blend, Session: blend})
	explained := 0
	for visitor := range int32(300) {
		items, _ := v.Seen.Of(visitor)
		for _, item := range r.Visitor(v.Visitors.Name(visitor), recommend.Options{Limit: 5, Explain: true, IncludeSeen: true}).Items {
			if item.Score == 0 {
				continue
			}
			var sum float64
			for _, share := range item.Because {
				number, _ := v.Items.Number(share.ID)
				if !slices.Contains(items, number) {
					t.Fatalf("visitor %d never touched %s", visitor, share.ID)
				}
				sum += share.Share
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Fatalf("visitor %d, item %s: shares add up to %v", visitor, item.ID, sum)
			}
			explained++
		}
	}
	if explained < 100 {
		t.Errorf("only %d items were explained", explained)
	}
}
