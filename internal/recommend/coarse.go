package recommend

import "math"

// coarse holds the factors of an index once more, at a byte each: a quarter of the memory to read through, and a processor multiplies
// four times as many at once. What it says of a product is off by no more than a bound that is known, so it sorts out what cannot
// matter, and loses nothing.
//
// A block of rows shares a scale: a factor y is about scale·(code-zero), with a code between 1 and 127. The sums of pairs of products
// with a query's codes, which lie between -127 and 127, then fit into 16 bits, which is what the processor adds them up in.
type coarse struct {
	groups   int       // of four factors, which is a row's length
	codes    []uint8   // by block, group, row and place in the group
	perScale []float64 // by block: 1/scale
	lost     []float64 // by block: at most this long is what the codes leave of a row
}

const (
	blockRows  = 32 // rows to a block: one bit each of what reach returns
	groupBytes = 4
	zero       = 64 // the code of 0
	mostCode   = 63 // the largest distance from it
	mostQuery  = 127
)

// newCoarse makes it of rows that lie one after the other. It calls rest after each small piece of work.
func newCoarse(factors []float32, rank int, rest func()) coarse {
	rows := len(factors) / rank
	blocks := (rows + blockRows - 1) / blockRows
	c := coarse{groups: (rank + groupBytes - 1) / groupBytes, perScale: make([]float64, blocks), lost: make([]float64, blocks)}
	c.codes = make([]uint8, blocks*c.blockBytes())
	for b := range blocks {
		rest()
		first := b * blockRows
		block := factors[first*rank : min(first+blockRows, rows)*rank]
		scale := largest(block) / mostCode
		codes := c.block(b)
		for p := 0; p < len(block); p += rank {
			var lost float64
			for j, y := range block[p : p+rank] {
				code := math.Round(float64(y) / scale)
				codes[j/groupBytes*blockRows*groupBytes+p/rank*groupBytes+j%groupBytes] = uint8(zero + code)
				left := float64(y) - code*scale
				lost += left * left
			}
			c.lost[b] = max(c.lost[b], math.Sqrt(lost))
		}
		c.perScale[b] = 1 / scale
	}
	return c
}

func (c *coarse) blockBytes() int { return c.groups * blockRows * groupBytes }

func (c *coarse) block(b int) []uint8 { return c.codes[b*c.blockBytes() : (b+1)*c.blockBytes()] }

func largest(values []float32) (most float64) {
	for _, v := range values {
		most = max(most, math.Abs(float64(v)))
	}
	return most
}

// coarseQuery is a query in the same manner.
type coarseQuery struct {
	codes    []int8  // a whole number of groups
	perScale float64 // a factor is about code/perScale
	base     float64 // the product with codes that all are zero
	lost     float64 // the length of what the codes leave of the query
	length   float64 // of the query
}

// set makes it of a query.
func (q *coarseQuery) set(query []float32) {
	scale := largest(query) / mostQuery
	q.length, q.perScale, q.base = norm(query), 1/scale, 0
	clear(q.codes)
	if scale == 0 {
		return // and no block has a limit
	}
	var lost float64
	for j, x := range query {
		code := math.Round(float64(x) / scale)
		q.codes[j] = int8(code)
		q.base += zero * code
		rest := float64(x) - code*scale
		lost += rest * rest
	}
	q.lost = math.Sqrt(lost)
}

// reach returns which rows of a block, the longest of which is so long, may have a product with the query of at least least; bit i is
// for row i. No other row has.
//
// With ŷ and q̂ for what the codes stand for, ⟨q,y⟩ = ⟨q̂,ŷ⟩ + ⟨q̂,y-ŷ⟩ + ⟨q-q̂,y⟩, and the last two are bounded by Cauchy and Schwarz.
func (c *coarse) reach(b int, q *coarseQuery, longest, least float64) uint32 {
	const rounding = 1e-9 // more than all that float64 rounds here and in the product itself, of any rank that there is
	off := (q.length+q.lost)*c.lost[b] + q.lost*longest + rounding*q.length*longest
	limit := (least-off)*q.perScale*c.perScale[b] + q.base
	switch {
	case limit > math.MaxInt32:
		return 0
	case !(limit > math.MinInt32): // among them NaN, where a scale is 0
		return math.MaxUint32
	}
	return reach(c.block(b), q.codes, int32(limit)) // rounded towards 0: sums are whole, so that none is left out
}

// reachPortable reports of each row of a block whether the sum of the products of its codes with the query's is at least limit.
func reachPortable(codes []uint8, query []int8, limit int32) (rows uint32) {
	var sums [blockRows]int32
	for g := 0; g+groupBytes <= len(query); g += groupBytes {
		q0, q1, q2, q3 := int32(query[g]), int32(query[g+1]), int32(query[g+2]), int32(query[g+3])
		group := codes[g*blockRows:][:blockRows*groupBytes]
		for i := range sums {
			row := group[i*groupBytes:][:groupBytes]
			sums[i] += q0*int32(row[0]) + q1*int32(row[1]) + q2*int32(row[2]) + q3*int32(row[3])
		}
	}
	for i, sum := range sums {
		if sum >= limit {
			rows |= 1 << i
		}
	}
	return rows
}
