package recommend

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sync"
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

// index finds the items with the largest inner products with a query, exactly. Items lie in memory by descending norm: since
// ⟨q,y⟩ ≤ ‖q‖‖y‖ (Cauchy and Schwarz), the first item whose bound is below the k-th best score ends the search, and with the
// factors of ALS, whose norms differ a hundredfold, it ends early. Of the items before that, a coarse copy of the factors tells in
// blocks which may have a product that matters; only these are multiplied.
//
// An index is never changed and may be shared.
type index struct {
	rank     int
	factors  []float32 // row p belongs to item order[p]
	coarse   coarse
	norms    []float64 // of the rows, descending
	order    []int32
	position []int32   // by item: its row, or -1 if it has no factors
	queries  sync.Pool // of coarseQuery
}

// newIndex copies the factors that of gives for each item. Items of which it gives none, or zeros, are not in the index. It calls rest
// after each small piece of work.
func newIndex(items, rank int, of func(item int32) []float32, rest func()) *index {
	exact := make([]float64, items)
	x := &index{rank: rank, position: make([]int32, items)}
	for i := range items {
		if i%256 == 0 {
			rest()
		}
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
	x.norms = make([]float64, len(x.order))
	for p, item := range x.order {
		if p%256 == 0 {
			rest()
		}
		x.position[item] = int32(p)
		x.norms[p] = exact[item]
		x.factors = append(x.factors, of(item)...)
	}
	x.coarse = newCoarse(x.factors, rank, rest)
	x.queries.New = func() any { return &coarseQuery{codes: make([]int8, x.coarse.groups*groupBytes)} }
	return x
}

// Vector returns an item's factors, or nil if it has none.
func (x *index) Vector(item int32) []float32 {
	if x.position[item] < 0 {
		return nil
	}
	return x.row(int(x.position[item]))
}

// length returns the norm of an item's factors, 0 if it has none.
func (x *index) length(item int32) float64 {
	if x.position[item] < 0 {
		return 0
	}
	return x.norms[x.position[item]]
}

func (x *index) row(p int) []float32 { return x.factors[p*x.rank : (p+1)*x.rank : (p+1)*x.rank] }

// Top replaces dst's contents by the k best items that skip does not keep out, best first; fewer if there are fewer. It allocates only
// if dst's capacity is below k. The query must have the index's rank and finite numbers. Scores are inner products in float64.
func (x *index) Top(dst []Scored, query []float32, k int, skip *filter) []Scored {
	return x.above(dst, query, k, skip, math.Inf(-1))
}

// above is Top among the items whose score is at least floor, which ends the search sooner.
func (x *index) above(dst []Scored, query []float32, k int, skip *filter, floor float64) []Scored {
	best := dst[:0]
	if k <= 0 || len(x.order) == 0 {
		return best
	}
	q := x.queries.Get().(*coarseQuery)
	defer x.queries.Put(q)
	q.set(query)
	const slack = 1 - 1e-12 // for the rounding of norms
	threshold, cut := floor, floor/q.length*slack
	for start := 0; start < len(x.norms) && !(x.norms[start] < cut); start += blockRows {
		for hits := x.reach(start, q, threshold); hits != 0; {
			p := start + bits.TrailingZeros32(hits)
			hits &= hits - 1
			candidate := Scored{x.order[p], dot(query, x.row(p))}
			if candidate.Score < threshold || skip.out(candidate.Item) {
				continue
			}
			if best = push(best, candidate, k); len(best) == k && best[0].Score > threshold {
				threshold = best[0].Score
				cut = threshold / q.length * slack // 0/0 is NaN, which ends nothing
				hits &= x.reach(start, q, threshold)
			}
		}
	}
	slices.SortFunc(best, better)
	return best
}

// TopCosine is Top by the cosine between query and item, with the item's boost. No norm bounds it: it goes through all items.
func (x *index) TopCosine(dst []Scored, query []float32, k int, skip *filter) []Scored {
	best := dst[:0]
	if k <= 0 || len(x.order) == 0 {
		return best
	}
	q := x.queries.Get().(*coarseQuery)
	defer x.queries.Put(q)
	q.set(query)
	if q.length == 0 {
		return best
	}
	threshold := math.Inf(-1)
	consider := func(p int) {
		candidate := Scored{x.order[p], skip.boosted(x.order[p], dot(query, x.row(p))/q.length/x.norms[p])}
		if candidate.Score < threshold || skip.out(candidate.Item) {
			return
		}
		best = push(best, candidate, k)
		if len(best) == k {
			threshold = best[0].Score
		}
	}
	// What a boost raises is looked at in any case: a bound on its cosine says nothing of its score.
	for _, item := range skip.raised() {
		if x.position[item] >= 0 {
			consider(int(x.position[item]))
		}
	}
	for start := 0; start < len(x.norms); start += blockRows {
		length := x.norms[start]
		if threshold > 0 {
			length = x.norms[min(start+blockRows, len(x.norms))-1]
		}
		const slack = 1 - 1e-12 // for the rounding of norms
		least := threshold * q.length * length
		for hits := x.reach(start, q, least-(1-slack)*math.Abs(least)); hits != 0; hits &= hits - 1 {
			if p := start + bits.TrailingZeros32(hits); !skip.raises(x.order[p]) {
				consider(p)
			}
		}
	}
	slices.SortFunc(best, better)
	return best
}

// reach returns which rows of the block that begins with row start may have a product of at least least.
func (x *index) reach(start int, q *coarseQuery, least float64) uint32 {
	hits := x.coarse.reach(start/blockRows, q, x.norms[start], least)
	if there := len(x.norms) - start; there < blockRows {
		hits &= 1<<there - 1
	}
	return hits
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

// dotPortable sums in eight parts, which a processor adds at once, and always in the same order.
func dotPortable(a, b []float32) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3, s4, s5, s6, s7 float64
	for len(a) >= 8 && len(b) >= 8 {
		s0 += float64(a[0]) * float64(b[0])
		s1 += float64(a[1]) * float64(b[1])
		s2 += float64(a[2]) * float64(b[2])
		s3 += float64(a[3]) * float64(b[3])
		s4 += float64(a[4]) * float64(b[4])
		s5 += float64(a[5]) * float64(b[5])
		s6 += float64(a[6]) * float64(b[6])
		s7 += float64(a[7]) * float64(b[7])
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		s0 += float64(x) * float64(b[i])
	}
	return (s0 + s4 + (s1 + s5)) + (s2 + s6 + (s3 + s7))
}

func norm(a []float32) float64 { return math.Sqrt(dot(a, a)) }
