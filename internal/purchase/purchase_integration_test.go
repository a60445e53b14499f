//go:build integration

package purchase

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/event"
	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// open connects to the Spark Connect server that the test run has brought up.
func open(t *testing.T) *spark.Session {
	t.Helper()
	s := sparktest.Open(t)
	for key, value := range map[string]string{"spark.sql.shuffle.partitions": "4", "spark.sql.session.timeZone": "UTC"} {
		if err := s.Config().Set(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

const weeks = 10

// planted is a shop where each of 3,000 visitors looks around every second week and puts something into the cart in every seventh
// of those; a week after, every second buys whose cart was filled, and one in a hundred of the others.
func planted(t *testing.T, s *spark.Session) sql.DataFrame {
	t.Helper()
	df, err := s.Sql(t.Context(), fmt.Sprintf(`WITH w AS (SELECT v.id visitor, k.id week, 1000 * 604800000L + k.id * 604800000L + pmod(hash(v.id, k.id, 1), 500000000) at,
			pmod(hash(v.id, k.id, 2), 2) = 0 there, pmod(hash(v.id, k.id, 3), 7) = 0 carts, pmod(hash(v.id, k.id, 4), 100) luck FROM range(3000) v, range(%[1]d) k)
		SELECT visitor, pmod(hash(visitor, week, n), 50) item, 'view' event, at + n * 60000 timestamp FROM w, range(3) n(n) WHERE there
		UNION ALL SELECT visitor, pmod(hash(visitor, week, 0), 50), 'addtocart', at + 200000 FROM w WHERE there AND carts
		UNION ALL SELECT visitor, pmod(hash(visitor, week, 0), 50), 'transaction', at + 604800000L FROM w WHERE there AND IF(carts, luck %% 2 = 0, luck = 0) AND week < %[1]d - 1`,
		weeks))
	if err != nil {
		t.Fatal(spark.Explain(err))
	}
	moments, err := features.Moments(t.Context(), df)
	if err != nil {
		t.Fatal(err)
	}
	return moments
}

func jobOn(t *testing.T, s *spark.Session, visitors int64) *Job {
	t.Helper()
	dir := t.TempDir()
	return &Job{Session: s, Dir: dir, SparkDir: dir, From: 1000 * 7 * day, To: (1000+weeks)*7*day - 1, Visitors: visitors, WindowDays: 14, LabelDays: 7,
		Partitions: 2, Seed: 1, Step: func(ctx context.Context, _ string, step func(context.Context) error) error { return step(ctx) }}
}

func TestPlantedSignalIsFound(t *testing.T) {
	s := open(t)
	j, moments := jobOn(t, s, 3000), planted(t, s)
	m, err := j.Train(t.Context(), moments)
	if err != nil {
		t.Fatal(err)
	}
	if m.None != "" || len(m.Candidates) != 3 {
		t.Fatalf("no model: %q, %d candidates", m.None, len(m.Candidates))
	}
	for _, c := range m.Candidates {
		t.Logf("%s: PR %v, ROC %v, Brier %v, %+v", c.Model, c.PR, c.ROC, c.Brier, c.Calibration)
		if c.ROC.Low < 0.7 || c.PR.Low < 3*m.BaseRate {
			t.Errorf("%s hardly finds what is there: area under ROC %+v, under PR %+v, at a rate of %v", c.Model, c.ROC, c.PR, m.BaseRate)
		}
		if flat := m.BaseRate * (1 - m.BaseRate); c.Brier.High >= flat {
			t.Errorf("%s has the Brier score %+v, the bare rate has %v", c.Model, c.Brier, flat)
		}
		// About half of those with a full cart buy, and about one in a hundred of the others. Half of the rows expect half of the buyers,
		// some fifty, whose number has a standard error of about 5.
		var predicted, observed float64
		for _, row := range c.Reliability[len(c.Reliability)/2:] {
			predicted, observed = predicted+row.Visitors*row.Predicted, observed+row.Visitors*row.Observed
		}
		if math.Abs(predicted-observed) > 20 || predicted < 20 {
			t.Errorf("%s: of the likelier visitors, %v buy, and %v are expected to", c.Model, observed, predicted)
		}
	}
	if m.Tested.Buyers < 50 || m.Trained.Visitors < 1000 || m.InactiveRate <= 0 {
		t.Errorf("tested on %+v, trained on %+v, inactive rate %v", m.Tested, m.Trained, m.InactiveRate)
	}
	if _, err := os.Stat(filepath.Join(j.Dir, scratch)); !os.IsNotExist(err) {
		t.Errorf("the scratch folder is left: %v", err)
	}

	scorer, err := Load(j.Dir, m)
	if err != nil {
		t.Fatal(err)
	}
	w := scorer.Window(j.To + 1)
	looked := []event.Event{{Timestamp: w.At - 3*day, Event: event.View, ItemID: "1"}, {Timestamp: w.At - 3*day + 1000, Event: event.View, ItemID: "2"}, {Timestamp: w.At - 3*day + 2000, Event: event.View, ItemID: "3"}}
	carted := append(looked[:3:3], event.Event{Timestamp: w.At - 3*day + 3000, Event: event.AddToCart, ItemID: "1"})
	low, high := scorer.Probability(features.ProfileOf(looked, w), w.At), scorer.Probability(features.ProfileOf(carted, w), w.At)
	if low > 0.1 || high < 0.3 {
		t.Errorf("a visitor who looked buys with probability %v, one who filled the cart with %v", low, high)
	}
	features := m.Features
	m.Features = append([]string{"something else"}, features[1:]...)
	if _, err := Load(j.Dir, m); err == nil {
		t.Error("a model of other features was loaded")
	}
	m.Features = features
	t.Run("visitors who are drawn stand for all", func(t *testing.T) { drawnStandForAll(t, s, moments, m) })
}

// drawnStandForAll draws a third of the visitors and wants the same rate and much the same figures.
func drawnStandForAll(t *testing.T, s *spark.Session, moments sql.DataFrame, whole *model.Purchase) {
	part, err := jobOn(t, s, 3*mostSampled).Train(t.Context(), moments)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(part.SampleRate-1.0/3) > 1e-9 || part.Tested.Visitors >= whole.Tested.Visitors || part.Tested.Buyers != whole.Tested.Buyers {
		t.Errorf("rate %v: %+v of %+v", part.SampleRate, part.Tested, whole.Tested)
	}
	if math.Abs(part.BaseRate/whole.BaseRate-1) > 0.1 {
		t.Errorf("the rate of buyers is %v by the draw and %v by all", part.BaseRate, whole.BaseRate)
	}
	for _, c := range part.Candidates {
		i := slices.IndexFunc(whole.Candidates, func(o model.PurchaseCandidate) bool { return o.Model == c.Model })
		if of := whole.Candidates[i]; math.Abs(c.ROC.Mean-of.ROC.Mean) > 0.05 || math.Abs(c.Brier.Mean/of.Brier.Mean-1) > 0.15 {
			t.Errorf("%s: by the draw ROC %+v and Brier %+v, by all %+v and %+v", c.Model, c.ROC, c.Brier, of.ROC, of.Brier)
		}
	}
}

// TestNothingIsFoundWhereThereIsNothing is the other side: a model that looks into the label period would find it there all the same.
func TestNothingIsFoundWhereThereIsNothing(t *testing.T) {
	s := open(t)
	j := jobOn(t, s, 3000)
	moments := planted(t, s)
	// Each purchase goes to somebody else.
	others, err := moments.SelectExpr(t.Context(), "IF(event = 'transaction', pmod(hash(visitor, timestamp), 3000), visitor) visitor", "item", "event", "timestamp")
	if err == nil {
		moments, err = features.Moments(t.Context(), others)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := j.Train(t.Context(), moments)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range m.Candidates {
		t.Logf("%s: PR %v, ROC %v", c.Model, c.PR, c.ROC)
		if c.ROC.Low > 0.5 {
			t.Errorf("%s claims to foresee chance: area under ROC %+v", c.Model, c.ROC)
		}
	}
}

func TestTooLittleToLearnFrom(t *testing.T) {
	s := open(t)
	moments := planted(t, s)
	for name, test := range map[string]struct {
		where, says string
		to          int64
	}{
		"only views":    {"event = 'view'", "0 bought", 0},
		"one visitor":   {"visitor = 1", "at least 20 of each", 0},
		"a short time":  {"timestamp < 1002 * 604800000L", "four times the 7 days", 1002*7*day - 1},
		"nobody at all": {"false", "0 bought and 0 did not", 0},
	} {
		t.Run(name, func(t *testing.T) {
			some, err := moments.Where(t.Context(), test.where)
			if err != nil {
				t.Fatal(err)
			}
			j := jobOn(t, s, 3000)
			if test.to != 0 {
				j.To = test.to
			}
			m, err := j.Train(t.Context(), some)
			if err != nil {
				t.Fatal(err)
			}
			if m.Model != "" || !strings.Contains(m.None, test.says) {
				t.Errorf("model %q, for %q; want a reason with %q", m.Model, m.None, test.says)
			}
			if left, _ := filepath.Glob(filepath.Join(j.Dir, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestAreasAgreeWithMLlib(t *testing.T) {
	s, ctx := open(t), t.Context()
	outcomes := random(1500, 11)
	var rows []string
	for i := range outcomes {
		outcomes[i].weight = 1 // the evaluator takes no weights
		rows = append(rows, fmt.Sprintf("(%vD, %vD)", target(outcomes[i].bought), outcomes[i].score))
	}
	df, err := s.Sql(ctx, "SELECT * FROM VALUES "+strings.Join(rows, ", ")+" AS t(label, score)")
	if err != nil {
		t.Fatal(err)
	}
	roc, pr := rank(outcomes).areas(nil)
	for metric, want := range map[string]float64{"areaUnderROC": roc, "areaUnderPR": pr} {
		e := sparkml.NewBinaryClassificationEvaluator()
		e.RawPredictionCol, e.MetricName, e.NumBins = "score", metric, 0
		got, err := e.Evaluate(ctx, s, df)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v by MLlib and %v here", metric, got, want)
		}
	}
}
