package purchase

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"cartwheel/internal/model"
)

// byPairs is the area under the ROC curve by its meaning: how often a buyer is scored above one who is not, ties counting half.
func byPairs(outcomes []outcome) float64 {
	var won, all float64
	for _, a := range outcomes {
		for _, b := range outcomes {
			if !a.bought || b.bought {
				continue
			}
			w := a.weight * b.weight
			all += w
			if a.score > b.score {
				won += w
			} else if a.score == b.score {
				won += w / 2
			}
		}
	}
	return won / all
}

func random(n int, seed uint64) []outcome {
	draw := rand.New(rand.NewPCG(seed, 0))
	outcomes := make([]outcome, n)
	for i := range outcomes {
		p := math.Floor(draw.Float64()*20) / 20 // with ties
		outcomes[i] = outcome{bought: draw.Float64() < p/3, weight: 1 + float64(draw.IntN(4)), score: p, probability: p / 3}
	}
	return outcomes
}

func TestAreas(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		outcomes := random(200, seed)
		roc, _ := rank(outcomes).areas(nil)
		if want := byPairs(outcomes); math.Abs(roc-want) > 1e-12 {
			t.Errorf("seed %d: area under ROC %v, by pairs %v", seed, roc, want)
		}
	}
	perfect := []outcome{{true, 1, 3, 0}, {true, 1, 2, 0}, {false, 1, 1, 0}, {false, 1, 0, 0}}
	if roc, pr := rank(perfect).areas(nil); roc != 1 || pr != 1 {
		t.Errorf("a perfect order has areas %v and %v", roc, pr)
	}
	blind := []outcome{{true, 1, 1, 0}, {false, 3, 1, 0}}
	if roc, pr := rank(blind).areas(nil); roc != 0.5 || pr != 0.25 {
		t.Errorf("one score for all has areas %v and %v, want 0.5 and the rate, 0.25", roc, pr)
	}
	// By hand: after the scores 3, 2, 1 the curve is at recall 1/2, 1/2, 1 and precision 1, 1/2, 2/3.
	hand := []outcome{{true, 1, 3, 0}, {false, 1, 2, 0}, {true, 1, 1, 0}}
	if roc, pr := rank(hand).areas(nil); roc != 0.5 || math.Abs(pr-(0.5+0.5*(0.5+2.0/3)/2)) > 1e-15 {
		t.Errorf("areas %v and %v", roc, pr)
	}
	if roc, _ := rank(perfect[:2]).areas(nil); !math.IsNaN(roc) {
		t.Errorf("buyers alone have the area %v", roc)
	}
}

func TestTimesAreRepetition(t *testing.T) {
	t.Parallel()
	outcomes, draw := random(100, 1), rand.New(rand.NewPCG(3, 3))
	times := make([]uint8, len(outcomes))
	var repeated []outcome
	for i := range times {
		times[i] = uint8(draw.IntN(4))
		for range times[i] {
			repeated = append(repeated, outcomes[i])
		}
	}
	roc, pr := rank(outcomes).areas(times)
	wantROC, wantPR := rank(repeated).areas(nil)
	if math.Abs(roc-wantROC) > 1e-12 || math.Abs(pr-wantPR) > 1e-12 || math.Abs(rank(outcomes).brier(times)-rank(repeated).brier(nil)) > 1e-12 {
		t.Errorf("areas %v, %v, by repetition %v, %v", roc, pr, wantROC, wantPR)
	}
}

func TestIntervalsBracketTheMean(t *testing.T) {
	t.Parallel()
	outcomes := random(2000, 5)
	pr, roc, brier := measure([]ranking{rank(outcomes)}, 1)
	for name, v := range map[string]model.Interval{"PR": pr[0], "ROC": roc[0], "Brier": brier[0]} {
		if !(v.Low < v.Mean && v.Mean < v.High) {
			t.Errorf("%s: %+v", name, v)
		}
	}
	// Hanley and McNeil's (1982) standard error of this area is 0.013 without weights; with them, more.
	if width := roc[0].High - roc[0].Low; width < 0.03 || width > 0.1 {
		t.Errorf("the ROC's interval is %v wide", width)
	}
}

func TestCalibration(t *testing.T) {
	t.Parallel()
	draw := rand.New(rand.NewPCG(9, 9))
	var outcomes []outcome
	truth := func(score float64) float64 { return sigmoid(1.5*logit(score) - 4) } // the weights of the classes moved it
	for range 100_000 {
		score := 0.02 + 0.96*draw.Float64()
		outcomes = append(outcomes, outcome{bought: draw.Float64() < truth(score), weight: 2, score: score})
	}
	c := calibrate(outcomes)
	if math.Abs(c.Slope-1.5) > 0.05 || math.Abs(c.Intercept+4) > 0.1 {
		t.Errorf("got %+v, want slope 1.5 and intercept -4", c)
	}
	for i := range outcomes {
		outcomes[i].probability = apply(c, outcomes[i].score)
	}
	rows := reliability(rank(outcomes))
	if len(rows) != reliabilityRows {
		t.Errorf("%d rows", len(rows))
	}
	var all float64
	for i, row := range rows {
		all += row.Visitors
		if math.Abs(row.Observed-row.Predicted) > 0.2*row.Predicted+0.002 {
			t.Errorf("row %d: predicted %v, observed %v", i, row.Predicted, row.Observed)
		}
		if i > 0 && row.Predicted <= rows[i-1].Predicted {
			t.Errorf("row %d does not come after the one before", i)
		}
	}
	if all != 200_000 {
		t.Errorf("the rows hold %v visitors, want all 200000", all)
	}
}

func TestCalibrationWithoutSense(t *testing.T) {
	t.Parallel()
	for name, outcomes := range map[string][]outcome{
		"one score":     {{false, 3, 0.4, 0}, {true, 1, 0.4, 0}},
		"turned round":  {{true, 1, 0.1, 0}, {false, 1, 0.8, 0}, {false, 1, 0.9, 0}, {false, 1, 0.99, 0}},
		"certain":       {{true, 1, 1, 0}, {false, 1, 0, 0}, {false, 1, 0, 0}},
		"nobody bought": {{false, 1, 0.2, 0}, {false, 1, 0.6, 0}},
	} {
		c := calibrate(outcomes)
		if !finite(c.Slope) || !finite(c.Intercept) || c.Slope < 0 {
			t.Errorf("%s: %+v", name, c)
		}
		for _, p := range []float64{0, 0.3, 1} {
			if got := apply(c, p); !(got >= 0 && got <= 1) {
				t.Errorf("%s: %v becomes %v", name, p, got)
			}
		}
	}
	if c := calibrate([]outcome{{true, 1, 0.1, 0}, {false, 1, 0.8, 0}, {false, 1, 0.9, 0}}); c.Slope != 0 || math.Abs(apply(c, 0.9)-0.4) > 1e-12 {
		t.Errorf("scores that say the opposite: %+v, want the smoothed rate 2/5 for everybody", c)
	}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func TestPlan(t *testing.T) {
	t.Parallel()
	const from, to = 1000 * day, 1100*day - 1
	p, err := newPlan(from, to, 28, 7)
	if err != nil {
		t.Fatal(err)
	}
	if p.test.At+p.label != to+1 {
		t.Errorf("the last label period ends at %d, not with the data at %d", p.test.At+p.label, to+1)
	}
	all := p.windows()
	if len(all) != moments+2 {
		t.Errorf("%d moments", len(all))
	}
	for i, w := range all {
		if w.At-w.From != 28*day {
			t.Errorf("window %d is %d ms long", i, w.At-w.From)
		}
		if i > 0 && all[i-1].At+p.label > w.At {
			t.Errorf("the label period after moment %d reaches into what is looked at next", i-1)
		}
	}
	later := p.later()
	if later.calibrate != p.test || later.train[len(later.train)-1] != p.calibrate || len(later.train) != moments {
		t.Errorf("the later plan is %+v", later)
	}
	if p, err := newPlan(1072*day, to, 28, 7); err != nil || len(p.train) != 1 || later.calibrate != p.test {
		t.Errorf("with four label periods: %+v, %v", p, err)
	}
	var few *tooLittle
	if _, err := newPlan(1072*day+1, to, 28, 7); !errors.As(err, &few) {
		t.Errorf("with less: %v", err)
	}
}
