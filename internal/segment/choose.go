package segment

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"cartwheel/internal/model"
	"cartwheel/internal/spark"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

const (
	// sampled bounds the visitors by whom the number of segments is chosen: more would not move a silhouette.
	sampled = 10_000
	// starts and rounds of k-means tell one number of segments from another.
	starts, rounds = 3, 20
)

// choose returns how many segments there are to be: j.K, or for 0 the number whose silhouette is highest. The numbers are tried here, on
// a sample: on the cluster each would be dozens of jobs for a second's work.
func (j *Job) choose(ctx context.Context, scaled sql.DataFrame, m *model.Segments) (k int, err error) {
	rows, err := j.sample(ctx, scaled)
	if err != nil {
		return 0, err
	}
	n, wanted := different(rows), max(j.K, leastK)
	if n <= wanted {
		m.None = fmt.Sprintf("the visitors did only %d different things, too few for %d segments", n, wanted)
		return 0, nil
	}
	if j.K != 0 {
		return j.K, nil
	}
	best := -2.0
	for try := leastK; try <= mostK && try < n; try++ {
		value := silhouette(rows, cluster(rows, try, j.Seed), try)
		m.Silhouettes = append(m.Silhouettes, model.Silhouette{K: try, Value: value})
		if value > best {
			best, k = value, try
		}
	}
	return k, nil
}

// sample collects the scaled features of some visitors.
func (j *Job) sample(ctx context.Context, scaled sql.DataFrame) ([][]float64, error) {
	some, err := j.share(ctx, scaled, sampled)
	if err != nil {
		return nil, err
	}
	if some, err = sparkml.VectorToArray(ctx, j.Session, some, "features", "numbers"); err != nil {
		return nil, err
	}
	if some, err = some.SelectExpr(ctx, "numbers"); err != nil {
		return nil, fmt.Errorf("drawing visitors: %w", spark.Explain(err))
	}
	collected, err := some.Collect(ctx)
	if err != nil {
		return nil, fmt.Errorf("drawing visitors: %w", spark.Explain(err))
	}
	rows := make([][]float64, len(collected))
	for i, row := range collected {
		numbers, _ := row.Value("numbers").([]any)
		for _, number := range numbers {
			value, ok := number.(float64)
			if !ok {
				return nil, errors.New("drawing visitors: Spark gives features that are no numbers")
			}
			rows[i] = append(rows[i], value)
		}
		if len(rows[i]) != len(names) {
			return nil, fmt.Errorf("drawing visitors: Spark gives %d features, not %d", len(rows[i]), len(names))
		}
	}
	return rows, nil
}

// different counts rows that are not alike.
func different(rows [][]float64) int {
	ordered := slices.SortedFunc(slices.Values(rows), slices.Compare)
	return len(slices.CompactFunc(ordered, slices.Equal))
}

// cluster parts rows into k groups by k-means, and returns each row's: the best of several starts by k-means++ (Arthur and
// Vassilvitskii 2007).
func cluster(rows [][]float64, k int, seed int64) (groups []int) {
	draw := rand.New(rand.NewPCG(uint64(seed), uint64(k)))
	least := math.Inf(1)
	for range starts {
		centres := seedCentres(rows, k, draw)
		found, cost := assign(rows, centres)
		for range rounds {
			centres = means(rows, found, centres)
			before := cost
			if found, cost = assign(rows, centres); cost >= before {
				break
			}
		}
		if cost < least {
			least, groups = cost, found
		}
	}
	return groups
}

// seedCentres draws k rows, each with a chance in proportion to its squared distance from those that are drawn already.
func seedCentres(rows [][]float64, k int, draw *rand.Rand) [][]float64 {
	centres := [][]float64{rows[draw.IntN(len(rows))]}
	far := make([]float64, len(rows))
	for i := range far {
		far[i] = math.Inf(1)
	}
	for len(centres) < k {
		var sum float64
		for i, row := range rows {
			far[i] = min(far[i], squared(row, centres[len(centres)-1]))
			sum += far[i]
		}
		chosen := 0
		for left := draw.Float64() * sum; chosen < len(rows)-1 && left >= far[chosen]; chosen++ {
			left -= far[chosen]
		}
		centres = append(centres, rows[chosen])
	}
	return centres
}

// assign gives each row the nearest centre, and returns the sum of the squared distances.
func assign(rows, centres [][]float64) (groups []int, cost float64) {
	groups = make([]int, len(rows))
	for i, row := range rows {
		nearest := math.Inf(1)
		for c, centre := range centres {
			if d := squared(row, centre); d < nearest {
				nearest, groups[i] = d, c
			}
		}
		cost += nearest
	}
	return groups, cost
}

// means are the groups' centres. One without a row stays where it was.
func means(rows [][]float64, groups []int, before [][]float64) [][]float64 {
	sums, counts := sum(rows, groups, len(before))
	for c := range sums {
		if counts[c] == 0 {
			sums[c] = before[c]
			continue
		}
		for i := range sums[c] {
			sums[c][i] /= counts[c]
		}
	}
	return sums
}

// silhouette is the mean over all rows of how much nearer a row is to its own group than to the next one, by the mean of the squared
// distances to the group's rows, as MLlib's ClusteringEvaluator has it: from -1 to 1. A row alone in its group counts 0.
func silhouette(rows [][]float64, groups []int, k int) float64 {
	sums, counts := sum(rows, groups, k)
	squares := make([]float64, k)
	for i, row := range rows {
		squares[groups[i]] += dot(row, row)
	}
	var total float64
	for i, row := range rows {
		own, next := 0.0, math.Inf(1)
		for c := range k {
			// The sum of the squared distances to a group's rows follows from its sums: Σ|x-y|² = n|x|² + Σ|y|² - 2x·Σy.
			away := max(0, counts[c]*dot(row, row)+squares[c]-2*dot(row, sums[c]))
			if c == groups[i] {
				own = away / (counts[c] - 1)
			} else if counts[c] > 0 {
				next = min(next, away/counts[c])
			}
		}
		if counts[groups[i]] > 1 && max(own, next) > 0 && !math.IsInf(next, 1) {
			total += (next - own) / max(own, next)
		}
	}
	return total / float64(len(rows))
}

// sum adds up the rows of each group, and counts them.
func sum(rows [][]float64, groups []int, k int) (sums [][]float64, counts []float64) {
	sums, counts = make([][]float64, k), make([]float64, k)
	for c := range sums {
		sums[c] = make([]float64, len(rows[0]))
	}
	for i, row := range rows {
		counts[groups[i]]++
		for n, v := range row {
			sums[groups[i]][n] += v
		}
	}
	return sums, counts
}

func squared(a, b []float64) (d float64) {
	for i, v := range a {
		d += (v - b[i]) * (v - b[i])
	}
	return d
}

func dot(a, b []float64) (d float64) {
	for i, v := range a {
		d += v * b[i]
	}
	return d
}
