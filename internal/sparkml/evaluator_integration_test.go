//go:build integration

package sparkml_test

import (
	"math"
	"testing"

	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// TestEvaluators compares the figures with ones worked out by hand.
func TestEvaluators(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	table := func(text string) sql.DataFrame { return must(s.Sql(ctx, "SELECT * FROM VALUES "+text))(t) }

	binary := func(metric string) sparkml.Evaluator {
		e := sparkml.NewBinaryClassificationEvaluator()
		e.MetricName, e.RawPredictionCol, e.NumBins = metric, "score", 0
		return e
	}
	multiclass := func(metric string) sparkml.Evaluator {
		e := sparkml.NewMulticlassClassificationEvaluator()
		e.MetricName, e.WeightCol = metric, "w"
		return e
	}
	regression := func(metric string) sparkml.Evaluator {
		e := sparkml.NewRegressionEvaluator()
		e.MetricName = metric
		return e
	}
	ranking := func(metric string) sparkml.Evaluator {
		e := sparkml.NewRankingEvaluator()
		e.MetricName, e.K = metric, 2
		return e
	}
	clustering := sparkml.NewClusteringEvaluator()

	scored := table(`(0.0D, 0.1D), (0.0D, 0.4D), (1.0D, 0.3D), (1.0D, 0.8D) AS t(label, score)`)
	// Weighted 1, 1, 2: right are the weights 1 and 2 of 4.
	classes := table(`(0.0D, 0.0D, 1.0D), (0.0D, 1.0D, 1.0D), (1.0D, 1.0D, 2.0D) AS t(label, prediction, w)`)
	numbers := table(`(1.0D, 2.0D), (3.0D, 3.0D), (5.0D, 3.0D) AS t(label, prediction)`)
	lists := table(`(array(1.0D, 2.0D), array(1.0D, 9.0D, 2.0D)), (array(3.0D), array(9.0D, 3.0D)) AS t(label, prediction)`)
	points := assemble(t, s, table(`(0.0D, 0), (0.0D, 0), (9.0D, 1), (9.0D, 1) AS t(x, prediction)`), "x")

	for _, test := range []struct {
		name      string
		evaluator sparkml.Evaluator
		data      sql.DataFrame
		want      float64
		larger    bool
	}{
		{"areaUnderROC", binary("areaUnderROC"), scored, 0.75, true},
		{"areaUnderPR", binary("areaUnderPR"), scored, 0.5 + 0.5*(0.5+2.0/3)/2, true},
		{"accuracy", multiclass("accuracy"), classes, 0.75, true},
		{"hammingLoss", multiclass("hammingLoss"), classes, 0.25, false},
		{"rmse", regression("rmse"), numbers, math.Sqrt(5.0 / 3), false},
		{"mae", regression("mae"), numbers, 1, false},
		{"r2", regression("r2"), numbers, 1 - 5.0/8, true},
		{"meanAveragePrecision", ranking("meanAveragePrecision"), lists, ((1+2.0/3)/2 + 0.5) / 2, true},
		{"precisionAtK", ranking("precisionAtK"), lists, 0.5, true},
		{"recallAtK", ranking("recallAtK"), lists, 0.75, true},
		{"ndcgAtK", ranking("ndcgAtK"), lists, (1/(1+1/math.Log2(3)) + 1/math.Log2(3)) / 2, true},
		{"silhouette", clustering, points, 1, true},
	} {
		got, err := test.evaluator.Evaluate(ctx, s, test.data)
		if err != nil || math.Abs(got-test.want) > 1e-9 || test.evaluator.IsLargerBetter() != test.larger {
			t.Errorf("%s = %v, error %v, larger is better: %v; want %v, %v", test.name, got, err, test.evaluator.IsLargerBetter(), test.want, test.larger)
		}
	}
}
