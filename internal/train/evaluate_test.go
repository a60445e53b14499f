package train

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

func TestQuestions(t *testing.T) {
	t.Parallel()
	v, err := model.Load(modeltest.Write(t, t.TempDir(), modeltest.Spec{
		Name: "v", Rank: 1, Alpha: 1, Visitors: []string{"known"}, VisitorFactors: [][]float32{{1}},
		Items: []string{"old", "new"}, ItemFactors: [][]float32{{1}, {1}},
		Seen:    map[string][]modeltest.Pair{"known": {{Item: "old", Strength: 1}}},
		Popular: map[string][]modeltest.Scored{"all": {{Item: "old", Score: 1}}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := questions([]heldOut{
		{"stranger", "b", "view", 20}, {"stranger", "a", "view", 10}, {"stranger", "a", "view", 30},
		{"stranger", "a", "view", 9_000_000}, {"stranger", "d", "view", 8_000_000}, // another session
		{"known", "old", "view", 5}, {"known", "new", "view", 6}, {"known", "never heard of", "view", 7}, {"known", "new", "view", 8},
		{"once", "a", "view", 1},
	}, v)
	var told []string
	for _, q := range got {
		line := q.kind + "; " + q.visitor + ";"
		for _, c := range q.clicks {
			line += " " + c.ItemID
		}
		told = append(told, line+" -> "+strings.Join(q.targets, " "))
	}
	want := []string{
		"visitor, new items; known; -> new never heard of",
		"visitor, all items; known; -> old new never heard of",
		"session, next item; known; old -> new",
		"session, next item; known; old new -> never heard of",
		"session, next item; known; old new never heard of -> new",
		"session, next item; stranger; a -> b",
		"session, next item; stranger; a b -> a",
		"session, next item; stranger; d -> a",
	}
	if !slices.Equal(told, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}

// measured is a version of random factors, and questions about some of its visitors, strangers and sessions.
func measured(t *testing.T) (*model.Version, []heldOut) {
	t.Helper()
	v, err := model.Load(modeltest.Write(t, t.TempDir(), modeltest.Random("v", 3, 120, 60, 4)))
	if err != nil {
		t.Fatal(err)
	}
	var events []heldOut
	for i := range 140 { // twenty more than the version knows
		for k := range 1 + i%4 {
			events = append(events, heldOut{"v" + strconv.Itoa(i), "i" + strconv.Itoa((7*i+k*k)%65), "view", int64(1000 * k)})
		}
	}
	return v, events
}

func TestStrangersAreVisitorsWhomTheVersionDoesNotKnow(t *testing.T) {
	t.Parallel()
	v, events := measured(t)
	of := map[string]int{}
	for _, q := range strangers(events, v) {
		of[q.visitor]++
		if !q.stranger || q.warm || q.kind == session || len(q.seen) > 0 {
			t.Errorf("a stranger's question is %+v", q)
		}
	}
	if len(of) != 20 || of["v120"] != 2 || of["v139"] != 2 {
		t.Errorf("asked about %v, want twice about each of v120 to v139", of)
	}
}

func TestBoundedDrawsWholeVisitors(t *testing.T) {
	t.Parallel()
	var asked []question
	for i := range 3000 {
		for range 1 + i%3 {
			asked = append(asked, question{kind: session, visitor: strconv.Itoa(i)})
		}
		if i%10 == 0 {
			asked = append(asked, question{kind: visitorAll, visitor: strconv.Itoa(i)})
		}
	}
	count := func(asked []question) (kinds, visitors map[string]int) {
		kinds, visitors = map[string]int{}, map[string]int{}
		for _, q := range asked {
			kinds[q.kind]++
			if q.kind == session {
				visitors[q.visitor]++
			}
		}
		return kinds, visitors
	}
	_, all := count(asked)
	kinds, drawn := count(bounded(asked, 1000))
	if kinds[session] < 850 || kinds[session] > 1150 || kinds[visitorAll] != 300 {
		t.Errorf("drew %v, want about 1000 of 6000 sessions' and all 300 visitors' questions", kinds)
	}
	halves := map[half]int{}
	for visitor, n := range drawn {
		if n != all[visitor] {
			t.Fatalf("%d of visitor %s's %d questions", n, visitor, all[visitor])
		}
		halves[halfOf(visitor)]++
	}
	if halves[halfA] < len(drawn)/3 || halves[halfB] < len(drawn)/3 {
		t.Errorf("the halves of those drawn are %v", halves)
	}
	if got := bounded(asked, 10_000); len(got) != len(asked) {
		t.Errorf("%d of %d, though no more than allowed", len(got), len(asked))
	}
}

// The means of an evaluation are those that come out question by question, whatever is summed up in between.
func TestEvaluationAgreesWithTheReference(t *testing.T) {
	t.Parallel()
	v, events := measured(t)
	r := recommend.New(v)
	e := newEvaluation(append(questions(events, v), strangers(events, v)...), v.Items)
	all := answerers(r, v.Items, [2]model.Blends{defaultBlends, defaultBlends}, 1)
	for name, answer := range all {
		e.ask(name, answer)
	}
	got := e.measurements(1)
	told := map[string]bool{}
	for _, kind := range kinds {
		for _, part := range parts {
			for _, name := range recommenders {
				key := kind + part.suffix + ": " + name
				told[key] = true
				var want [8]float64
				shown := map[string]bool{}
				n := 0.0
				for _, q := range e.asked {
					if q.kind != kind || !part.of(q) {
						continue
					}
					n++
					ranked := all[name](q)
					for i, k := range []int{10, 20} {
						ndcg, recall, hit, mrr := reference(ranked, q.targets, k)
						for j, figure := range []float64{ndcg, recall, hit, mrr} {
							want[4*i+j] += figure
						}
					}
					for _, id := range ranked[:min(10, len(ranked))] {
						if _, known := v.Items.Number(id); known {
							shown[id] = true
						}
					}
				}
				m, ok := got[key]
				if !ok || m.Cases != int(n) {
					t.Fatalf("%q: %d cases, want %v", key, m.Cases, n)
				}
				for k, metric := range metricNames[:8] {
					value := m.Values[metric]
					if math.Abs(value.Mean-want[k]/n) > 1e-9 || value.Low > value.Mean || value.High < value.Mean {
						t.Errorf("%q: %s is %+v, want %v inside the interval", key, metric, value, want[k]/n)
					}
				}
				if c := m.Values[coverageName].Mean; math.Abs(c-float64(len(shown))/float64(v.Items.Len())) > 1e-9 {
					t.Errorf("%q: coverage %v, want %d of %d", key, c, len(shown), v.Items.Len())
				}
			}
		}
	}
	if len(got) != len(told) {
		t.Errorf("%d measurements, want %d", len(got), len(told))
	}
	if p := got[visitorAll+": "+byChance].Values["popularity@10"]; p.Low > 0.5 || p.High < 0.5 {
		t.Errorf("what is drawn at random has popularity %+v, want 0.5", p)
	}
}

func TestRecommendersKeepToWhatIsAsked(t *testing.T) {
	t.Parallel()
	v, events := measured(t)
	r := recommend.New(v)
	for name, answer := range answerers(r, v.Items, [2]model.Blends{defaultBlends, defaultBlends}, 1) {
		for _, q := range append(questions(events, v), strangers(events, v)...) {
			ranked := answer(q)
			if len(ranked) != answered {
				t.Fatalf("%s gave %d items for %+v", name, len(ranked), q)
			}
			met := map[string]bool{}
			for _, id := range ranked {
				if met[id] || name != byChance && q.kind == visitorNew && slices.Contains(q.seen, id) {
					t.Fatalf("%s gave %s, met before, for %+v: %v", name, id, q, ranked)
				}
				met[id] = true
			}
		}
	}
}
