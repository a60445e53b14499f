package segment

import (
	"math"
	"math/rand/v2"
	"testing"
)

// around draws n rows around each of k centres that lie far apart.
func around(k, n int, spread float64) (rows [][]float64) {
	draw := rand.New(rand.NewPCG(5, uint64(k)))
	for i := range k * n {
		c := i % k
		rows = append(rows, []float64{float64(10*(c%3)) + spread*draw.NormFloat64(), float64(10*(c/3)) + spread*draw.NormFloat64()})
	}
	return rows
}

func TestClusterFindsWhatIsApart(t *testing.T) {
	t.Parallel()
	for k := 2; k <= mostK; k++ {
		groups := cluster(around(k, 50, 0.5), k, 1)
		for i, g := range groups {
			if g != groups[i%k] {
				t.Fatalf("%d groups: row %d is not with those around its centre", k, i)
			}
		}
		for c := range k {
			for other := range c {
				if groups[c] == groups[other] {
					t.Errorf("%d groups: the centres %d and %d are in one", k, c, other)
				}
			}
		}
	}
}

// TestSilhouetteAgreesWithItsDefinition compares with every pair's distance taken, among groups of one row and without any.
func TestSilhouetteAgreesWithItsDefinition(t *testing.T) {
	t.Parallel()
	rows := around(5, 20, 4)
	groups, k := cluster(rows, 5, 1), 7
	groups[3] = 5 // alone; and nobody is in group 6
	var total float64
	for i := range rows {
		away, count := make([]float64, k), make([]float64, k)
		for j := range rows {
			away[groups[j]] += squared(rows[i], rows[j])
			count[groups[j]]++
		}
		own, next := 0.0, math.Inf(1)
		for g := range k {
			if g == groups[i] {
				own = away[g] / (count[g] - 1)
			} else if count[g] > 0 {
				next = min(next, away[g]/count[g])
			}
		}
		if count[groups[i]] > 1 {
			total += (next - own) / max(own, next)
		}
	}
	want := total / float64(len(rows))
	if got := silhouette(rows, groups, k); math.Abs(got-want) > 1e-9 || want < 0.1 || want > 0.9 {
		t.Errorf("got %v, want %v", got, want)
	}
}
