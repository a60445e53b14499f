package purchase

import (
	"math"

	"cartwheel/internal/model"
)

// calibrate fits Platt's scaling (Platt 1999, with the smoothed targets of his section 2.2) by Newton's method with step halving, as
// in Lin, Lin and Weng (2007). Where the scores would have to be turned round, they say nothing, and everybody gets the rate.
func calibrate(outcomes []outcome) model.Calibration {
	var ones, zeros float64 // as drawn, for smoothing
	var onesW, zerosW float64
	for _, o := range outcomes {
		if o.bought {
			ones, onesW = ones+1, onesW+o.weight
		} else {
			zeros, zerosW = zeros+1, zerosW+o.weight
		}
	}
	high, low := (ones+1)/(ones+2), 1/(zeros+2)
	goal := func(o *outcome) float64 {
		if o.bought {
			return high
		}
		return low
	}
	loss := func(c model.Calibration) (sum float64) {
		for i := range outcomes {
			o := &outcomes[i]
			z := c.Slope*logit(o.score) + c.Intercept
			// The cross entropy, written so that neither exp overflows.
			sum += o.weight * (math.Max(z, 0) - z*goal(o) + math.Log1p(math.Exp(-math.Abs(z))))
		}
		return sum
	}
	flat := model.Calibration{Intercept: math.Log((onesW + 1) / (zerosW + 1))}
	c := flat
	best := loss(c)
	for range 50 {
		var g1, g2, h11, h12, h22 float64
		for i := range outcomes {
			o := &outcomes[i]
			x := logit(o.score)
			p := sigmoid(c.Slope*x + c.Intercept)
			d, h := o.weight*(p-goal(o)), o.weight*p*(1-p)
			g1, g2 = g1+d*x, g2+d
			h11, h12, h22 = h11+h*x*x, h12+h*x, h22+h
		}
		const ridge = 1e-9
		h11, h22 = h11+ridge, h22+ridge
		det := h11*h22 - h12*h12
		if !(det > 0) {
			break
		}
		slope, intercept := (h22*g1-h12*g2)/det, (h11*g2-h12*g1)/det
		better := false
		for step := 1.0; step > 1e-6 && !better; step /= 2 {
			next := model.Calibration{Slope: c.Slope - step*slope, Intercept: c.Intercept - step*intercept}
			if l := loss(next); l < best {
				better = best-l > 1e-12*math.Abs(best)
				c, best = next, l
				break
			}
		}
		if !better {
			break
		}
	}
	if !(c.Slope > 0) {
		return flat
	}
	return c
}

// apply is a model's probability after calibration.
func apply(c model.Calibration, p float64) float64 { return sigmoid(c.Slope*logit(p) + c.Intercept) }

// logit is the log odds of a probability that is kept off 0 and 1.
func logit(p float64) float64 {
	const least = 1e-9
	p = min(max(p, least), 1-least)
	return math.Log(p / (1 - p))
}

func sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
