package train

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// measure trains on the events before holdFrom, asks the model about those after, and judges by it whether the version may become
// the champion: it fills in the manifest's blends, metrics and decision.
func (j *job) measure(ctx context.Context, m *model.Manifest, events sql.DataFrame, holdFrom int64) error {
	earlier, err := j.split(ctx, events, holdFrom)
	if err != nil {
		return err
	}
	champion, err := j.findChampion()
	if err != nil {
		return err
	}
	if earlier == nil {
		m.Decision = decide(nil, champion, j.Force, j.Seed)
		return nil
	}
	version, err := j.buildMeasured(ctx, m, earlier, measuredDir, "the earlier events")
	if err != nil {
		return err
	}
	var e *evaluation
	var r *recommend.Recommender
	err = j.steps.Do(ctx, "choosing a blend and measuring it on the later events", func(context.Context) error {
		held, err := readHeldOut(filepath.Join(j.staging.Dir, holdoutDir))
		if err != nil {
			return err
		}
		r = recommend.New(version)
		asked := questions(held, version)
		t := newTuner(r, version.Items, asked, j.Seed)
		// A choice flatters the data that it was made on: so each half of the visitors is asked by the blend that the other half
		// chose. The version gets the one that all of them choose.
		blends := [2]model.Blends{t.tune(halfB), t.tune(halfA)}
		m.Parameters.Blends = t.tune(halfA | halfB)
		e = newEvaluation(append(bounded(asked, askedAtMost), bounded(strangers(held, version), askedAtMost)...), version.Items)
		for name, answer := range answerers(r, version.Items, blends, j.Seed) {
			e.ask(name, answer)
		}
		m.Metrics = e.measurements(j.Seed)
		return nil
	})
	if err != nil {
		return err
	}
	if err := j.askChampion(ctx, e, r, m, champion, earlier); err != nil {
		return err
	}
	m.Decision = decide(e, champion, j.Force, j.Seed)
	return nil
}

// split saves the events from holdFrom on and returns those before, or nil if there are none.
func (j *job) split(ctx context.Context, events sql.DataFrame, holdFrom int64) (earlier sql.DataFrame, err error) {
	failed := func(err error) error { return fmt.Errorf("splitting the events: %w", spark.Explain(err)) }
	if earlier, err = events.Where(ctx, fmt.Sprintf("timestamp < %d", holdFrom)); err != nil {
		return nil, failed(err)
	}
	if n, err := earlier.Count(ctx); err != nil {
		return nil, failed(err)
	} else if n == 0 {
		return nil, nil
	}
	later, err := events.Where(ctx, fmt.Sprintf("timestamp >= %d", holdFrom))
	if err != nil {
		return nil, failed(err)
	}
	if later, err = later.SelectExpr(ctx, "visitorid", "itemid", "event", "timestamp"); err != nil {
		return nil, failed(err)
	}
	return earlier, j.save(ctx, later, holdoutDir)
}

// buildMeasured makes a version out of the earlier events, in the staging folder's subfolder dir, and loads it.
func (j *job) buildMeasured(ctx context.Context, m *model.Manifest, earlier sql.DataFrame, dir, what string) (*model.Version, error) {
	measured := *m
	var err error
	if measured.Counts, err = j.build(ctx, earlier, dir, what); err != nil {
		return nil, err
	}
	if err := j.clear(path.Join(dir, numberedDir)); err != nil {
		return nil, err
	}
	folder := filepath.Join(j.staging.Dir, dir)
	if err := model.Seal(folder, dir, &measured); err != nil {
		return nil, err
	}
	return model.Load(folder)
}

// evaluation holds the questions of a hold-out and what recommenders answered.
type evaluation struct {
	asked     []question
	items     *model.IDs
	answers   map[string][]result // by recommender: one for each question
	visitorsN map[string]int      // by kind: how many visitors its questions are about, strangers apart
}

// result is the measure of one answer.
type result struct {
	figures figures
	list    []int32 // the first items
}

func newEvaluation(asked []question, items *model.IDs) *evaluation {
	e := &evaluation{asked: asked, items: items, answers: map[string][]result{}, visitorsN: map[string]int{}}
	met := map[[2]string]bool{}
	for _, q := range asked {
		if key := [2]string{q.kind, q.visitor}; !q.stranger && !met[key] {
			met[key] = true
			e.visitorsN[q.kind]++
		}
	}
	return e
}

// ask puts every question to a recommender.
func (e *evaluation) ask(name string, answer answerer) {
	results := make([]result, len(e.asked))
	parallel(len(e.asked), func(i int) {
		ranked := answer(e.asked[i])
		r := result{figures: score(ranked, e.asked[i].targets), list: numbersOf(ranked, e.items)}
		r.figures[popularity] = popularityOf(r.list, e.items.Len())
		results[i] = r
	})
	e.answers[name] = results
}

// part is a choice among the questions of a kind.
type part struct {
	suffix string
	of     func(question) bool
}

// Warm visitors are those that the measured model has factors of, cold ones all others: with too few items for factors or, beside
// those of whom sessions tell, not known at all. Strangers are among the cold ones only: asked about as visitors, every recommender
// could but say what is popular.
var parts = []part{
	{"", func(q question) bool { return !q.stranger }},
	{", warm", func(q question) bool { return q.warm }},
	{", cold", func(q question) bool { return !q.warm }},
}

// measurements sums up what the recommenders answered, under the names "<kind of question>: <recommender>", and for warm and cold
// visitors apart "<kind of question>, warm: <recommender>" and the same for cold.
func (e *evaluation) measurements(seed int64) map[string]model.Measurement {
	measured := map[string]model.Measurement{}
	names := slices.Sorted(maps.Keys(e.answers))
	for _, kind := range kinds {
		for _, part := range parts {
			var chosen []int
			for i, q := range e.asked {
				if q.kind == kind && part.of(q) {
					chosen = append(chosen, i)
				}
			}
			if len(chosen) == 0 {
				continue
			}
			for n, m := range e.summarise(chosen, names, seed) {
				measured[kind+part.suffix+": "+names[n]] = m
			}
		}
	}
	return measured
}

// summarise gives the figures of the named recommenders on the chosen questions.
func (e *evaluation) summarise(chosen []int, names []string, seed int64) []model.Measurement {
	sums := newByVisitor(len(names) * len(metricNames))
	row := make([]float64, sums.columns)
	for _, i := range chosen {
		for n, name := range names {
			copy(row[n*len(metricNames):], e.answers[name][i].figures[:])
		}
		sums.add(e.asked[i].visitor, row...)
	}
	intervals := sums.intervals(seed)
	measured := make([]model.Measurement, len(names))
	for n, name := range names {
		m := model.Measurement{Cases: len(chosen), Values: map[string]model.Interval{}}
		for k, metric := range metricNames {
			m.Values[metric] = intervals[n*len(metricNames)+k]
		}
		lists := make([][]int32, len(sums.counts))
		for _, i := range chosen {
			v := sums.visitors[e.asked[i].visitor]
			lists[v] = append(lists[v], e.answers[name][i].list...)
		}
		for v := range lists {
			slices.Sort(lists[v])
			lists[v] = slices.Compact(lists[v])
		}
		m.Values[coverageName] = coverage(lists, e.items.Len(), seed)
		measured[n] = m
	}
	return measured
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
