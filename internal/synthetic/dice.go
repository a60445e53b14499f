package synthetic

import (
	"math/bits"
	"math/rand/v2"
)

// dice draws from the one stream of random numbers. Only the PCG generator itself is fixed by its specification, so the
// distributions are made here, from whole numbers.
type dice struct{ pcg *rand.PCG }

// below draws evenly from 0..n-1.
func (d dice) below(n int) int {
	hi, _ := bits.Mul64(d.pcg.Uint64(), uint64(n))
	return int(hi)
}

// chance is true in permille of 1000 cases.
func (d dice) chance(permille int) bool { return d.below(1000) < permille }

// skewed draws from 0..n-1 with a heavy head: n·u^power for an even u. With power 2, the first of a hundred comes up in a tenth of
// the draws; with power 3, in a fifth.
func (d dice) skewed(n, power int) int {
	u := d.pcg.Uint64()
	v := u
	for range power - 1 {
		v, _ = bits.Mul64(v, u)
	}
	hi, _ := bits.Mul64(v, uint64(n))
	return int(hi)
}

// point is one quantile of a measured distribution.
type point struct{ permille, value int64 }

// from draws from a distribution given by its quantiles, the first at 0 and the last at 1000.
func (d dice) from(quantiles []point) int64 {
	const fine = 1000 // steps a permille
	at := int64(d.below(1000 * fine))
	i := 1
	for quantiles[i].permille*fine <= at {
		i++
	}
	a, b := quantiles[i-1], quantiles[i]
	return a.value + (b.value-a.value)*(at-a.permille*fine)/((b.permille-a.permille)*fine)
}

// numbers returns the first k of the shuffled numbers 0..n-1.
func (d dice) numbers(n, k int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(i)
	}
	shuffle(d, s)
	return s[:k:k]
}

func shuffle(d dice, s []int32) {
	for i := len(s) - 1; i > 0; i-- {
		j := d.below(i + 1)
		s[i], s[j] = s[j], s[i]
	}
}

// mulDiv is a·b/c without overflow in between; the result must fit.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c)
	return q
}
