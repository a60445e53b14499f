//go:build integration

package segment

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"
	"cartwheel/internal/spark/sparktest"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

const (
	day = 24 * int64(3600_000)
	end = 1000 * day
)

// open connects to the Spark Connect server that the test run has brought up.
func open(t *testing.T) *spark.Session {
	t.Helper()
	s := sparktest.Open(t)
	if err := s.Config().Set(t.Context(), "spark.sql.shuffle.partitions", "4"); err != nil {
		t.Fatal(err)
	}
	return s
}

// crowds are 1,200 visitors of four kinds, by the remainder of their numbers: 0 saw one item once, 1 looked at many items, 2 filled
// the cart and left, 3 bought in session after session.
func crowds(t *testing.T, s *spark.Session) (profiles, visitors sql.DataFrame) {
	t.Helper()
	ctx := t.Context()
	df, err := s.Sql(ctx, fmt.Sprintf(`WITH v AS (SELECT id visitor, id %% 4 kind, %dL - (10 + 9 * (id %% 4) + pmod(hash(id), 3)) * %dL at FROM range(1200))
		SELECT visitor, pmod(hash(visitor), 50) item, 'view' event, at timestamp FROM v WHERE kind = 0
		UNION ALL SELECT visitor, n, 'view', at + n * 60000 FROM v, range(12) r(n) WHERE kind = 1 AND n < 8 + pmod(hash(visitor), 5)
		UNION ALL SELECT visitor, n DIV 2, IF(n %% 2 = 0, 'view', 'addtocart'), at + n * 60000 FROM v, range(6) r(n) WHERE kind = 2 AND n < 4 + 2 * pmod(hash(visitor), 2)
		UNION ALL SELECT visitor, n DIV 3, elt(1 + n %% 3, 'view', 'addtocart', 'transaction'), at + (n DIV 3) * %dL + n * 60000 FROM v, range(15) r(n) WHERE kind = 3 AND n < 9 + 3 * pmod(hash(visitor), 3)`,
		end, day, day))
	if err != nil {
		t.Fatal(spark.Explain(err))
	}
	moments, err := features.Moments(ctx, df)
	if err == nil {
		profiles, err = features.Profiles(ctx, moments, features.Window{At: end})
	}
	if err == nil {
		visitors, err = features.Visitors(ctx, profiles)
	}
	if err != nil {
		t.Fatal(err)
	}
	return profiles, visitors
}

func TestPlantedCrowdsAreFound(t *testing.T) {
	s := open(t)
	profiles, visitors := crowds(t, s)
	dir := t.TempDir()
	j := Job{Session: s, Dir: dir, SparkDir: dir, Visitors: 1200, Partitions: 2, Seed: 1}
	m, err := j.Find(t.Context(), visitors)
	if err != nil {
		t.Fatal(err)
	}
	if m.None != "" || len(m.Silhouettes) < 2 {
		t.Fatalf("no segments: %q, silhouettes %v", m.None, m.Silhouettes)
	}
	best := m.Silhouettes[0]
	for _, s := range m.Silhouettes {
		if s.Value > best.Value {
			best = s
		}
	}
	if best.K != len(m.Segments) || best.Value < 0.5 {
		t.Errorf("%d segments, the silhouettes are %v", len(m.Segments), m.Silhouettes)
	}
	assigner, err := Load(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := profiles.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sizes := make([]int64, len(m.Segments))
	views := make([]float64, len(m.Segments))
	logs := make([][]float64, len(m.Segments)) // sums of the features' logarithms, by which k-means sees them
	for i := range logs {
		logs[i] = make([]float64, len(m.Features))
	}
	kinds := map[int]map[int64]bool{}
	for _, row := range rows {
		var p model.Profile
		for i, number := range p.Numbers() {
			*number = row.Value(model.ProfileColumns[i]).(int64)
		}
		segment := assigner.Assign(p, end)
		sizes[segment]++
		views[segment] += float64(p.Views)
		values := features.Values(p, end)
		for i, name := range m.Features {
			logs[segment][i] += math.Log1p(values[slices.Index(features.VisitorNames(), name)])
		}
		if kinds[segment] == nil {
			kinds[segment] = map[int64]bool{}
		}
		kinds[segment][row.Value("visitor").(int64)%4] = true
	}
	// What Go says of every visitor adds up to what Spark counted, and no segment mixes the four kinds.
	for i, segment := range m.Segments {
		t.Logf("%s: %d visitors, means %.2f, centre %.2f", segment.Name, segment.Visitors, segment.Means, segment.Centre)
		if sizes[i] != segment.Visitors || math.Abs(views[i]/float64(sizes[i])-segment.Means[0]) > 1e-9 {
			t.Errorf("%s: Go has %d visitors with %v views, Spark %d with %v", segment.Name, sizes[i], views[i]/float64(sizes[i]), segment.Visitors, segment.Means[0])
		}
		if len(kinds[i]) != 1 {
			t.Errorf("%s holds visitors of %d kinds", segment.Name, len(kinds[i]))
		}
		for k, sum := range logs[i] { // the centre, in the features' own units again
			if want := math.Expm1(sum / float64(sizes[i])); math.Abs(segment.Centre[k]-want) > 1e-6*max(want, 1) {
				t.Errorf("%s: its centre has %s = %v, want %v", segment.Name, m.Features[k], segment.Centre[k], want)
			}
		}
	}

	m.Segments[0].Means = nil
	if _, err := Load(dir, m); err == nil {
		t.Error("a segment without means was loaded")
	}
}

func TestSegmentsAsManyAsAskedFor(t *testing.T) {
	s := open(t)
	_, visitors := crowds(t, s)
	dir := t.TempDir()
	j := Job{Session: s, Dir: dir, SparkDir: dir, K: 6, Visitors: 1200, Partitions: 2, Seed: 1}
	m, err := j.Find(t.Context(), visitors)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Segments) != 6 || len(m.Silhouettes) != 0 {
		t.Errorf("%d segments, %d numbers tried", len(m.Segments), len(m.Silhouettes))
	}
	if err := m.Check(); err != nil {
		t.Error(err)
	}
}

func TestTooFewToPart(t *testing.T) {
	s := open(t)
	_, visitors := crowds(t, s)
	for name, test := range map[string]struct {
		visitors    int64
		where, says string
	}{
		"one visitor":   {1, "visitor = 0", "there are 1 visitors"},
		"all did alike": {300, "visitor % 4 = 0 AND recency_days < 10.5", "only 1 different"},
	} {
		t.Run(name, func(t *testing.T) {
			some, err := visitors.Where(t.Context(), test.where)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			j := Job{Session: s, Dir: dir, SparkDir: dir, Visitors: test.visitors, Partitions: 2, Seed: 1}
			m, err := j.Find(t.Context(), some)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Segments) != 0 || !strings.Contains(m.None, test.says) {
				t.Errorf("%d segments, %q; want a reason with %q", len(m.Segments), m.None, test.says)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
