package train

import (
	"math/rand/v2"
	"slices"

	"cartwheel/internal/model"
)

const (
	// resamples is how many times the bootstrap draws; coverageResamples is the same for coverage, which costs more.
	resamples, coverageResamples = 1000, 200
)

// byVisitor sums the figures of questions by visitor, for the questions about one visitor are not independent: what is drawn again
// and again is visitors. Every question has the same number of figures.
type byVisitor struct {
	columns  int
	sums     []float64 // visitor by visitor
	counts   []float64 // questions about each visitor
	visitors map[string]int
}

func newByVisitor(columns int) *byVisitor {
	return &byVisitor{columns: columns, visitors: map[string]int{}}
}

// add adds the figures of a question about a visitor.
func (b *byVisitor) add(visitor string, figures ...float64) {
	v, ok := b.visitors[visitor]
	if !ok {
		v = len(b.counts)
		b.visitors[visitor] = v
		b.counts = append(b.counts, 0)
		b.sums = append(b.sums, make([]float64, b.columns)...)
	}
	b.counts[v]++
	for k, figure := range figures {
		b.sums[v*b.columns+k] += figure
	}
}

// intervals gives the mean of each figure over all questions and its 95 % interval, by the percentile bootstrap over visitors (Efron
// and Tibshirani 1993, chapter 13). The figures of one draw belong together, so a difference that was added as a figure is paired.
func (b *byVisitor) intervals(seed int64) []model.Interval {
	drawn := make([][]float64, resamples)
	parallel(resamples, func(i int) {
		draw := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
		sum, n := make([]float64, b.columns), 0.0
		for range b.counts {
			v := draw.IntN(len(b.counts))
			n += b.counts[v]
			for k, figure := range b.sums[v*b.columns : (v+1)*b.columns] {
				sum[k] += figure
			}
		}
		for k := range sum {
			sum[k] /= n
		}
		drawn[i] = sum
	})
	result := make([]model.Interval, b.columns)
	for k := range result {
		var sum, n float64
		for v, count := range b.counts {
			sum += b.sums[v*b.columns+k]
			n += count
		}
		result[k].Mean = sum / n
		column := make([]float64, resamples)
		for i := range drawn {
			column[i] = drawn[i][k]
		}
		result[k].Low, result[k].High = middle(column)
	}
	return result
}

// middle returns between which values the middle 95 % lie. It sorts them.
func middle(values []float64) (low, high float64) {
	slices.Sort(values)
	return values[len(values)*25/1000], values[len(values)*975/1000-1]
}

// coverage is the share of the catalogue that the lists show at least once, all together. lists holds what each visitor was shown.
// A draw holds fewer different visitors than there are, and so covers less; the interval is that of the draws, moved by the
// difference of their mean from what was measured.
func coverage(lists [][]int32, catalogue int, seed int64) model.Interval {
	covered := func(visitor func(i int) int) float64 {
		met, n := make([]bool, catalogue), 0
		for i := range lists {
			for _, item := range lists[visitor(i)] {
				if item >= 0 && !met[item] {
					met[item] = true
					n++
				}
			}
		}
		return float64(n) / float64(catalogue)
	}
	measured := covered(func(i int) int { return i })
	drawn := make([]float64, coverageResamples)
	parallel(coverageResamples, func(i int) {
		draw := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
		drawn[i] = covered(func(int) int { return draw.IntN(len(lists)) })
	})
	var mean float64
	for _, c := range drawn {
		mean += c / coverageResamples
	}
	low, high := middle(drawn)
	return model.Interval{Mean: measured, Low: max(0, measured+low-mean), High: min(1, measured+high-mean)}
}
