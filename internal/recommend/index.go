package recommend

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/viterin/vek/vek32"
)

// Scored is an item's number and its score.
type Scored struct {
	Item  int32
	Score float64
}

// better orders by score, best first, and equal scores by item: answers do not depend on how they were searched for.
func better(a, b Scored) int {
	if c := cmp.Compare(b.Score, a.Score); c != 0 {
		return c
	}
	return cmp.Compare(a.Item, b.Item)
}

// Index finds the items with the largest inner products with a query, exactly. Items lie in memory by descending norm: since
// ⟨q,y⟩ ≤ ‖q‖‖y‖ (Cauchy and Schwarz), the first item whose bound is below the k-th best score ends the search, and with the
// factors of ALS, whose norms differ a hundredfold, it ends early.
//
// Products are computed for a block of rows at a time, in which a matrix product is three times as fast as one row after the other.
//
// An Index is never changed and may be shared.
type Index struct {
	rank     int
	factors  []float32 // row p belongs to item order[p]
	norms    []float32 // of the rows, descending, rounded up
	order    []int32
	position []int32   // by item: its row, or -1 if it has no factors
	lengths  []float32 // by item: its norm rounded up, 0 if it has no factors
	products sync.Pool
}

// blockRows is how many rows are multiplied at once: enough to be worth a call, and few beyond the end of a search.
const blockRows = 32

// NewIndex copies the factors that of gives for each item. Items of which it gives none, or zeros, are not in the index.
func NewIndex(items, rank int, of func(item int32) []float32) *Index {
	exact := make([]float64, items)
	x := &Index{rank: rank, position: make([]int32, items), lengths: make([]float32, items)}
	x.products.New = func() any { return new([blockRows]float32) }
	for i := range items {
		exact[i] = norm(of(int32(i)))
		x.position[i] = -1
		if exact[i] > 0 {
			x.order = append(x.order, int32(i))
		}
	}
	slices.SortFunc(x.order, func(a, b int32) int {
		return better(Scored{a, exact[a]}, Scored{b, exact[b]})
	})
	x.order = slices.Clip(x.order)
	x.factors = make([]float32, 0, len(x.order)*rank)
	x.norms = make([]float32, len(x.order))
	for p, item := range x.order {
		x.position[item] = int32(p)
		x.norms[p] = roundUp(exact[item])
		x.lengths[item] = x.norms[p]
		x.factors = append(x.factors, of(item)...)
	}
	return x
}

// Vector returns an item's factors, or nil if it has none.
func (x *Index) Vector(item int32) []float32 {
	if x.position[item] < 0 {
		return nil
	}
	return x.row(int(x.position[item]))
}

// length returns the norm of an item's factors, rounded up.
func (x *Index) length(item int32) float64 { return float64(x.lengths[item]) }

func (x *Index) row(p int) []float32 { return x.factors[p*x.rank : (p+1)*x.rank : (p+1)*x.rank] }

// Top replaces dst's contents by the k best items that skip does not keep out, best first; fewer if there are fewer. It allocates only
// if dst's capacity is below k. The query must have the index's rank and finite numbers.
//
// Scores are inner products in float64. A float32 product sorts out the items that cannot be among the best: its error is bounded
// by rank·2⁻²⁴·‖q‖‖y‖ (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), and only items within that of the
// k-th best are computed anew.
func (x *Index) Top(dst []Scored, query []float32, k int, skip *Filter) []Scored {
	return x.above(dst, query, k, skip, math.Inf(-1))
}

// above is Top among the items whose score is at least floor, which ends the search sooner.
func (x *Index) above(dst []Scored, query []float32, k int, skip *Filter, floor float64) []Scored {
	best := dst[:0]
	if k <= 0 || len(x.order) == 0 {
		return best
	}
	products := x.products.Get().(*[blockRows]float32)
	defer x.products.Put(products)
	e := x.errors(query)
	const slack = 1 - 1e-12 // for the rounding of norms
	threshold, cut := floor, floor/e.queryNorm*slack
	for start := 0; start < len(x.norms) && !(float64(x.norms[start]) < cut); start += blockRows {
		rows := x.multiply(products, query, start, e)
		hopeless := e.hopeless(threshold, x.norms[start])
		for i, product := range products[:rows] {
			if product < hopeless {
				continue
			}
			p := start + i
			candidate := Scored{x.order[p], dot(query, x.row(p))}
			if candidate.Score < threshold || skip.out(candidate.Item) {
				continue
			}
			best = push(best, candidate, k)
			if len(best) == k {
				threshold = best[0].Score
				hopeless = e.hopeless(threshold, x.norms[start])
				cut = threshold / e.queryNorm * slack // 0/0 is NaN, which ends nothing
			}
		}
	}
	slices.SortFunc(best, better)
	return best
}

// TopCosine is Top by the cosine between query and item, with the item's boost. No norm bounds it: it looks at every item.
func (x *Index) TopCosine(dst []Scored, query []float32, k int, skip *Filter) []Scored {
	best := dst[:0]
	e := x.errors(query)
	if k <= 0 || e.queryNorm == 0 || len(x.order) == 0 {
		return best
	}
	products := x.products.Get().(*[blockRows]float32)
	defer x.products.Put(products)
	threshold := math.Inf(-1)
	for start := 0; start < len(x.norms); start += blockRows {
		rows := x.multiply(products, query, start, e)
		for i, rowNorm := range x.norms[start : start+rows] {
			// threshold·‖y‖ with the norm rounded up is above the true one only if the threshold is positive; the margin covers that.
			p := start + i
			if e.safe && float64(products[i])+3*e.relative*float64(rowNorm)+e.absolute < threshold*e.queryNorm*float64(rowNorm) && !skip.raised(x.order[p]) {
				continue
			}
			row := x.row(p)
			candidate := Scored{x.order[p], skip.boosted(x.order[p], dot(query, row)/e.queryNorm/norm(row))}
			if candidate.Score < threshold || skip.out(candidate.Item) {
				continue
			}
			best = push(best, candidate, k)
			if len(best) == k {
				threshold = best[0].Score
			}
		}
	}
	slices.SortFunc(best, better)
	return best
}

// multiply computes the float32 products of a block's rows with the query, if they are of use, and returns how many rows there are.
func (x *Index) multiply(products *[blockRows]float32, query []float32, start int, e errorBound) int {
	end := min(start+blockRows, len(x.norms))
	if e.safe {
		vek32.MatMul_Into(products[:], x.factors[start*x.rank:end*x.rank], query, x.rank)
	}
	return end - start
}

// errorBound bounds the error of a float32 product of a query and a row y by relative·‖y‖ for rounding, plus absolute for products
// too small for float32. It holds if safe, which is if no product or partial sum can overflow float32.
type errorBound struct {
	queryNorm, relative, absolute float64
	safe                          bool
}

// hopeless is what the float32 product of a row is below only if its score is below the threshold, for rows up to that norm.
func (e errorBound) hopeless(threshold float64, rowNorm float32) float32 {
	if !e.safe {
		return float32(math.Inf(-1))
	}
	return roundDown(threshold - e.relative*float64(rowNorm) - e.absolute)
}

func (x *Index) errors(query []float32) errorBound {
	n := norm(query)
	// The factor 2 covers the bound's own second-order terms.
	e := errorBound{queryNorm: n, relative: 2 * float64(x.rank) * 0x1p-24 * n, absolute: float64(x.rank) * 0x1p-125}
	e.safe = len(x.norms) > 0 && n*float64(x.norms[0]) < math.MaxFloat32/2
	return e
}

// push keeps the k best in a heap whose root is the worst of them.
func push(heap []Scored, s Scored, k int) []Scored {
	if len(heap) < k {
		heap = append(heap, s)
		for child := len(heap) - 1; child > 0; {
			parent := (child - 1) / 2
			if better(heap[parent], heap[child]) >= 0 {
				break
			}
			heap[parent], heap[child] = heap[child], heap[parent]
			child = parent
		}
		return heap
	}
	if better(s, heap[0]) >= 0 {
		return heap
	}
	heap[0] = s
	for parent := 0; ; {
		child := 2*parent + 1
		if child >= len(heap) {
			return heap
		}
		if child+1 < len(heap) && better(heap[child+1], heap[child]) > 0 {
			child++
		}
		if better(heap[parent], heap[child]) >= 0 {
			return heap
		}
		heap[parent], heap[child] = heap[child], heap[parent]
		parent = child
	}
}

// dot sums in four parts, which a processor adds at once, and always in the same order.
func dot(a, b []float32) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += float64(a[0]) * float64(b[0])
		s1 += float64(a[1]) * float64(b[1])
		s2 += float64(a[2]) * float64(b[2])
		s3 += float64(a[3]) * float64(b[3])
		a, b = a[4:], b[4:]
	}
	for i, x := range a {
		s0 += float64(x) * float64(b[i])
	}
	return s0 + s1 + (s2 + s3)
}

func norm(a []float32) float64 { return math.Sqrt(dot(a, a)) }

func roundUp(x float64) float32 {
	y := float32(x)
	if float64(y) < x {
		y = math.Nextafter32(y, float32(math.Inf(1)))
	}
	return y
}

func roundDown(x float64) float32 { return -roundUp(-x) }
