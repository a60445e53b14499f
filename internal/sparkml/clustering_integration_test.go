//go:build integration

package sparkml_test

import (
	"math"
	"slices"
	"testing"

	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/sparkml"
)

func TestKMeans(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := blobs(t, s)
	k := sparkml.NewKMeans()
	k.Seed, k.WeightCol = 1, "w"
	model := must(k.Fit(ctx, s, data))(t)
	clusters(t, &model.ClusteringModel)
	// Transform gives each row the nearest centre's number: one number for each label.
	if got := rows(t, must(model.Transform(ctx, data))(t), "count(DISTINCT label, prediction)", "count(DISTINCT prediction)"); got[0][0] != int64(2) || got[0][1] != int64(2) {
		t.Errorf("labels and clusters: %v", got)
	}
}

func TestBisectingKMeans(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := blobs(t, s)
	k := sparkml.NewBisectingKMeans()
	k.K, k.Seed = 2, 1
	model := must(k.Fit(ctx, s, data))(t)
	clusters(t, &model.ClusteringModel)
	predicted := must(model.Transform(ctx, data))(t)
	e := sparkml.NewClusteringEvaluator()
	if silhouette := must(e.Evaluate(ctx, s, predicted))(t); silhouette < 0.95 || silhouette > 1 {
		t.Errorf("silhouette %v", silhouette)
	}
}

// clusters holds that a model of the blobs has found both.
func clusters(t *testing.T, m *sparkml.ClusteringModel) {
	t.Helper()
	ctx := t.Context()
	centers := must(m.ClusterCenters(ctx))(t)
	slices.SortFunc(centers, func(a, b []float64) int { return int(math.Copysign(1, a[0]-b[0])) })
	if len(centers) != 2 || len(centers[0]) != 2 || math.Abs(centers[0][0]) > 0.2 || math.Abs(centers[1][0]-10) > 0.2 {
		t.Errorf("centres %v", centers)
	}
	if n := must(m.NumFeatures(ctx))(t); n != 2 {
		t.Errorf("%d features", n)
	}
	if has, err := m.HasSummary(ctx); err != nil || !has {
		t.Errorf("has a summary: %v, %v", has, err)
	}
	summary := m.Summary()
	if sizes := must(summary.ClusterSizes(ctx))(t); !slices.Equal(sizes, []int64{100, 100}) {
		t.Errorf("sizes %v", sizes)
	}
	// The blobs' points are a sine and a cosine from their centres: half a unit squared each, 200 times.
	if cost := must(summary.TrainingCost(ctx))(t); math.Abs(cost-200) > 10 {
		t.Errorf("cost %v", cost)
	}
	if n := must(summary.NumIter(ctx))(t); n < 1 {
		t.Errorf("%d iterations", n)
	}
}
