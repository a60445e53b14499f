package train

import (
	"math"
	"math/rand/v2"
	"slices"

	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
)

// How many questions of a kind a blend is tuned on at most, which bounds time and memory. A session's has one answer, which is in the
// list or not: it tells less than a visitor's. A half chooses for the measurement alone.
const (
	tuneVisitors = 4_000
	tuneSessions = 12_000
	tuneHalf     = 2_000
)

// defaultBlends are where the search begins, and what is taken where there are too few questions to choose by.
var defaultBlends = model.Blends{
	Session:    model.Blend{Factors: 0.2, Neighbours: 1, Recent: 0.3, Own: 1, NeighboursDecay: 0.6, OwnDecay: 0.9},
	VisitorNew: model.Blend{Factors: 0.6, Neighbours: 0.3, Recent: 1, Popular: 0.1, NeighboursDecay: perDay(30), OwnDecay: 1},
	VisitorAll: model.Blend{Factors: 1, Neighbours: 0.3, Recent: 0.6, Own: 2.2, Popular: 0.2, NeighboursDecay: perDay(30), OwnDecay: 1},
}

// perDay is the decay a day that halves in so many days.
func perDay(halfLife float64) float64 { return math.Pow(2, -1/halfLife) }

var (
	weights = []float64{0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.3, 1.7, 2.2, 3, 5}
	// On top of the strengths' own half-life; the first ones take it back in part.
	visitorDecays = []float64{1, perDay(-35), perDay(-45), perDay(-70), perDay(90), perDay(30), perDay(10), perDay(3)}
	sessionDecays = []float64{1, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3}
	sessionKinds  = []float64{0, 0.5, 1}
)

// weighings are all ways to weigh a history, in the order of kinds and, of each, of decays.
func weighings(decays, kinds []float64) (all []recommend.Weighing) {
	for _, k := range kinds {
		for _, d := range decays {
			all = append(all, recommend.Weighing{Decay: d, Kinds: k})
		}
	}
	return all
}

// tuner holds the questions that blends are chosen by, of each kind.
type tuner map[string][]tuneCase

func newTuner(r *recommend.Recommender, items *model.IDs, asked []question, seed int64) tuner {
	t := tuner{}
	for _, kind := range kinds {
		t[kind] = prepare(r, items, sample(asked, kind, seed))
	}
	return t
}

// tune chooses the blend for each kind of question by the visitors of a half, or of both.
func (t tuner) tune(h half) model.Blends {
	chosen := defaultBlends
	for kind, blend := range map[string]*model.Blend{visitorNew: &chosen.VisitorNew, visitorAll: &chosen.VisitorAll, session: &chosen.Session} {
		cases := t.of(kind, h)
		if len(cases) >= 50 { // fewer decide nothing
			*blend = search(*blend, kind, cases)
		}
	}
	return chosen
}

// of are the cases of a kind that the visitors of a half choose by, or those of both.
func (t tuner) of(kind string, h half) []tuneCase {
	if h == halfA|halfB {
		return t[kind]
	}
	cases := slices.DeleteFunc(slices.Clone(t[kind]), func(c tuneCase) bool { return c.half&h == 0 })
	return cases[:min(len(cases), tuneHalf)]
}

// tuneCase is a question with all signals worked out.
type tuneCase struct {
	half    half
	signals recommend.Signals
	targets []int32 // those that the version knows
	all     int     // how many there are
}

func prepare(r *recommend.Recommender, items *model.IDs, asked []question) []tuneCase {
	cases := make([]tuneCase, len(asked))
	parallel(len(asked), func(i int) {
		q, c := asked[i], &cases[i]
		if q.kind == session {
			c.signals = r.SessionSignals(q.clicks, weighings(sessionDecays, sessionKinds))
		} else {
			c.signals = r.VisitorSignals(q.visitor, weighings(visitorDecays, []float64{0}), q.kind != visitorNew)
		}
		c.half, c.all = halfOf(q.visitor), len(q.targets)
		for _, target := range q.targets {
			if item, ok := items.Number(target); ok {
				c.targets = append(c.targets, item)
			} else if i := slices.Index(c.signals.Strangers, target); i >= 0 {
				c.targets = append(c.targets, int32(-1-i))
			}
		}
	})
	return cases
}

// search climbs from the default and, for visitors, once more from where factors lead: what a visitor's items are near to and what his
// factors say point the same way, and a climb that begins with much of the one may end before it has found the other.
func search(b model.Blend, kind string, cases []tuneCase) model.Blend {
	if kind == session {
		b, _ = climb(b, kind, sessionDecays, cases)
		return b
	}
	led := b
	led.Factors, led.Neighbours, led.Recent, led.Popular = 1, 0.1, 0.1, 0.3
	b, reached := climb(b, kind, visitorDecays, cases)
	if other, further := climb(led, kind, visitorDecays, cases); further > reached {
		return other
	}
	return b
}

// climb improves one number of the blend after the other, each over its values, until a round over all of them changes nothing. It
// returns what the blend has reached, too.
func climb(b model.Blend, kind string, decays []float64, cases []tuneCase) (model.Blend, float64) {
	knobs := []func(*model.Blend) (*float64, []float64){
		func(b *model.Blend) (*float64, []float64) { return &b.Recent, weights },
		func(b *model.Blend) (*float64, []float64) { return &b.Factors, weights },
		func(b *model.Blend) (*float64, []float64) { return &b.Neighbours, weights },
		func(b *model.Blend) (*float64, []float64) { return &b.NeighboursDecay, decays },
		func(b *model.Blend) (*float64, []float64) { return &b.Popular, weights },
	}
	if kind != visitorNew { // new items are never one's own
		knobs = append(knobs, func(b *model.Blend) (*float64, []float64) { return &b.Own, weights },
			func(b *model.Blend) (*float64, []float64) { return &b.OwnDecay, decays })
	}
	if kind == session {
		knobs = append(knobs, func(b *model.Blend) (*float64, []float64) { return &b.Kinds, sessionKinds })
	}
	best := objective(b, kind, decays, cases)
	for rounds, before := 0, -1.0; rounds < 4 && best > before; rounds++ {
		before = best
		for _, knob := range knobs {
			_, values := knob(&b)
			for _, v := range values {
				candidate := b
				at, _ := knob(&candidate)
				*at = v
				if reached := objective(candidate, kind, decays, cases); reached > best {
					best, b = reached, candidate
				}
			}
		}
	}
	return b, best
}

// depths are the lengths of list by which a visitor's blend is chosen. One shop has a few hundred visitors who come back, and the first
// ten places alone tell two blends apart mostly by chance; what just misses them tells, too.
var depths = []int{10, 20, 50}

// objective is what a blend is chosen by: the mean of hit rate and reciprocal place for the next item of a session, the mean of NDCG over
// the depths for a visitor.
func objective(b model.Blend, kind string, decays []float64, cases []tuneCase) float64 {
	near, own := closest(decays, b.NeighboursDecay), closest(decays, b.OwnDecay)
	if kind == session {
		of := closest(sessionKinds, b.Kinds) * len(decays)
		near, own = of+near, of+own
	}
	values := make([]float64, len(cases))
	parallel(len(cases), func(i int) {
		c := &cases[i]
		if kind == session {
			for place, scored := range c.signals.Top(nil, 20, b, near, own) {
				if slices.Contains(c.targets, scored.Item) {
					values[i] = (1 + 1/float64(place+1)) / 2
					break
				}
			}
			return
		}
		values[i] = meanNDCG(c.signals.Top(nil, depths[len(depths)-1], b, near, own), c)
	})
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(cases))
}

// meanNDCG is the mean of a list's NDCG over the depths.
func meanNDCG(list []recommend.Scored, c *tuneCase) float64 {
	var dcg, ideal, sum float64
	place := 0
	for _, depth := range depths {
		for ; place < depth; place++ {
			discount := 1 / math.Log2(float64(place)+2)
			if place < len(list) && slices.Contains(c.targets, list[place].Item) {
				dcg += discount
			}
			if place < c.all {
				ideal += discount
			}
		}
		sum += dcg / ideal
	}
	return sum / float64(len(depths))
}

// closest finds a number in the list; the search only ever sets numbers of the list, and the defaults are on it.
func closest(values []float64, value float64) int {
	best := 0
	for i, v := range values {
		if math.Abs(v-value) < math.Abs(values[best]-value) {
			best = i
		}
	}
	return best
}

// sample draws questions of a kind.
func sample(asked []question, kind string, seed int64) []question {
	var chosen []question
	for _, q := range asked {
		if q.kind == kind {
			chosen = append(chosen, q)
		}
	}
	draw := rand.New(rand.NewPCG(uint64(seed), 1))
	draw.Shuffle(len(chosen), func(a, b int) { chosen[a], chosen[b] = chosen[b], chosen[a] })
	most := tuneVisitors
	if kind == session {
		most = tuneSessions
	}
	return chosen[:min(len(chosen), most)]
}
