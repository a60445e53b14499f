package train

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/parquet-go/parquet-go"
)

// metricNames are the metrics in the order in which they are told.
var metricNames = []string{"ndcg@10", "recall@10", "hitrate@10", "mrr@20", "hitrate@20"}

// answered is how many items a recommender is asked for.
const answered = 20

// metrics are one case's figures, in the order of metricNames.
type metrics [5]float64

// score measures a ranking against what the visitor then chose, with binary gains: NDCG as in Järvelin and Kekäläinen (2002), its ideal
// being min(K, targets) hits; recall is hits per target; hit rate is 1 for any hit; MRR is one by the place of the first. Targets
// outside the catalogue count as missed.
func score(ranked, targets []string) metrics {
	var dcg, ideal, hits, mrr, hit20 float64
	for i, item := range ranked[:min(answered, len(ranked))] {
		if !slices.Contains(targets, item) {
			continue
		}
		if hit20 == 0 {
			hit20, mrr = 1, 1/float64(i+1)
		}
		if i < 10 {
			hits++
			dcg += 1 / math.Log2(float64(i)+2)
		}
	}
	for i := range min(10, len(targets)) {
		ideal += 1 / math.Log2(float64(i)+2)
	}
	return metrics{dcg / ideal, hits / float64(len(targets)), min(hits, 1), mrr, hit20}
}

// heldOut is an event that the measured model has not seen.
type heldOut struct {
	VisitorID string `parquet:"visitorid"`
	ItemID    string `parquet:"itemid"`
	Event     string `parquet:"event"`
	Timestamp int64  `parquet:"timestamp"`
}

// The kinds of question that a version is asked, and a blend is chosen for.
const (
	visitorNew = "visitor, new items"
	visitorAll = "visitor, all items"
	session    = "session, next item"
)

var kinds = []string{visitorNew, visitorAll, session}

// question is one case: what is known, and what was then chosen.
type question struct {
	kind    string
	visitor string
	seen    []string          // of a visitor whom the model knows: his items
	clicks  []recommend.Click // of a session, oldest first
	targets []string
}

// questions turns held-out events into cases. A visitor whom the model knows is asked about by his history, once for the held-out
// items that are new to him and once for all of them. Every session is asked about as a stranger's, after each of its clicks, for
// the next item.
func questions(events []heldOut, v *model.Version) []question {
	slices.SortStableFunc(events, func(a, b heldOut) int {
		return cmp.Or(strings.Compare(a.VisitorID, b.VisitorID), cmp.Compare(a.Timestamp, b.Timestamp), strings.Compare(a.ItemID, b.ItemID))
	})
	var all []question
	for start := 0; start < len(events); {
		end := start
		for end < len(events) && events[end].VisitorID == events[start].VisitorID {
			end++
		}
		all = append(all, visitorQuestions(events[start:end], v)...)
		all = append(all, sessionQuestions(events[start:end])...)
		start = end
	}
	return all
}

func visitorQuestions(events []heldOut, v *model.Version) (asked []question) {
	id := events[0].VisitorID
	number, known := v.Visitors.Number(id)
	if !known {
		return nil
	}
	var seen, fresh, all []string
	before, _ := v.Seen.Of(number)
	for _, item := range before {
		seen = append(seen, v.Items.Name(item))
	}
	for _, e := range events {
		if slices.Contains(all, e.ItemID) {
			continue
		}
		all = append(all, e.ItemID)
		if !slices.Contains(seen, e.ItemID) {
			fresh = append(fresh, e.ItemID)
		}
	}
	if len(fresh) > 0 {
		asked = append(asked, question{kind: visitorNew, visitor: id, seen: seen, targets: fresh})
	}
	return append(asked, question{kind: visitorAll, visitor: id, seen: seen, targets: all})
}

func sessionQuestions(events []heldOut) (asked []question) {
	var clicks []recommend.Click
	for i, e := range events {
		if i > 0 && e.Timestamp-events[i-1].Timestamp > sessionPause.Milliseconds() {
			clicks = nil
		}
		if len(clicks) > 0 {
			asked = append(asked, question{kind: session, visitor: e.VisitorID, clicks: slices.Clip(clicks), targets: []string{e.ItemID}})
		}
		clicks = append(clicks, recommend.Click{ItemID: e.ItemID, Event: e.Event})
	}
	return asked
}

// ask puts a question to a recommender.
func ask(r *recommend.Recommender, q question) metrics {
	o := recommend.Options{Limit: answered, IncludeSeen: q.kind != visitorNew}
	if q.kind == session {
		return score(ids(r.Session(q.clicks, o)), q.targets)
	}
	return score(ids(r.Visitor(q.visitor, o)), q.targets)
}

// askPopular answers a question by popularity.
func askPopular(r *recommend.Recommender, q question) metrics {
	o := recommend.Options{Limit: answered}
	if q.kind == visitorNew {
		o.Exclude = q.seen
	}
	best, _ := r.Popular(model.PopularAll, o)
	return score(ids(best), q.targets)
}

func ids(a recommend.Answer) []string {
	names := make([]string, len(a.Items))
	for i, item := range a.Items {
		names[i] = item.ID
	}
	return names
}

// measure trains on the events before holdFrom and asks the model about those after.
func (j *job) measure(ctx context.Context, m *model.Manifest, events sql.DataFrame, holdFrom int64) (map[string]model.Measurement, error) {
	earlier, err := events.Where(ctx, fmt.Sprintf("timestamp < %d", holdFrom))
	if err != nil {
		return nil, fmt.Errorf("splitting the events: %w", spark.Explain(err))
	}
	if n, err := earlier.Count(ctx); err != nil {
		return nil, fmt.Errorf("splitting the events: %w", spark.Explain(err))
	} else if n == 0 {
		return nil, nil
	}
	later, err := events.Where(ctx, fmt.Sprintf("timestamp >= %d", holdFrom))
	if err != nil {
		return nil, fmt.Errorf("splitting the events: %w", spark.Explain(err))
	}
	if later, err = later.SelectExpr(ctx, "visitorid", "itemid", "event", "timestamp"); err != nil {
		return nil, fmt.Errorf("splitting the events: %w", spark.Explain(err))
	}
	if err := j.save(ctx, later, holdoutDir); err != nil {
		return nil, err
	}
	measured := *m
	if measured.Counts, err = j.build(ctx, earlier, measuredDir, "the earlier events"); err != nil {
		return nil, err
	}
	var result map[string]model.Measurement
	err = j.steps.Do(ctx, "choosing a blend and measuring it on the later events", func(context.Context) error {
		dir := filepath.Join(j.staging.Dir, measuredDir)
		if err := model.Seal(dir, measuredDir, &measured); err != nil {
			return err
		}
		version, err := model.Load(dir)
		if err != nil {
			return err
		}
		held, err := readHeldOut(filepath.Join(j.staging.Dir, holdoutDir))
		if err != nil {
			return err
		}
		r, asked := recommend.New(version), questions(held, version)
		t := newTuner(r, version.Items, asked, j.Seed)
		// A choice flatters the data that it was made on: so each half of the visitors is asked by the blend that the other half
		// chose. The version gets the one that all of them choose.
		result = evaluate(r, [2]model.Blends{t.tune(halfB), t.tune(halfA)}, asked, j.Seed)
		m.Parameters.Blends = t.tune(halfA | halfB)
		return nil
	})
	return result, err
}

// half is a set of visitors: those of one half, of the other, or both.
type half int

const (
	halfA half = 1 << iota
	halfB
)

// halfOf parts visitors by their ids.
func halfOf(visitor string) half {
	h := fnv.New32a()
	_, _ = h.Write([]byte(visitor))
	return halfA << (h.Sum32() % 2)
}

func readHeldOut(dir string) ([]heldOut, error) {
	parts, err := filepath.Glob(filepath.Join(dir, "part-*.parquet"))
	if err != nil {
		return nil, fmt.Errorf("listing the held-out events: %w", err)
	}
	var all []heldOut
	for _, part := range parts {
		rows, err := parquet.ReadFile[heldOut](part)
		if err != nil {
			return nil, fmt.Errorf("reading held-out events from %s: %w", part, err)
		}
		all = append(all, rows...)
	}
	return all, nil
}

// evaluate puts every question to the blend for its visitor's half, to the factors alone and to popularity. The names of the results
// are "<kind of question>: <recommender>".
func evaluate(r *recommend.Recommender, blends [2]model.Blends, asked []question, seed int64) map[string]model.Measurement {
	blended := map[half]*recommend.Recommender{halfA: r.With(blends[0]), halfB: r.With(blends[1])}
	factors := r.With(model.Blends{Session: model.ByFactors, VisitorNew: model.ByFactors, VisitorAll: model.ByFactors})
	measured := map[string]model.Measurement{}
	for name, answer := range map[string]func(question) metrics{
		"blend":   func(q question) metrics { return ask(blended[halfOf(q.visitor)], q) },
		"als":     func(q question) metrics { return ask(factors, q) },
		"popular": func(q question) metrics { return askPopular(r, q) },
	} {
		for _, kind := range kinds {
			chosen := slices.DeleteFunc(slices.Clone(asked), func(q question) bool { return q.kind != kind })
			if len(chosen) > 0 {
				measured[kind+": "+name] = summarise(chosen, answers(chosen, answer), seed)
			}
		}
	}
	return measured
}

// answers asks several questions at a time.
func answers(asked []question, answer func(question) metrics) []metrics {
	all := make([]metrics, len(asked))
	parallel(len(asked), func(i int) { all[i] = answer(asked[i]) })
	return all
}

// parallel calls work for each number below n, on all cores.
func parallel(n int, work func(i int)) {
	var group sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				work(i)
			}
		})
	}
	group.Wait()
}

// resamples is how many times the bootstrap draws.
const resamples = 1000

// summarise gives means and their 95 % intervals by the percentile bootstrap (Efron and Tibshirani 1993, chapter 13) over visitors,
// for the questions about one visitor are not independent.
func summarise(asked []question, all []metrics, seed int64) model.Measurement {
	type sum struct {
		of metrics
		n  float64
	}
	byVisitor := map[string]int{}
	var visitors []sum
	var total sum
	for i, m := range all {
		v, ok := byVisitor[asked[i].visitor]
		if !ok {
			v = len(visitors)
			byVisitor[asked[i].visitor] = v
			visitors = append(visitors, sum{})
		}
		for k := range m {
			visitors[v].of[k] += m[k]
			total.of[k] += m[k]
		}
		visitors[v].n++
		total.n++
	}
	draw := rand.New(rand.NewPCG(uint64(seed), uint64(len(all))))
	means := make([]metrics, resamples)
	for i := range means {
		var drawn sum
		for range visitors {
			v := visitors[draw.IntN(len(visitors))]
			for k := range v.of {
				drawn.of[k] += v.of[k]
			}
			drawn.n += v.n
		}
		for k := range drawn.of {
			means[i][k] = drawn.of[k] / drawn.n
		}
	}
	m := model.Measurement{Cases: len(all), Values: map[string]model.Interval{}}
	for k, name := range metricNames {
		slices.SortFunc(means, func(a, b metrics) int { return cmp.Compare(a[k], b[k]) })
		m.Values[name] = model.Interval{Mean: total.of[k] / total.n, Low: means[resamples*25/1000][k], High: means[resamples*975/1000-1][k]}
	}
	return m
}
