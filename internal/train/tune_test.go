package train

import (
	"slices"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
)

// twoSignals makes cases in which the target is the best item of one signal, and another signal points elsewhere.
func twoSignals(n int, targetByFactors bool) tuner {
	cases := make([]tuneCase, n)
	for i := range cases {
		flat := func(best int) []float32 {
			signal := make([]float32, 40)
			for j := range signal {
				signal[j] = 0.5
			}
			signal[best] = 1
			return signal
		}
		s := recommend.Signals{Factors: flat(7), Popular: make([]float32, 40)}
		for item := range int32(40) {
			s.Items = append(s.Items, item)
		}
		for range visitorDecays {
			s.Near, s.Recent, s.Own = append(s.Near, flat(30)), append(s.Recent, make([]float32, 40)), append(s.Own, make([]float32, 40))
		}
		target := int32(30)
		if targetByFactors {
			target = 7
		}
		cases[i] = tuneCase{half: halfA << (i % 2), signals: s, targets: []int32{target}, all: 1}
	}
	return tuner{visitorNew: cases}
}

func TestTuneFollowsTheSignalThatForetells(t *testing.T) {
	t.Parallel()
	for _, byFactors := range []bool{true, false} {
		cases := twoSignals(120, byFactors)
		blends := cases.tune(halfA)
		b := blends.VisitorNew
		if got := objective(b, visitorNew, visitorDecays, cases[visitorNew]); got < 0.999 {
			t.Errorf("factors foretell: %v; NDCG %v with %+v", byFactors, got, b)
		}
		if byFactors != (b.Factors > b.Neighbours) {
			t.Errorf("factors foretell: %v, but the blend is %+v", byFactors, b)
		}
		if blends.Session != defaultBlends.Session {
			t.Errorf("without a session to choose by, the blend for sessions became %+v", blends.Session)
		}
	}
	if b := twoSignals(60, true).tune(halfA); b.VisitorNew != defaultBlends.VisitorNew {
		t.Errorf("30 cases decided: %+v", b.VisitorNew)
	}
}

func TestDefaultsAreAmongTheValuesTried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		blend  model.Blend
		decays []float64
	}{
		"session": {defaultBlends.Session, sessionDecays}, "new": {defaultBlends.VisitorNew, visitorDecays}, "all": {defaultBlends.VisitorAll, visitorDecays},
	} {
		for _, w := range []float64{c.blend.Factors, c.blend.Neighbours, c.blend.Recent, c.blend.Own, c.blend.Popular} {
			if !slices.Contains(weights, w) {
				t.Errorf("%s: the weight %v is not tried", name, w)
			}
		}
		for _, d := range []float64{c.blend.NeighboursDecay, c.blend.OwnDecay} {
			if !slices.Contains(c.decays, d) {
				t.Errorf("%s: the decay %v is not tried, and the signals would be worked out for another", name, d)
			}
		}
	}
}
