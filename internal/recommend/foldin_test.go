package recommend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestFoldSolvesTheNormalEquation(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(4, 4))
	for round := range 50 {
		rank, items := 1+random.IntN(20), 1+random.IntN(50)
		factors := make([]float32, items*rank)
		for i := range factors {
			if i/rank%5 != 4 {
				factors[i] = float32(random.NormFloat64())
			}
		}
		alpha, regParam := random.Float64()*40, 0.01+random.Float64()
		var pairs []pair
		for range random.IntN(12) {
			pairs = append(pairs, pair{Item: int32(random.IntN(items)), Strength: float32(random.IntN(8) - 2)})
		}
		x := make([]float32, rank)
		ok := newFolder(indexOf(factors, rank), alpha, regParam, atOnce).Fold(x, pairs)

		// The equation's two sides, as Spark's ALS builds them.
		left, right, n := make([]float64, rank), make([]float64, rank), 0
		product := func(y []float32, times float64) {
			var s float64
			for i := range y {
				s += float64(y[i]) * float64(x[i])
			}
			for i := range y {
				left[i] += times * s * float64(y[i])
			}
		}
		for item := range items {
			product(factors[item*rank:(item+1)*rank], 1)
		}
		for _, p := range pairs {
			y := factors[int(p.Item)*rank : int(p.Item+1)*rank]
			if p.Item%5 == 4 {
				continue
			}
			c := alpha * math.Abs(float64(p.Strength))
			product(y, c)
			if p.Strength > 0 {
				n++
				for i := range y {
					right[i] += (1 + c) * float64(y[i])
				}
			}
		}
		if ok != (n > 0) {
			t.Fatalf("round %d: solved is %v with %d positive pairs", round, ok, n)
		}
		if !ok {
			continue
		}
		var scale float64
		for _, b := range right {
			scale = max(scale, math.Abs(b))
		}
		for i := range left {
			left[i] += regParam * float64(n) * float64(x[i])
			if math.Abs(left[i]-right[i]) > 1e-4*scale {
				t.Fatalf("round %d, row %d: %v on the left, %v on the right", round, i, left[i], right[i])
			}
		}
	}
}

func TestFoldRefusesASingularSystem(t *testing.T) {
	t.Parallel()
	folder := newFolder(indexOf([]float32{1, 0}, 2), 1, 0, atOnce)
	if folder.Fold(make([]float32, 2), []pair{{Item: 0, Strength: 1}}) {
		t.Error("one item of rank two without regularisation was solved")
	}
}

func BenchmarkFold(b *testing.B) {
	const rank, items = 64, 10_000
	random := rand.New(rand.NewPCG(1, 1))
	factors := make([]float32, items*rank)
	for i := range factors {
		factors[i] = float32(random.NormFloat64() / 30)
	}
	folder := newFolder(indexOf(factors, rank), 40, 0.1, atOnce)
	for _, n := range []int{1, 5, 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			x, pairs := make([]float32, rank), make([]pair, n)
			for i := range pairs {
				pairs[i] = pair{Item: int32(i * 17), Strength: 1}
			}
			for b.Loop() {
				folder.Fold(x, pairs)
			}
		})
	}
}
