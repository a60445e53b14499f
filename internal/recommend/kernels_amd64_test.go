package recommend

import (
	"math"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/cpu"
)

func TestReachWithAVX2IsThePortableOne(t *testing.T) {
	t.Parallel()
	if !cpu.X86.HasAVX2 {
		t.Skip("this processor has no AVX2")
	}
	r := rand.New(rand.NewPCG(15, 16))
	for range 2000 {
		groups := 1 + r.IntN(40)
		codes, query := make([]uint8, groups*blockRows*groupBytes), make([]int8, groups*groupBytes)
		extreme := r.IntN(2) == 0 // the largest sums that there are, where 16 bits nearly run over
		for i := range codes {
			if codes[i] = uint8(1 + r.IntN(2*mostCode+1)); extreme {
				codes[i] = zero + mostCode
			}
		}
		for i := range query {
			if query[i] = int8(r.IntN(2*mostQuery+1) - mostQuery); extreme {
				query[i] = mostQuery * int8(1-2*(i/2%2))
			}
		}
		var sum int32 // of some row
		row := r.IntN(blockRows)
		for j, x := range query {
			sum += int32(x) * int32(codes[(j/groupBytes*blockRows+row)*groupBytes+j%groupBytes])
		}
		for _, limit := range []int32{sum, sum + 1, sum - 1, 0, math.MinInt32 + 1, math.MaxInt32} {
			if got, want := reachAVX2(codes, query, limit), reachPortable(codes, query, limit); got != want {
				t.Fatalf("%d groups, limit %d: rows %032b, want %032b", groups, limit, got, want)
			}
		}
	}
}

func TestDotWithAVX2IsThePortableOne(t *testing.T) {
	t.Parallel()
	if !cpu.X86.HasAVX2 {
		t.Skip("this processor has no AVX2")
	}
	r := rand.New(rand.NewPCG(17, 18))
	for n := range 200 {
		a, b := make([]float32, n), make([]float32, n)
		for i := range a {
			a[i], b[i] = float32(r.NormFloat64()*math.Pow(10, r.Float64()*6-3)), float32(r.NormFloat64())
		}
		if got, want := dotWide(a, b), dotPortable(a, b); math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("of %d factors: %v, want %v", n, got, want)
		}
	}
}
