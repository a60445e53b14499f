package model

import (
	"math"
	"strings"
	"testing"
)

func TestBlendsOutOfRangeAreRefused(t *testing.T) {
	t.Parallel()
	if err := (Blend{Factors: 0.6, Neighbours: 1, NeighboursDecay: 0.9, OwnDecay: 1.02, Kinds: 0.5}).check(); err != nil {
		t.Errorf("a sound blend: %v", err)
	}
	for word, set := range map[string]func(*Blend, float64){
		"weight of factors":    func(b *Blend, x float64) { b.Factors = x },
		"weight of neighbours": func(b *Blend, x float64) { b.Neighbours = x },
		"weight of recent":     func(b *Blend, x float64) { b.Recent = x },
		"weight of own":        func(b *Blend, x float64) { b.Own = x },
		"weight of popular":    func(b *Blend, x float64) { b.Popular = x },
		"decay of neighbours":  func(b *Blend, x float64) { b.NeighboursDecay = x },
		"decay of own":         func(b *Blend, x float64) { b.OwnDecay = x },
		"power of the kinds":   func(b *Blend, x float64) { b.Kinds = x },
	} {
		for _, x := range []float64{-0.1, math.NaN(), math.Inf(1)} {
			b := ByFactors
			set(&b, x)
			if err := b.check(); err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s of %v: %v", word, x, err)
			}
		}
	}
}
