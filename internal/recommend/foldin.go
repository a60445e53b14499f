package recommend

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// pair is an item and how strongly a visitor wants it: the rating that ALS is trained on.
type pair struct {
	Item     int32
	Strength float32
}

// folder computes the factors of one visitor from what the visitor touched, for visitors that the training did not see: the step
// that Spark's implicit ALS does for each of its own (Hu, Koren and Volinsky 2008, equation 4, with Spark's scaling of the
// regularisation by the number of ratings).
//
// A folder is never changed and may be shared.
type folder struct {
	index    *index
	alpha    float64
	regParam float64
	gramian  []float64 // YᵀY over all items, upper triangle, row-major
	systems  sync.Pool
}

// system is the room for one solution.
type system struct {
	a, b, y []float64
}

// newFolder prepares to fold into the factors of an index, with the alpha and regParam that they were trained with. It calls rest after
// each small piece of work.
func newFolder(x *index, alpha, regParam float64, rest func()) *folder {
	f := &folder{index: x, alpha: alpha, regParam: regParam, gramian: make([]float64, x.rank*x.rank)}
	f.systems.New = func() any {
		return &system{a: make([]float64, x.rank*x.rank), b: make([]float64, x.rank), y: make([]float64, x.rank)}
	}
	gramian := symmetric(x.rank, f.gramian)
	y := make([]float64, x.rank)
	for p := range x.order {
		if p%256 == 0 {
			rest()
		}
		widen(y, x.row(p))
		blas64.Syr(1, vector(y), gramian)
	}
	return f
}

// Fold writes to dst, which has the index's rank, the visitor's factors x that solve
//
//	(YᵀY + Σ c·y·yᵀ + regParam·n·I) x = Σ (1+c)·y,  c = alpha·|strength|
//
// over the pairs' item factors y; n counts the positive strengths, and only they count on the right. Items without factors are
// passed over. It reports false, and dst is of no use, where there is nothing to solve: no item with factors, or a system that is
// singular, as without any regularisation it may be.
func (f *folder) Fold(dst []float32, pairs []pair) bool {
	s := f.systems.Get().(*system)
	defer f.systems.Put(s)
	factor, ok := f.factorise(s, pairs)
	if !ok {
		return false
	}
	solve(factor, s.b)
	for i, x := range s.b {
		dst[i] = float32(x)
		if x := dst[i]; x-x != 0 {
			return false
		}
	}
	return true
}

// factorise builds the equation's two sides in s.a and s.b, and returns the Cholesky factor of the left one.
func (f *folder) factorise(s *system, pairs []pair) (blas64.Triangular, bool) {
	copy(s.a, f.gramian)
	clear(s.b)
	rank := f.index.rank
	a := symmetric(rank, s.a)
	n := 0
	for _, pair := range pairs {
		row := f.index.Vector(pair.Item)
		if row == nil {
			continue
		}
		widen(s.y, row)
		c := f.confidence(pair)
		blas64.Syr(c, vector(s.y), a)
		if pair.Strength > 0 {
			n++
			blas64.Axpy(1+c, vector(s.y), vector(s.b))
		}
	}
	if n == 0 {
		return blas64.Triangular{}, false
	}
	for i := range rank {
		s.a[i*rank+i] += f.regParam * float64(n)
	}
	return lapack64.Potrf(a)
}

func (f *folder) confidence(pair pair) float64 { return f.alpha * math.Abs(float64(pair.Strength)) }

// solve replaces b by the solution for the right side b: two triangular systems, UᵀU being the left side.
func solve(factor blas64.Triangular, b []float64) {
	blas64.Trsv(blas.Trans, factor, vector(b))
	blas64.Trsv(blas.NoTrans, factor, vector(b))
}

func symmetric(n int, data []float64) blas64.Symmetric {
	return blas64.Symmetric{N: n, Data: data, Stride: n, Uplo: blas.Upper}
}

func vector(data []float64) blas64.Vector { return blas64.Vector{N: len(data), Data: data, Inc: 1} }

func widen(dst []float64, src []float32) {
	for i, x := range src {
		dst[i] = float64(x)
	}
}
