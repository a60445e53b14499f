package recommend

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/viterin/vek/vek32"
)

// factorKinds are catalogues that search goes wrong on if it goes wrong at all.
var factorKinds = map[string]func(r *rand.Rand, item int) float64{
	"gaussian":       func(r *rand.Rand, _ int) float64 { return r.NormFloat64() },
	"heavy tail":     func(r *rand.Rand, item int) float64 { return r.NormFloat64() / float64(1+item%97) },
	"equal norms":    func(r *rand.Rand, _ int) float64 { return float64(r.IntN(2))*2 - 1 },
	"few values":     func(r *rand.Rand, _ int) float64 { return float64(r.IntN(3)) - 1 },
	"positive":       func(r *rand.Rand, _ int) float64 { return r.Float64() },
	"all negative":   func(r *rand.Rand, _ int) float64 { return -r.Float64() },
	"nearly equal":   func(r *rand.Rand, _ int) float64 { return 1 + r.Float64()*1e-6 },
	"huge":           func(r *rand.Rand, _ int) float64 { return r.NormFloat64() * 1e37 },
	"tiny":           func(r *rand.Rand, _ int) float64 { return r.NormFloat64() * 1e-40 },
	"huge and tiny":  func(r *rand.Rand, item int) float64 { return r.NormFloat64() * math.Pow(10, float64(item%70-35)) },
	"zeros":          func(*rand.Rand, int) float64 { return 0 },
	"half zero rows": func(r *rand.Rand, item int) float64 { return r.NormFloat64() * float64(item%2) },
	"one giant":      func(r *rand.Rand, item int) float64 { return r.NormFloat64() * float64(1+1e6*(1-min(item, 1))) },
}

func randomFactors(r *rand.Rand, kind string, items, rank int) []float32 {
	factors := make([]float32, items*rank)
	for i := range factors {
		factors[i] = float32(factorKinds[kind](r, i/rank))
	}
	for i := 3; i < items; i += 5 { // duplicates, whose order only the tie rule decides
		copy(factors[i*rank:(i+1)*rank], factors[(i-3)*rank:])
	}
	return factors
}

// bruteForce scores every item that has factors, in float64. It sums as the package does, so that places can be compared one by one.
func bruteForce(factors, query []float32, k int, skip *set, cosine bool) []Scored {
	var all []Scored
	for item := range len(factors) / len(query) {
		row := factors[item*len(query) : (item+1)*len(query)]
		product, square, querySquare := dot(row, query), dot(row, row), dot(query, query)
		if square == 0 || skip.Has(int32(item)) {
			continue
		}
		if cosine {
			product /= math.Sqrt(square) * math.Sqrt(querySquare)
		}
		all = append(all, Scored{int32(item), product})
	}
	slices.SortStableFunc(all, func(a, b Scored) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return int(a.Item - b.Item)
	})
	return all[:min(k, len(all))]
}

func TestTopEqualsBruteForce(t *testing.T) {
	t.Parallel()
	for kind := range factorKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(11, 12))
			for range 60 {
				rank, items := 1+r.IntN(70), 1+r.IntN(300)
				factors := randomFactors(r, kind, items, rank)
				x := indexOf(factors, rank)
				query := make([]float32, rank)
				for i := range query {
					query[i] = float32(r.NormFloat64())
				}
				if item := r.IntN(items); r.IntN(3) == 0 {
					copy(query, factors[item*rank:]) // a query that is an item
				}
				skip := newSet(items)
				for range r.IntN(items) {
					skip.Add(int32(r.IntN(items)))
				}
				for _, k := range []int{1, 2, 10, items / 2, items, items + 7} {
					keep := &filter{skip: skip}
					got := x.Top(nil, query, k, keep)
					if err := same(got, bruteForce(factors, query, k, skip, false), 0); err != nil {
						t.Fatalf("rank %d, %d items, k %d: %v", rank, items, k, err)
					}
					if len(got) > 0 {
						floor := got[r.IntN(len(got))].Score
						want := slices.DeleteFunc(slices.Clone(got), func(s Scored) bool { return s.Score < floor })
						if err := same(x.above(nil, query, k, keep, floor), want, 0); err != nil {
							t.Fatalf("rank %d, %d items, k %d, at least %v: %v", rank, items, k, floor, err)
						}
					}
					if norm(query) == 0 {
						continue
					}
					got = x.TopCosine(nil, query, k, keep)
					if err := same(got, bruteForce(factors, query, k, skip, true), 1e-12); err != nil {
						t.Fatalf("cosine, rank %d, %d items, k %d: %v", rank, items, k, err)
					}
				}
			}
		})
	}
}

// same compares scores by place: which of two items with scores closer than the tolerance comes first is free.
func same(got, want []Scored, tolerance float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d items, want %d", len(got), len(want))
	}
	met := map[int32]bool{}
	for i := range got {
		if math.Abs(got[i].Score-want[i].Score) > tolerance {
			return fmt.Errorf("place %d is %v, want %v", i, got[i], want[i])
		}
		if tolerance == 0 && got[i].Item != want[i].Item {
			return fmt.Errorf("place %d is %v, want %v", i, got[i], want[i])
		}
		if met[got[i].Item] {
			return fmt.Errorf("item %d comes twice", got[i].Item)
		}
		met[got[i].Item] = true
	}
	return nil
}

func TestDotIsExactButForRounding(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 9))
	for n := range 130 {
		a, b := make([]float32, n), make([]float32, n)
		want, size := new(big.Float).SetPrec(500), 0.0
		for i := range a {
			a[i], b[i] = float32(r.NormFloat64()*math.Pow(10, float64(r.IntN(60)-30))), float32(r.NormFloat64())
			want.Add(want, new(big.Float).SetPrec(500).Mul(big.NewFloat(float64(a[i])), big.NewFloat(float64(b[i]))))
			size += math.Abs(float64(a[i]) * float64(b[i]))
		}
		exact, _ := want.Float64()
		if got := dot(a, b); math.Abs(got-exact) > float64(n+1)*0x1p-53*size {
			t.Errorf("%d numbers: %v, want %v", n, got, exact)
		}
	}
}

func TestTopDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	factors := randomFactors(r, "gaussian", 1000, 16)
	x, skip, dst := indexOf(factors, 16), &filter{skip: newSet(1000)}, make([]Scored, 0, 10)
	if n := testing.AllocsPerRun(100, func() { dst = x.Top(dst, factors[:16], 10, skip) }); n != 0 {
		t.Errorf("%v allocations per query", n)
	}
}

func TestSetStartsAnewWhenItsRoundsRunOut(t *testing.T) {
	t.Parallel()
	s := newSet(3)
	s.Add(1)
	s.round = math.MaxUint32
	s.Add(2)
	s.Clear()
	for item := range int32(3) {
		if s.Has(item) {
			t.Errorf("item %d is in an empty set", item)
		}
	}
	if (*set)(nil).Has(0) {
		t.Error("a nil set holds something")
	}
}

// realisticFactors have the norms that were measured on factors of Spark's ALS over 36,968 items: percentiles 1, 50 and 99 at 0.0,
// 0.03 and 0.32, here a log-normal distribution.
func realisticFactors(r *rand.Rand, items, rank int) []float32 {
	factors := make([]float32, items*rank)
	for i := range items {
		row := factors[i*rank : (i+1)*rank]
		for j := range row {
			row[j] = float32(r.NormFloat64() / math.Sqrt(float64(j+1))) // some directions carry more than others
		}
		scale := 0.03 * math.Exp(r.NormFloat64()) / norm(row)
		for j := range row {
			row[j] = float32(float64(row[j]) * scale)
		}
	}
	return factors
}

// BenchmarkTop measures the search and, in the same run, the scan of everything that it replaces.
func BenchmarkTop(b *testing.B) {
	for _, size := range []struct {
		name  string
		items int
		make  func(*rand.Rand, int, int) []float32
	}{
		{"als-37k", 36_968, realisticFactors},
		{"als-235k", 235_061, realisticFactors},
		{"random-235k", 235_061, func(r *rand.Rand, items, rank int) []float32 { return randomFactors(r, "gaussian", items, rank) }},
	} {
		const rank = 64
		r := rand.New(rand.NewPCG(5, 6))
		factors := size.make(r, size.items, rank)
		x := indexOf(factors, rank)
		queries := size.make(r, 1000, rank)
		for _, how := range []struct {
			name string
			k    int
			top  func([]Scored, []float32, int, *filter) []Scored
		}{{"pruned", 10, x.Top}, {"pruned-top18", 10 + margin, x.Top}, {"full-scan", 10, x.scan}} {
			b.Run(size.name+"/"+how.name, func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					skip, dst := newSet(size.items), make([]Scored, 0, how.k)
					filter := &filter{skip: skip}
					for i := 0; pb.Next(); i++ {
						skip.Clear()
						for j := range 20 {
							skip.Add(int32((i*31 + j*7919) % size.items))
						}
						q := i % 1000
						dst = how.top(dst, queries[q*rank:(q+1)*rank], how.k, filter)
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queries/s")
			})
		}
	}
}

// scan looks at every item, with the same product and heap.
func (x *index) scan(dst []Scored, query []float32, k int, skip *filter) []Scored {
	best := dst[:0]
	threshold := float32(math.Inf(-1))
	for p := range x.norms {
		if s := vek32.Dot(query, x.row(p)); s > threshold && !skip.out(x.order[p]) {
			if best = push(best, Scored{x.order[p], float64(s)}, k); len(best) == k {
				threshold = float32(best[0].Score)
			}
		}
	}
	slices.SortFunc(best, better)
	return best
}

// Beside requests an index is made in pieces of some hundred items at most.
func TestMakingAnIndexRests(t *testing.T) {
	t.Parallel()
	const items, rank = 10_000, 2
	factors := make([]float32, items*rank)
	for i := range factors {
		factors[i] = float32(i%7) + 1
	}
	rests := 0
	rest := func() { rests++ }
	x := newIndex(items, rank, func(item int32) []float32 { return factors[int(item)*rank : int(item+1)*rank] }, rest)
	if least := 2*items/256 + items/blockRows; rests < least {
		t.Errorf("%d rests while an index was made, want at least %d", rests, least)
	}
	rests = 0
	newFolder(x, 1, 0.1, rest)
	if least := items / 256; rests < least {
		t.Errorf("%d rests while a folder was made, want at least %d", rests, least)
	}
}

// atOnce rests not at all.
func atOnce() {}

func indexOf(factors []float32, rank int) *index {
	return newIndex(len(factors)/rank, rank, func(item int32) []float32 { return factors[int(item)*rank : int(item+1)*rank] }, atOnce)
}
