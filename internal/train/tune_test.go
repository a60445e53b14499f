package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

// twoSignals makes cases in which the target is the best item of one signal, and another signal points elsewhere.
func twoSignals(n int, targetByFactors bool) tuner {
	cases := make([]tuneCase, n)
	for i := range cases {
		flat := func(best int) []float32 {
			signal := make([]float32, 40)
			for j := range signal {
				signal[j] = 0.5
			}
			signal[best] = 1
			return signal
		}
		s := recommend.Signals{Factors: flat(7), Popular: make([]float32, 40)}
		for item := range int32(40) {
			s.Items = append(s.Items, item)
		}
		for range visitorDecays {
			s.Near, s.Recent, s.Own = append(s.Near, flat(30)), append(s.Recent, make([]float32, 40)), append(s.Own, make([]float32, 40))
		}
		target := int32(30)
		if targetByFactors {
			target = 7
		}
		cases[i] = tuneCase{half: halfA << (i % 2), signals: s, targets: []int32{target}, all: 1}
	}
	return tuner{visitorNew: cases}
}

func TestTuneFollowsTheSignalThatForetells(t *testing.T) {
	t.Parallel()
	for _, byFactors := range []bool{true, false} {
		cases := twoSignals(120, byFactors)
		blends := cases.tune(halfA)
		b := blends.VisitorNew
		if got := objective(b, visitorNew, visitorDecays, cases[visitorNew]); got < 0.999 {
			t.Errorf("factors foretell: %v; NDCG %v with %+v", byFactors, got, b)
		}
		if byFactors != (b.Factors > b.Neighbours) {
			t.Errorf("factors foretell: %v, but the blend is %+v", byFactors, b)
		}
		if blends.Session != defaultBlends.Session {
			t.Errorf("without a session to choose by, the blend for sessions became %+v", blends.Session)
		}
	}
	if b := twoSignals(60, true).tune(halfA); b.VisitorNew != defaultBlends.VisitorNew {
		t.Errorf("30 cases decided: %+v", b.VisitorNew)
	}
}

// A session's question tells less than a visitor's, so more of them choose; there is a bound to either, and no question counts twice.
func TestTuneDrawsMoreOfSessions(t *testing.T) {
	t.Parallel()
	var asked []question
	for i := range 2 * tuneSessions {
		asked = append(asked, question{kind: session, visitor: strconv.Itoa(i)}, question{kind: visitorNew, visitor: strconv.Itoa(i)})
	}
	for kind, want := range map[string]int{session: tuneSessions, visitorNew: tuneVisitors} {
		drawn := map[string]bool{}
		for _, q := range sample(asked, kind, 1) {
			if q.kind != kind || drawn[q.visitor] {
				t.Fatalf("drawn for %s: %s of %s, or twice", kind, q.kind, q.visitor)
			}
			drawn[q.visitor] = true
		}
		if len(drawn) != want {
			t.Errorf("%d questions drawn for %s, want %d", len(drawn), kind, want)
		}
	}
}

// What is served is chosen by all the cases; a half, which only measures, has a bound of its own and never the other's visitors.
func TestTuneChoosesByAllAndMeasuresByAHalf(t *testing.T) {
	t.Parallel()
	cases := make([]tuneCase, 3*tuneHalf)
	for i := range cases {
		cases[i].half = halfA
		if i%6 == 0 {
			cases[i].half = halfB
		}
	}
	all := tuner{session: cases}
	for h, want := range map[half]int{halfA | halfB: 3 * tuneHalf, halfA: tuneHalf, halfB: tuneHalf / 2} {
		got := all.of(session, h)
		if len(got) != want {
			t.Errorf("half %d: %d cases, want %d", h, len(got), want)
		}
		for _, c := range got {
			if c.half&h == 0 {
				t.Fatalf("half %d has a case of the other", h)
			}
		}
	}
}

// At random signals a climb often ends before the best blend; the second one, from where factors lead, must then count.
func TestSearchIsNotHeldUpWhereTheFirstClimbIs(t *testing.T) {
	t.Parallel()
	better := 0
	for seed := range uint64(8) {
		draw := rand.New(rand.NewPCG(seed, 0))
		signal := func() []float32 {
			values := make([]float32, 40)
			for i := range values {
				values[i] = draw.Float32()
			}
			return values
		}
		cases := make([]tuneCase, 20)
		for i := range cases {
			s := recommend.Signals{Factors: signal(), Popular: signal()}
			near, recent := signal(), signal()
			for item := range int32(40) {
				s.Items = append(s.Items, item)
			}
			for range visitorDecays {
				s.Near, s.Recent, s.Own = append(s.Near, near), append(s.Recent, recent), append(s.Own, make([]float32, 40))
			}
			cases[i] = tuneCase{signals: s, targets: []int32{0, 1}, all: 2}
		}
		first, reached := climb(defaultBlends.VisitorNew, visitorNew, visitorDecays, cases)
		found := search(defaultBlends.VisitorNew, visitorNew, cases)
		got := objective(found, visitorNew, visitorDecays, cases)
		if got < reached {
			t.Errorf("seed %d: the search reached %v by %+v, the first climb %v by %+v", seed, got, found, reached, first)
		}
		if got > reached {
			better++
		}
	}
	if better == 0 {
		t.Error("the second climb never counted")
	}
}

// Where no blend brings the target among the first ten, the one that brings it nearer is still the better one.
func TestTuneSeesWhatJustMissesTheFirstTen(t *testing.T) {
	t.Parallel()
	targets := []int32{99}
	list := func(place int) []recommend.Scored {
		l := make([]recommend.Scored, 50)
		if place > 0 {
			l[place-1].Item = 99
		}
		return l
	}
	last := 1.0
	for _, place := range []int{1, 2, 10, 11, 20, 21, 50} {
		got := meanNDCG(list(place), &tuneCase{targets: targets, all: 1})
		if place == 1 && math.Abs(got-1) > 1e-12 || place > 1 && got >= last || got <= 0 {
			t.Errorf("place %d: %v, after %v for the place before", place, got, last)
		}
		last = got
	}
	// One of two targets at place 15: nothing at 10, and of the ideal 1 + 1/log2(3) the share 1/log2(16) at 20 and at 50.
	want := 2.0 / 3 / 4 / (1 + 1/math.Log2(3))
	if got := meanNDCG(list(15), &tuneCase{targets: targets, all: 2}); math.Abs(got-want) > 1e-12 {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := meanNDCG(list(0), &tuneCase{targets: targets, all: 1}); got != 0 {
		t.Errorf("without a hit: %v", got)
	}
}

func TestDefaultsAreAmongTheValuesTried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		blend  model.Blend
		decays []float64
	}{
		"session": {defaultBlends.Session, sessionDecays}, "new": {defaultBlends.VisitorNew, visitorDecays}, "all": {defaultBlends.VisitorAll, visitorDecays},
	} {
		for _, w := range []float64{c.blend.Factors, c.blend.Neighbours, c.blend.Recent, c.blend.Own, c.blend.Popular} {
			if !slices.Contains(weights, w) {
				t.Errorf("%s: the weight %v is not tried", name, w)
			}
		}
		for _, d := range []float64{c.blend.NeighboursDecay, c.blend.OwnDecay} {
			if !slices.Contains(c.decays, d) {
				t.Errorf("%s: the decay %v is not tried, and the signals would be worked out for another", name, d)
			}
		}
	}
}

// Two items were clicked, the first put into the cart, the second looked at; what comes next is near to one of them.
func TestTuneWeighsTheKindsOfEventWhereTheyForetell(t *testing.T) {
	t.Parallel()
	spec := modeltest.Spec{Name: "x", Rank: 1, Alpha: 1, RegParam: 0.1, EventWeights: map[string]float64{"view": 1, "addtocart": 20},
		Visitors: []string{"v"}, VisitorFactors: make([][]float32, 1), Popular: map[string][]modeltest.Scored{"all": {{Item: "viewed", Score: 1}}},
		Items: []string{"carted", "viewed", "beside carted", "beside viewed"}, ItemFactors: make([][]float32, 4),
		Near: map[string][]modeltest.Scored{"carted": {{Item: "beside carted", Score: 0.5}}, "viewed": {{Item: "beside viewed", Score: 1}}}}
	version, err := model.Load(modeltest.Write(t, t.TempDir(), spec))
	if err != nil {
		t.Fatal(err)
	}
	r := recommend.New(version)
	for target, counts := range map[string]bool{"beside carted": true, "beside viewed": false} {
		var asked []question
		for i := range 60 {
			asked = append(asked, question{kind: session, visitor: strconv.Itoa(i), targets: []string{target},
				clicks: []recommend.Click{{ItemID: "carted", Event: "addtocart"}, {ItemID: "viewed", Event: "view"}}})
		}
		b := newTuner(r, version.Items, asked, 1).tune(halfA | halfB).Session
		if got := b.Kinds > 0; got != counts {
			t.Errorf("where %s is next, the blend is %+v", target, b)
		}
		if list := r.With(model.Blends{Session: b}).Session(asked[0].clicks, recommend.Options{Limit: 1}).Items; list[0].ID != target {
			t.Errorf("where %s is next, the blend %+v answers %v", target, b, list)
		}
	}
}
