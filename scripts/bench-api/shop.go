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

// newShop makes up a version. What matters for speed follows the trained one: how long the lists of neighbours are (of items seen
// together mostly 200, of late 44 on average), how many items a visitor has touched (half of them up to 3, one in a hundred 20), how the
// norms of the factors are spread, and the blends. Low numbers are popular items, and items of near numbers are alike.
func newShop(visitors, items int) *shop {
	spec := modeltest.Random("bench", 1, visitors, items, rank)
	s := &shop{spec: spec, dice: rand.New(rand.NewPCG(1, 2)), weight: int64(visitors+items) * rank * 4}
	for _, row := range spec.ItemFactors {
		scale := float32(0.03 * math.Exp(s.dice.NormFloat64()))
		for i := range row {
			row[i] *= scale / float32(math.Sqrt(float64(i+1)))
		}
	}
	popular := make([]modeltest.Scored, items)
	for i, item := range spec.Items {
		near := 200
		if s.dice.IntN(4) == 0 {
			near = 5 + s.dice.IntN(195)
		}
		spec.Near[item] = s.neighbours(i, near)
		spec.Recent[item] = s.neighbours(i, min(200, int(44*s.dice.ExpFloat64())))
		popular[i] = modeltest.Scored{Item: item, Score: 1000 / math.Pow(float64(i+1), 0.8)}
	}
	spec.Popular[model.PopularAll] = popular
	for v, visitor := range spec.Visitors {
		var seen []modeltest.Pair
		row := spec.VisitorFactors[v]
		clear(row)
		for i := range min(200, 1+int(math.Exp(0.9+0.8*s.dice.NormFloat64()))) {
			item := s.item()
			if i > 0 && s.dice.IntN(2) == 0 {
				near := spec.Near[seen[i-1].Item]
				item = s.number(near[s.dice.IntN(len(near))].Item)
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

// write makes the version the champion below a data folder, and lets go of what is as large as the version.
func (s *shop) write(data string) {
	models := filepath.Join(data, "models")
	modeltest.Write(fatal{}, models, s.spec)
	modeltest.MakeChampion(fatal{}, models, s.spec.Name)
	s.spec = modeltest.Spec{Visitors: s.spec.Visitors, Items: s.spec.Items, Near: s.spec.Near}
	debug.FreeOSMemory()
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
