package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

func TestScore(t *testing.T) {
	t.Parallel()
	ten := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}
	for _, test := range []struct {
		name            string
		ranked, targets []string
		want            figures
	}{
		{"first", []string{"a", "b"}, []string{"a"}, figures{1, 1, 1, 1, 1, 1, 1, 1}},
		{"third", []string{"x", "y", "a"}, []string{"a"}, figures{0.5, 1, 1, 1.0 / 3, 0.5, 1, 1, 1.0 / 3}}, // 1/log2(4)
		{"none", []string{"x"}, []string{"a"}, figures{}},
		{"two of three", []string{"a", "x", "b"}, []string{"a", "b", "c"}, figures{1.5 / (1 + 1/math.Log2(3) + 0.5), 2.0 / 3, 1, 1,
			1.5 / (1 + 1/math.Log2(3) + 0.5), 2.0 / 3, 1, 1}},
		{"eleventh", append(slices.Clone(ten), "a"), []string{"a"}, figures{0, 0, 0, 0, 1 / math.Log2(12), 1, 1, 1.0 / 11}},
		{"beyond", append(slices.Concat(ten, ten), "a"), []string{"a"}, figures{}},
		{"empty answer", nil, []string{"a"}, figures{}},
	} {
		got := score(test.ranked, test.targets)
		for k := range got {
			if math.Abs(got[k]-test.want[k]) > 1e-12 {
				t.Errorf("%s: %s is %v, want %v", test.name, metricNames[k], got[k], test.want[k])
			}
		}
	}
}

// reference works the figures of a list out word by word from their definitions.
func reference(ranked, targets []string, k int) (ndcg, recall, hit, mrr float64) {
	relevant := func(item string) float64 {
		if slices.Contains(targets, item) {
			return 1
		}
		return 0
	}
	cut := ranked[:min(k, len(ranked))]
	gain := func(list []string) (sum float64) {
		for i, item := range list {
			sum += (math.Pow(2, relevant(item)) - 1) / math.Log2(float64(i+2))
		}
		return sum
	}
	var found float64
	for _, target := range targets {
		if slices.Contains(cut, target) {
			found++
		}
	}
	if found > 0 {
		hit = 1
	}
	mrr = 0
	for i := len(cut) - 1; i >= 0; i-- {
		if relevant(cut[i]) == 1 {
			mrr = 1 / float64(i+1)
		}
	}
	return gain(cut) / gain(targets[:min(k, len(targets))]), found / float64(len(targets)), hit, mrr
}

func TestScoreAgreesWithTheReference(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 7))
		catalogue := make([]string, 40)
		for i := range catalogue {
			catalogue[i] = strconv.Itoa(i)
		}
		draw := func(n int) (items []string) {
			for _, i := range r.Perm(len(catalogue))[:n] {
				items = append(items, catalogue[i])
			}
			return items
		}
		ranked, targets := draw(r.IntN(26)), draw(1+r.IntN(25))
		got := score(ranked, targets)
		for i, k := range []int{10, 20} {
			ndcg, recall, hit, mrr := reference(ranked, targets, k)
			for j, want := range []float64{ndcg, recall, hit, mrr} {
				if math.Abs(got[4*i+j]-want) > 1e-12 {
					t.Fatalf("seed %d: %s is %v, want %v, of %v for %v", seed, metricNames[4*i+j], got[4*i+j], want, ranked, targets)
				}
			}
		}
	}
}

func TestPopularityIsTheShareOfLessPopularItems(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		list []int32
		want float64
	}{{[]int32{0}, 1}, {[]int32{4}, 0}, {[]int32{1, 3}, 0.5}, {[]int32{0, -1}, 0.5}, {nil, 0}} {
		if got := popularityOf(test.list, 5); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%v of 5: %v, want %v", test.list, got, test.want)
		}
	}
	if got := popularityOf([]int32{0}, 1); got != 0 {
		t.Errorf("the only item: %v, want 0", got)
	}
}

func TestIntervalsBracketTheMean(t *testing.T) {
	t.Parallel()
	once, twice := newByVisitor(2), newByVisitor(2)
	for i := range 400 {
		once.add(strconv.Itoa(i), float64(i%2), 0.25)
		for range 2 {
			twice.add(strconv.Itoa(i), float64(i%2), 0.25)
		}
	}
	got := once.intervals(1)
	// The standard error of a fair coin's mean over 400 throws is 0.025.
	if c := got[0]; math.Abs(c.Mean-0.5) > 1e-9 || math.Abs(c.Low-0.45) > 0.01 || math.Abs(c.High-0.55) > 0.01 {
		t.Errorf("a fair coin: %+v, want 0.5 [0.45, 0.55]", c)
	}
	if c := got[1]; math.Abs(c.Mean-0.25) > 1e-9 || math.Abs(c.Low-0.25) > 1e-9 || math.Abs(c.High-0.25) > 1e-9 {
		t.Errorf("a constant: %+v, want 0.25 throughout", c)
	}
	if again := once.intervals(1); again[0] != got[0] {
		t.Error("the same seed gives another interval")
	}
	// Asking every visitor the same twice makes nothing surer.
	if d := twice.intervals(1)[0]; math.Abs((d.High-d.Low)-(got[0].High-got[0].Low)) > 0.01 {
		t.Errorf("asked twice: %+v, want about as wide as %+v", d, got[0])
	}
}

func TestCoverage(t *testing.T) {
	t.Parallel()
	alike := slices.Repeat([][]int32{{0, 1, -1}}, 50)
	if got := coverage(alike, 10, 1); got.Mean != 0.2 || math.Abs(got.Low-0.2) > 1e-9 || math.Abs(got.High-0.2) > 1e-9 {
		t.Errorf("the same two items of ten to everybody: %+v, want 0.2 throughout", got)
	}
	var own [][]int32
	for i := range int32(100) {
		own = append(own, []int32{i})
	}
	got := coverage(own, 200, 1)
	// A draw of 100 of 100 finds 1-1/e of them, ±3.1: half of that as a share of 200, and the interval lies around what was measured.
	if math.Abs(got.Mean-0.5) > 1e-9 || got.Low >= 0.5 || got.High <= 0.5 || got.High-got.Low > 0.1 {
		t.Errorf("an item of his own to each of 100, of 200: %+v, want an interval around 0.5", got)
	}
}

func TestFiguresAreNamed(t *testing.T) {
	t.Parallel()
	if len(metricNames) != len(figures{}) || metricNames[ndcg10] != decidingMetric || metricNames[popularity] != fmt.Sprintf("popularity@%d", listed) {
		t.Errorf("the names %v do not fit the figures", metricNames)
	}
}
