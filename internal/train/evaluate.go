package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"cartwheel/internal/event"
	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
	"cartwheel/internal/spark"

	"github.com/parquet-go/parquet-go"
)

// cutoff is the K of the metrics.
const cutoff = 10

// metricNames are the metrics in the order in which they are told.
var metricNames = []string{"ndcg@10", "recall@10", "hitrate@10"}

// metrics are one case's figures, in the order of metricNames.
type metrics [3]float64

// score measures a ranking against what the visitor then chose, with binary gains: NDCG as in Järvelin and Kekäläinen (2002), its ideal
// being min(K, targets) hits; recall is hits per target; hit rate is 1 for any hit. Targets outside the catalogue count as missed.
func score(ranked, targets []string) metrics {
	var dcg, ideal float64
	hits := 0
	for i, item := range ranked[:min(cutoff, len(ranked))] {
		if slices.Contains(targets, item) {
			hits++
			dcg += 1 / math.Log2(float64(i)+2)
		}
	}
	for i := range min(cutoff, len(targets)) {
		ideal += 1 / math.Log2(float64(i)+2)
	}
	return metrics{dcg / ideal, float64(hits) / float64(len(targets)), float64(min(hits, 1))}
}

// heldOut is an event that the measured model has not seen.
type heldOut struct {
	VisitorID string `parquet:"visitorid"`
	ItemID    string `parquet:"itemid"`
	Event     string `parquet:"event"`
	Timestamp int64  `parquet:"timestamp"`
}

// question is one case: a visitor, what he is known by, and what he then chose.
type question struct {
	visitor string
	known   bool     // the model has his history
	before  []string // his items so far; a stranger's session, oldest first
	targets []string // items new to him
}

// questions turns the held-out events of each visitor into one case. A visitor whom the model knows is asked about with his history,
// and his targets are the items that are new to him. A stranger is asked about as a session of all his items but the last new one,
// which is the target; with one item there is nothing to go by.
func questions(events []heldOut, v *model.Version) []question {
	slices.SortStableFunc(events, func(a, b heldOut) int {
		if c := strings.Compare(a.VisitorID, b.VisitorID); c != 0 {
			return c
		}
		if c := cmp.Compare(a.Timestamp, b.Timestamp); c != 0 {
			return c
		}
		return strings.Compare(a.ItemID, b.ItemID)
	})
	var all []question
	for start := 0; start < len(events); {
		end := start
		var items []string
		for ; end < len(events) && events[end].VisitorID == events[start].VisitorID; end++ {
			if !slices.Contains(items, events[end].ItemID) {
				items = append(items, events[end].ItemID)
			}
		}
		q := question{visitor: events[start].VisitorID}
		start = end
		if number, ok := v.Visitors.Number(q.visitor); ok {
			q.known = true
			before, _ := v.Seen.Of(number)
			for _, item := range before {
				q.before = append(q.before, v.Items.Name(item))
			}
			for _, item := range items {
				if n, ok := v.Items.Number(item); !ok || !slices.Contains(before, n) {
					q.targets = append(q.targets, item)
				}
			}
		} else {
			q.before, q.targets = items[:len(items)-1], items[len(items)-1:]
		}
		if len(q.before) > 0 && len(q.targets) > 0 {
			all = append(all, q)
		}
	}
	return all
}

// measure trains on the events before holdFrom and asks the model about those after.
func (j *job) measure(ctx context.Context, m *model.Manifest, holdFrom int64) (map[string]model.Measurement, error) {
	events, err := j.load(eventsDir)
	if err != nil {
		return nil, err
	}
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
	err = j.steps.Do(ctx, "measuring on the later events", func(context.Context) error {
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
		result = evaluate(recommend.New(version), questions(held, version), j.Seed)
		return nil
	})
	return result, err
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

// evaluate asks every question of the model and of popularity, and averages over all visitors, over those whom the model knows
// ("warm") and over strangers ("cold").
func evaluate(r *recommend.Recommender, asked []question, seed int64) map[string]model.Measurement {
	results := map[string][]metrics{}
	add := func(name string, q question, a recommend.Answer) {
		ranked := make([]string, len(a.Items))
		for i, item := range a.Items {
			ranked[i] = item.ID
		}
		m := score(ranked, q.targets)
		kind := ".cold"
		if q.known {
			kind = ".warm"
		}
		results[name] = append(results[name], m)
		results[name+kind] = append(results[name+kind], m)
	}
	for _, q := range asked {
		if q.known {
			add("als", q, r.Visitor(q.visitor, recommend.Options{Limit: cutoff}))
		} else {
			clicks := make([]recommend.Click, len(q.before))
			for i, item := range q.before {
				clicks[i] = recommend.Click{ItemID: item, Event: event.View}
			}
			add("als", q, r.Session(clicks, recommend.Options{Limit: cutoff}))
		}
		best, _ := r.Popular(model.PopularAll, recommend.Options{Limit: cutoff, Exclude: q.before})
		add("popular", q, best)
	}
	measured := make(map[string]model.Measurement, len(results))
	for name, all := range results {
		measured[name] = summarise(all, seed)
	}
	return measured
}

// resamples is how many times the bootstrap draws.
const resamples = 1000

// summarise gives the means over visitors and their 95 % intervals by the percentile bootstrap (Efron and Tibshirani 1993, chapter 13).
func summarise(all []metrics, seed int64) model.Measurement {
	draw := rand.New(rand.NewPCG(uint64(seed), uint64(len(all))))
	means := make([]metrics, resamples)
	for i := range means {
		for range all {
			for k, v := range all[draw.IntN(len(all))] {
				means[i][k] += v / float64(len(all))
			}
		}
	}
	m := model.Measurement{Cases: len(all), Values: map[string]model.Interval{}}
	for k, name := range metricNames {
		var mean float64
		for _, v := range all {
			mean += v[k] / float64(len(all))
		}
		slices.SortFunc(means, func(a, b metrics) int { return cmp.Compare(a[k], b[k]) })
		m.Values[name] = model.Interval{Mean: mean, Low: means[resamples*25/1000][k], High: means[resamples*975/1000-1][k]}
	}
	return m
}
