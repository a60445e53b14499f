package recommend

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestReachMissesNoRow(t *testing.T) {
	t.Parallel()
	for kind := range factorKinds {
		r := rand.New(rand.NewPCG(13, 14))
		missed, passed, all := 0, 0, 0
		for range 200 {
			rank, rows := 1+r.IntN(70), 1+r.IntN(100)
			factors, query := randomFactors(r, kind, rows, rank), make([]float32, rank)
			for i := range query {
				query[i] = float32(r.NormFloat64() * math.Pow(10, float64(r.IntN(30)-15)))
			}
			c, q := newCoarse(factors, rank, atOnce), coarseQuery{codes: make([]int8, (rank+groupBytes-1)/groupBytes*groupBytes)}
			q.set(query)
			for first := 0; first < rows; first += blockRows {
				var products []float64
				longest := 0.0
				for p := first; p < min(first+blockRows, rows); p++ {
					row := factors[p*rank : (p+1)*rank]
					products, longest = append(products, dot(query, row)), max(longest, norm(row))
				}
				least := products[r.IntN(len(products))] // so that one is just in
				hits := c.reach(first/blockRows, &q, longest, least)
				for i, product := range products {
					in := hits>>i&1 == 1
					if product >= least && !in {
						missed++
					}
					if product < least {
						all++
						if in {
							passed++
						}
					}
				}
			}
		}
		if missed > 0 {
			t.Errorf("%s: %d rows with a large enough product are missed", kind, missed)
		}
		if kind == "gaussian" && passed*4 > all {
			t.Errorf("%s: %d of %d rows with too small a product pass", kind, passed, all)
		}
	}
}
