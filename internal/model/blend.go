package model

import "fmt"

// Blend says how the signals of a history are weighed against each other. Each signal is divided by its largest value over the
// catalogue before it is weighed, so that weights of different shops, visitors and signals can be compared.
type Blend struct {
	Factors    float64 `json:"factors"`    // inner product of ALS's factors
	Neighbours float64 `json:"neighbours"` // seen together with the history's items
	Recent     float64 `json:"recent"`     // seen together with them of late
	Own        float64 `json:"own"`        // being one of the history's items
	Popular    float64 `json:"popular"`

	// How fast the history's items lose weight for their neighbours, recent or not, and for themselves: in a session by this factor a
	// click back; of a visitor by this factor a day, on top of the decay in the strengths, part of which a factor above 1 takes back. 1 is not at all.
	NeighboursDecay float64 `json:"neighbours_decay"`
	OwnDecay        float64 `json:"own_decay"`

	// How much the kind of event counts in a session: a click counts by its kind's weight to this power. 0 is all alike. The strengths of
	// a visitor's items have their events' weights in them.
	Kinds float64 `json:"kinds,omitempty"`
}

// Blends are the blends of a version, one for each kind of question, as its training chose them.
type Blends struct {
	Session    Blend `json:"session"`     // what comes next in a session
	VisitorNew Blend `json:"visitor_new"` // what else a visitor will want
	VisitorAll Blend `json:"visitor_all"` // what a visitor will want next, things he knows included
}

// ByFactors is the blend that ranks by ALS alone.
var ByFactors = Blend{Factors: 1, NeighboursDecay: 1, OwnDecay: 1}

// Or returns b, or other if b weighs nothing, as in a version that was trained without blends.
func (b Blend) Or(other Blend) Blend {
	if b.Factors == 0 && b.Neighbours == 0 && b.Recent == 0 && b.Own == 0 && b.Popular == 0 {
		return other
	}
	return b
}

func (b Blend) check() error {
	for name, weight := range map[string]float64{"factors": b.Factors, "neighbours": b.Neighbours, "recent": b.Recent, "own": b.Own, "popular": b.Popular} {
		if !finite(weight) || weight < 0 {
			return fmt.Errorf("the weight of %s in a blend is %v", name, weight)
		}
	}
	for name, decay := range map[string]float64{"neighbours": b.NeighboursDecay, "own": b.OwnDecay} {
		if !finite(decay) || decay < 0 || decay > 2 {
			return fmt.Errorf("the decay of %s in a blend is %v", name, decay)
		}
	}
	if !finite(b.Kinds) || b.Kinds < 0 || b.Kinds > 2 {
		return fmt.Errorf("the power of the kinds of event in a blend is %v", b.Kinds)
	}
	return nil
}
