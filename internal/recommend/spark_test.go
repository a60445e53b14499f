package recommend

import (
	"math"
	"testing"

	"cartwheel/internal/model"
)

// The version in testdata was trained by Spark 4.1.2 on 12,000 generated events and 3,520 of visitors who buy week after week. ALS ends
// by solving for the visitors with the items fixed, so folding in a visitor of the training must give the very factors that Spark gave.
func TestFoldGivesSparksOwnFactors(t *testing.T) {
	t.Parallel()
	v, err := model.Load("../model/testdata/20261124T220726Z-ab8338")
	if err != nil {
		t.Fatal(err)
	}
	r := New(v)
	folded, checked := make([]float32, v.Factors.Rank), 0
	for visitor := range int32(v.Visitors.Len()) {
		learned := v.Factors.Visitors.Of(visitor)
		if learned == nil {
			continue
		}
		var pairs []pair
		items, strengths := v.Seen.Of(visitor)
		for i := range items {
			pairs = append(pairs, pair{items[i], strengths[i]})
		}
		if !r.folder.Fold(folded, pairs) {
			t.Fatalf("visitor %d cannot be folded in", visitor)
		}
		for i := range learned {
			if math.Abs(float64(folded[i]-learned[i])) > 1e-6*norm(learned) {
				t.Fatalf("visitor %d, factor %d: folded in %v, learned %v", visitor, i, folded[i], learned[i])
			}
		}
		checked++
	}
	if checked != 1718 {
		t.Errorf("%d visitors have factors, Spark wrote 1718", checked)
	}
}
