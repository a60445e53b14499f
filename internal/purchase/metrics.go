package purchase

import (
	"cmp"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"cartwheel/internal/model"
)

// outcome is a visitor who was looked at: whether he then bought, for how many like him he stands, what a model said, and the
// probability that calibration makes of it.
type outcome struct {
	bought      bool
	weight      float64
	score       float64
	probability float64
}

// ranking is outcomes sorted by score, highest first, so that a resample's areas take one pass.
type ranking struct {
	outcomes []outcome
	order    []int32
}

func rank(outcomes []outcome) ranking {
	r := ranking{outcomes, make([]int32, len(outcomes))}
	for i := range r.order {
		r.order[i] = int32(i)
	}
	slices.SortStableFunc(r.order, func(a, b int32) int { return cmp.Compare(outcomes[b].score, outcomes[a].score) })
	return r
}

// areas are those under the ROC curve and under the precision-recall curve, by the trapezoidal rule and with the curve's first
// precision at recall 0, as MLlib's BinaryClassificationMetrics has them. times says how often each outcome counts; nil is once.
func (r ranking) areas(times []uint8) (roc, pr float64) {
	var ones, zeros float64
	for i, o := range r.outcomes {
		w := o.weight * count(times, int32(i))
		if o.bought {
			ones += w
		} else {
			zeros += w
		}
	}
	if ones == 0 || zeros == 0 {
		return math.NaN(), math.NaN()
	}
	var tp, fp, recall, precision float64
	first := true
	for i := 0; i < len(r.order); {
		score := r.outcomes[r.order[i]].score
		beforeTP, beforeFP := tp, fp
		for ; i < len(r.order) && r.outcomes[r.order[i]].score == score; i++ {
			o := &r.outcomes[r.order[i]]
			w := o.weight * count(times, r.order[i])
			if o.bought {
				tp += w
			} else {
				fp += w
			}
		}
		if tp == beforeTP && fp == beforeFP {
			continue
		}
		roc += (fp - beforeFP) / zeros * (tp + beforeTP) / 2 / ones
		p := tp / (tp + fp)
		if first {
			precision, first = p, false
		}
		pr += (tp/ones - recall) * (p + precision) / 2
		recall, precision = tp/ones, p
	}
	return roc, pr
}

// brier is the mean squared difference between probability and outcome (Brier 1950).
func (r ranking) brier(times []uint8) float64 {
	var sum, all float64
	for i, o := range r.outcomes {
		w := o.weight * count(times, int32(i))
		sum, all = sum+w*square(o.probability-target(o.bought)), all+w
	}
	return sum / all
}

func count(times []uint8, i int32) float64 {
	if times == nil {
		return 1
	}
	return float64(times[i])
}

func square(v float64) float64 { return v * v }

func target(bought bool) float64 {
	if bought {
		return 1
	}
	return 0
}

// resamples is how many times the bootstrap draws.
const resamples = 500

// measure gives each model's areas and Brier score with 95 % intervals by the percentile bootstrap (Efron and Tibshirani 1993,
// chapter 13) over visitors. All models are asked about the same resamples.
func measure(models []ranking, seed int64) (pr, roc, brier []model.Interval) {
	type figures struct{ pr, roc, brier float64 }
	n := len(models[0].outcomes)
	drawn := make([][]figures, len(models)) // by model, then by resample
	for m := range models {
		drawn[m] = make([]figures, resamples)
	}
	var group sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		group.Go(func() {
			times := make([]uint8, n)
			for i := worker; i < resamples; i += workers {
				draw := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
				clear(times)
				for range n {
					if at := draw.IntN(n); times[at] < math.MaxUint8 {
						times[at]++
					}
				}
				for m, r := range models {
					f := &drawn[m][i]
					f.roc, f.pr = r.areas(times)
					f.brier = r.brier(times)
				}
			}
		})
	}
	group.Wait()
	for m, r := range models {
		rocMean, prMean := r.areas(nil)
		pr = append(pr, interval(prMean, drawn[m], func(f figures) float64 { return f.pr }))
		roc = append(roc, interval(rocMean, drawn[m], func(f figures) float64 { return f.roc }))
		brier = append(brier, interval(r.brier(nil), drawn[m], func(f figures) float64 { return f.brier }))
	}
	return pr, roc, brier
}

// interval leaves out resamples that have no figure, for they drew no buyer.
func interval[F any](mean float64, drawn []F, of func(F) float64) model.Interval {
	var values []float64
	for _, f := range drawn {
		if v := of(f); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return model.Interval{Mean: mean, Low: mean, High: mean}
	}
	slices.Sort(values)
	return model.Interval{Mean: mean, Low: values[len(values)*25/1000], High: values[(len(values)*975-1)/1000]}
}

// reliabilityRows is into how many rows the table parts the visitors.
const reliabilityRows = 10

// reliability parts the visitors by probability, so that each row expects as many buyers as every other.
func reliability(r ranking) []model.ReliabilityRow {
	var expected float64
	for _, o := range r.outcomes {
		expected += o.weight * o.probability
	}
	var rows []model.ReliabilityRow
	var row model.ReliabilityRow
	var passed float64
	for i := len(r.order) - 1; i >= 0; i-- {
		o := r.outcomes[r.order[i]]
		row.Visitors += o.weight
		row.Predicted += o.weight * o.probability
		row.Observed += o.weight * target(o.bought)
		passed += o.weight * o.probability
		tied := i > 0 && r.outcomes[r.order[i-1]].score == o.score
		if i == 0 || !tied && passed >= expected*float64(len(rows)+1)/reliabilityRows {
			row.Predicted /= row.Visitors
			row.Observed /= row.Visitors
			rows = append(rows, row)
			row = model.ReliabilityRow{}
		}
	}
	return rows
}
