package purchase

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/parquet-go/parquet-go"
)

// mostSampled bounds the visitors that take part, besides those who bought: a shop may have millions who only looked, and models of
// twenty features are as good on a share of them.
const mostSampled = 250_000

// caseRow is a visitor at a moment, with what he then did. On disk the columns are these.
type caseRow struct {
	At       int64     `parquet:"at"`
	Label    float64   `parquet:"label"`  // 1: bought
	Weight   float64   `parquet:"weight"` // for how many visitors he stands
	Features []float64 `parquet:"features,list"`
}

// cases are the visitors at all moments: on the cluster, and in memory those at the later moments, which models are asked about.
type cases struct {
	frame sql.DataFrame
	asked map[int64][]caseRow
	count map[int64]*tally
}

// tally counts the cases of a moment, as drawn and by weight.
type tally struct {
	ones, zeros             int64
	onesWeight, zerosWeight float64
}

func (c *cases) at(w features.Window) []caseRow { return c.asked[w.At] }

// collect works out the features at each moment of the plan and what followed, and keeps them as Parquet.
func (j *Job) collect(ctx context.Context, moments sql.DataFrame, p plan, m *model.Purchase) (*cases, error) {
	m.SampleRate = 1
	if j.Visitors > mostSampled {
		m.SampleRate = mostSampled / float64(j.Visitors)
	}
	if err := moments.CreateOrReplaceTempView(ctx, "cartwheel_moments"); err != nil {
		return nil, fmt.Errorf("naming the events: %w", spark.Explain(err))
	}
	var ats []string
	for _, w := range p.windows() {
		ats = append(ats, fmt.Sprintf("%dL", w.At))
	}
	buyers, err := j.Session.Sql(ctx, fmt.Sprintf(`SELECT DISTINCT visitor, explode(filter(array(%s), a -> timestamp >= a AND timestamp < a + %d)) at
		FROM cartwheel_moments WHERE event = 'transaction'`, strings.Join(ats, ", "), p.label))
	if err == nil {
		err = buyers.CreateOrReplaceTempView(ctx, "cartwheel_buyers")
	}
	if err != nil {
		return nil, fmt.Errorf("finding who bought: %w", spark.Explain(err))
	}
	// Visitors are drawn by a hash of their numbers: the same ones at each moment and at each attempt.
	drawn, err := j.Session.Sql(ctx, fmt.Sprintf(`SELECT * FROM cartwheel_moments
		WHERE pmod(xxhash64(visitor, %dL), 1000000) < %d OR visitor IN (SELECT visitor FROM cartwheel_buyers)`, j.Seed, int64(m.SampleRate*1e6)))
	if err != nil {
		return nil, fmt.Errorf("drawing visitors: %w", spark.Explain(err))
	}
	profiles, err := features.Profiles(ctx, drawn, p.windows()...)
	if err != nil {
		return nil, err
	}
	visitors, err := features.Visitors(ctx, profiles)
	if err != nil {
		return nil, err
	}
	if err := visitors.CreateOrReplaceTempView(ctx, "cartwheel_looked_at"); err != nil {
		return nil, fmt.Errorf("naming the visitors: %w", spark.Explain(err))
	}
	// Who buys in any label period takes part for certain, and stands for himself alone at each moment.
	labelled, err := j.Session.Sql(ctx, fmt.Sprintf(`SELECT v.at, IF(array_contains(b.ats, v.at), 1D, 0D) label, IF(b.visitor IS NULL, %vD, 1D) weight,
			array(%s) features
		FROM cartwheel_looked_at v LEFT JOIN (SELECT visitor, collect_list(at) ats FROM cartwheel_buyers GROUP BY visitor) b ON v.visitor = b.visitor`,
		1/m.SampleRate, "v."+strings.Join(features.VisitorNames(), ", v.")))
	if err != nil {
		return nil, fmt.Errorf("labelling visitors: %w", spark.Explain(err))
	}
	at := path.Join(j.SparkDir, scratch, "cases")
	if err := labelled.Write().Format("parquet").Mode("ErrorIfExists").Save(ctx, at); err != nil {
		return nil, fmt.Errorf("writing the visitors at each moment: %w", spark.Explain(err))
	}
	frame, err := j.Session.Read().Format("parquet").Load(at)
	if err != nil {
		return nil, fmt.Errorf("reading the visitors at each moment: %w", spark.Explain(err))
	}
	c := &cases{frame: frame}
	if err := c.read(filepath.Join(j.Dir, scratch, "cases"), p); err != nil {
		return nil, err
	}
	return c, c.check(p, m)
}

// read counts the cases and keeps those of the later moments.
func (c *cases) read(dir string, p plan) error {
	c.asked, c.count = map[int64][]caseRow{}, map[int64]*tally{}
	for _, w := range p.windows() {
		c.count[w.At] = &tally{}
	}
	parts, err := filepath.Glob(filepath.Join(dir, "part-*.parquet"))
	if err != nil {
		return fmt.Errorf("listing the visitors at each moment: %w", err)
	}
	for _, part := range parts {
		rows, err := parquet.ReadFile[caseRow](part)
		if err != nil {
			return fmt.Errorf("reading the visitors at each moment from %s: %w", part, err)
		}
		for _, row := range rows {
			t, known := c.count[row.At]
			if !known || len(row.Features) != len(features.VisitorNames()) {
				return fmt.Errorf("reading the visitors at each moment from %s: a row at %d with %d features", part, row.At, len(row.Features))
			}
			if row.Label == 1 {
				t.ones, t.onesWeight = t.ones+1, t.onesWeight+row.Weight
			} else {
				t.zeros, t.zerosWeight = t.zeros+1, t.zerosWeight+row.Weight
			}
			if row.At == p.calibrate.At || row.At == p.test.At {
				c.asked[row.At] = append(c.asked[row.At], row)
			}
		}
	}
	return nil
}

// sum adds up the tallies of several moments.
func (c *cases) sum(windows ...features.Window) (t tally) {
	for _, w := range windows {
		of := c.count[w.At]
		t.ones, t.zeros = t.ones+of.ones, t.zeros+of.zeros
		t.onesWeight, t.zerosWeight = t.onesWeight+of.onesWeight, t.zerosWeight+of.zerosWeight
	}
	return t
}

// check counts for the manifest, and says where there is too little to learn from or to measure by.
func (c *cases) check(p plan, m *model.Purchase) error {
	trained, tested := c.sum(p.train...), c.sum(p.test)
	m.Trained = model.Outcomes{Visitors: trained.ones + trained.zeros, Buyers: trained.ones}
	m.Tested = model.Outcomes{Visitors: tested.ones + tested.zeros, Buyers: tested.ones}
	if tested.ones+tested.zeros > 0 {
		m.BaseRate = tested.onesWeight / (tested.onesWeight + tested.zerosWeight)
	}
	for _, period := range []struct {
		name  string
		tally tally
		least int64
	}{
		{"train on", trained, leastTrained},
		{"calibrate by", c.sum(p.calibrate), leastAsked},
		{"measure on", tested, leastAsked},
	} {
		if t := period.tally; t.ones < period.least || t.zeros < period.least {
			return &tooLittle{fmt.Sprintf("of the visitors to %s, %d bought and %d did not; at least %d of each are needed", period.name, t.ones, t.zeros, period.least)}
		}
	}
	return nil
}

// inactive asks how many bought of those who had not been there in the window before the last moment. There may be hardly any, so the
// rate is smoothed as by half a buyer among one visitor more (Jeffreys' prior).
func (j *Job) inactive(ctx context.Context, moments sql.DataFrame, w features.Window, m *model.Purchase) error {
	byVisitor, err := moments.GroupBy(col("visitor")).Agg(ctx,
		expr(fmt.Sprintf("max(IF(timestamp < %d, timestamp, NULL))", w.At), "seen"),
		expr(fmt.Sprintf("bool_or(timestamp >= %d AND event = 'transaction')", w.At), "bought"))
	if err != nil {
		return fmt.Errorf("counting the inactive: %w", spark.Explain(err))
	}
	counted, err := byVisitor.SelectExpr(ctx, fmt.Sprintf("count_if(seen < %d) n", w.From), fmt.Sprintf("count_if(seen < %d AND bought) ones", w.From))
	if err != nil {
		return fmt.Errorf("counting the inactive: %w", spark.Explain(err))
	}
	row, err := counted.First(ctx)
	if err != nil {
		return fmt.Errorf("counting the inactive: %w", spark.Explain(err))
	}
	n, _ := row.Value("n").(int64)
	ones, _ := row.Value("ones").(int64)
	m.InactiveAsked, m.InactiveRate = n, (float64(ones)+0.5)/(float64(n)+1)
	return nil
}
