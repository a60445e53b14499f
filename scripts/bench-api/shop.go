package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

const rank = 64

// shop is a version like one that was trained on RetailRocket's events, and what is asked of it.
type shop struct {
	spec   modeltest.Spec
	dice   *rand.Rand
	weight int64 // of its factors, in bytes
}

// shape is what of a trained version a made-up one follows.
type shape struct {
	visitors, items int
	factored        float64                  // share of the visitors that have factors, if it is not nearly all
	near, recent    func(*rand.Rand) int     // how many neighbours an item has, and of late
	touched         func(*rand.Rand) float64 // how many items a visitor has touched
}

var (
	// usual is a version of those items and visitors that are there again and again: of items seen together mostly 200, of late 44 on
	// average; half of the visitors have touched up to 3 items, one in a hundred 20.
	usual = shape{120_000, 37_000, 1,
		func(dice *rand.Rand) int {
			if dice.IntN(4) == 0 {
				return 5 + dice.IntN(195)
			}
			return 200
		},
		func(dice *rand.Rand) int { return int(44 * dice.ExpFloat64()) },
		func(dice *rand.Rand) float64 { return math.Exp(0.9 + 0.8*dice.NormFloat64()) }}
	// everything is a version of all of RetailRocket's items and visitors: 58 items seen together with an item on average, 8 of late;
	// three in four visitors were there once, and have no factors; the others touched 3 items on average.
	everything = shape{1_400_000, 235_061, 0.24,
		func(dice *rand.Rand) int { return int(60 * dice.ExpFloat64()) },
		func(dice *rand.Rand) int { return int(9 * dice.ExpFloat64()) },
		func(dice *rand.Rand) float64 { return 1 + math.Exp(0.3+0.6*dice.NormFloat64()) }}
)

// newShop makes up a version of that shape, with norms of the factors and blends like those of a trained one, which speed follows from
// as well. Low numbers are popular items, and items of near numbers are alike.
func newShop(of shape, name string, seed uint64) *shop {
	items := of.items
	spec := modeltest.Random(name, seed, of.visitors, items, rank)
	s := &shop{spec: spec, dice: rand.New(rand.NewPCG(seed, 2))}
	for _, row := range spec.ItemFactors {
		scale := float32(0.03 * math.Exp(s.dice.NormFloat64()))
		for i := range row {
			row[i] *= scale / float32(math.Sqrt(float64(i+1)))
		}
	}
	popular := make([]modeltest.Scored, items)
	for i, item := range spec.Items {
		spec.Near[item] = s.neighbours(i, min(200, of.near(s.dice)))
		spec.Recent[item] = s.neighbours(i, min(200, of.recent(s.dice)))
		popular[i] = modeltest.Scored{Item: item, Score: 1000 / math.Pow(float64(i+1), 0.8)}
	}
	spec.Popular[model.PopularAll] = popular
	for v, visitor := range spec.Visitors {
		var seen []modeltest.Pair
		once := of.factored < 1 && s.dice.Float64() >= of.factored
		if once {
			spec.VisitorFactors[v] = nil
		}
		row := spec.VisitorFactors[v]
		clear(row)
		n := 1
		if !once {
			n = min(200, 1+int(of.touched(s.dice)))
		}
		for i := range n {
			item := s.item()
			if i > 0 && s.dice.IntN(2) == 0 {
				if near := spec.Near[seen[i-1].Item]; len(near) > 0 {
					item = s.number(near[s.dice.IntN(len(near))].Item)
				}
			}
			seen = append(seen, modeltest.Pair{Item: spec.Items[item], Strength: 1, Age: float32(3 * i), Habit: 1})
			for f, y := range spec.ItemFactors[item] {
				if row != nil {
					row[f] += 10 * y
				}
			}
		}
		spec.Seen[visitor] = seen
	}
	for _, rows := range [][][]float32{spec.VisitorFactors, spec.ItemFactors} {
		for _, row := range rows {
			s.weight += int64(4 * len(row))
		}
	}
	s.spec.Blends = model.Blends{
		Session:    model.Blend{Neighbours: 0.6, Own: 1, NeighboursDecay: 0.7, OwnDecay: 0.8},
		VisitorNew: model.Blend{Factors: 0.6, Neighbours: 0.3, Recent: 1, Popular: 0.1, NeighboursDecay: 0.977, OwnDecay: 1},
		VisitorAll: model.Blend{Factors: 1, Neighbours: 0.3, Recent: 0.6, Own: 2.2, Popular: 0.2, NeighboursDecay: 0.977, OwnDecay: 1},
	}
	return s
}

// item draws an item, popular ones more often.
func (s *shop) item() int { return int(float64(len(s.spec.Items)) * math.Pow(s.dice.Float64(), 3)) }

func (s *shop) number(id string) (n int) {
	_, _ = fmt.Sscanf(id, "i%d", &n) // as modeltest.Random names them
	return n
}

// neighbours draws n items, half of them from the same shelf.
func (s *shop) neighbours(of, n int) (list []modeltest.Scored) {
	met := map[int]bool{of: true}
	for len(list) < n {
		item := s.item()
		if s.dice.IntN(2) == 0 {
			item = (of + s.dice.IntN(600)) % len(s.spec.Items)
		}
		if !met[item] {
			met[item] = true
			list = append(list, modeltest.Scored{Item: s.spec.Items[item], Score: 1 / float64(len(list)+1)})
		}
	}
	return list
}

// write makes the version the champion below a data folder; below a second one, if any, with factors alone in place of its blends of
// visitors. It lets go of what is as large as the version.
func (s *shop) write(data, alone string) {
	write := func(data string) {
		models := filepath.Join(data, "models")
		modeltest.Write(fatal{}, models, s.spec)
		modeltest.MakeChampion(fatal{}, models, s.spec.Name)
	}
	write(data)
	if alone != "" {
		factors := model.Blend{Factors: 1}
		s.spec.Blends.VisitorNew, s.spec.Blends.VisitorAll = factors, factors
		write(alone)
	}
	s.spec = modeltest.Spec{Visitors: s.spec.Visitors, Items: s.spec.Items, Near: s.spec.Near}
	debug.FreeOSMemory()
}

// usualLength draws how many items a session has, as RetailRocket's have when the next item is asked for: these are the middles of the
// twentieths of 26,692 such sessions, which have 5.7 items on average.
func (s *shop) usualLength() int {
	lengths := [...]int{1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 10, 16, 34}
	return lengths[s.dice.IntN(len(lengths))]
}

// session draws the items of a session, each mostly a neighbour of the one before, as JSON.
func (s *shop) session(n int) string {
	items := []string{s.spec.Items[s.item()]}
	for len(items) < n {
		near := s.spec.Near[items[len(items)-1]]
		items = append(items, near[s.dice.IntN(len(near))].Item)
	}
	return `{"items":["` + strings.Join(items, `","`) + `"]}`
}

// fatal lets modeltest end this program as it would a test.
type fatal struct{ testing.TB }

func (fatal) Helper() {}
func (fatal) Fatal(what ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"bench-api:"}, what...)...)
	os.Exit(1)
}
func (f fatal) Fatalf(format string, what ...any) { f.Fatal(fmt.Sprintf(format, what...)) }
