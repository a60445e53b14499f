//go:build integration

package sparkml_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

func TestLogisticRegression(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := blobs(t, s)
	lr := sparkml.NewLogisticRegression()
	lr.RegParam, lr.ElasticNetParam, lr.WeightCol, lr.MaxIter = 0.01, 0.5, "w", 10
	model := must(lr.Fit(ctx, s, data))(t)
	predicts(t, model, data)

	coefficients, intercept := must(model.Coefficients(ctx))(t), must(model.Intercept(ctx))(t)
	if len(coefficients) != 2 || coefficients[0] <= 0 || coefficients[1] <= 0 || intercept >= 0 {
		t.Errorf("coefficients %v, intercept %v", coefficients, intercept)
	}
	if m := must(model.CoefficientMatrix(ctx))(t); len(m) != 1 || !near(m[0], coefficients) {
		t.Errorf("coefficient matrix %v", m)
	}
	if v := must(model.InterceptVector(ctx))(t); !near(v, []float64{intercept}) {
		t.Errorf("intercept vector %v", v)
	}
	// The probability that Transform gives is the logistic function of the coefficients.
	row := rows(t, must(sparkml.VectorToArray(ctx, s, must(model.Transform(ctx, data))(t), "probability", "p"))(t), "x", "y", "p[1]")[7]
	margin := intercept + coefficients[0]*row[0].(float64) + coefficients[1]*row[1].(float64)
	if want := 1 / (1 + math.Exp(-margin)); math.Abs(row[2].(float64)-want) > 1e-9 {
		t.Errorf("probability %v, want %v", row[2], want)
	}

	if has, err := model.HasSummary(ctx); err != nil || !has {
		t.Errorf("has a summary: %v, %v", has, err)
	}
	summary := model.Summary()
	history, iterations := must(summary.ObjectiveHistory(ctx))(t), must(summary.TotalIterations(ctx))(t)
	if len(history) != iterations+1 || history[0] <= history[iterations] {
		t.Errorf("%d iterations, history %v", iterations, history)
	}
	if accuracy, auc := must(summary.Accuracy(ctx))(t), must(summary.AreaUnderROC(ctx))(t); accuracy != 1 || auc != 1 {
		t.Errorf("accuracy %v and area %v on separable data", accuracy, auc)
	}

	// A threshold of 1 predicts class 0 only; thresholds take its place.
	lr.Threshold = 1
	if got := rows(t, must(must(lr.Fit(ctx, s, data))(t).Transform(ctx, data))(t), "max(prediction)"); got[0][0] != 0.0 {
		t.Errorf("with threshold 1 the greatest prediction is %v", got)
	}
	lr.Thresholds = []float64{1, 1e-6}
	if got := rows(t, must(must(lr.Fit(ctx, s, data))(t).Transform(ctx, data))(t), "min(prediction)"); got[0][0] != 1.0 {
		t.Errorf("with thresholds 1 and 0.000001 the least prediction is %v", got)
	}

	three := sparkml.NewLogisticRegression()
	three.MaxIter = 5
	multi := must(three.Fit(ctx, s, assemble(t, s, must(s.Sql(ctx, `SELECT double(id) x, id DIV 10 label FROM range(30)`))(t), "x")))(t)
	if m := must(multi.CoefficientMatrix(ctx))(t); len(m) != 3 {
		t.Errorf("coefficients of three classes: %v", m)
	}
	if n := must(multi.NumClasses(ctx))(t); n != 3 {
		t.Errorf("%d classes", n)
	}
	if _, err := multi.Coefficients(ctx); err == nil {
		t.Error("coefficients of three classes as those of two: no error")
	}
}

func TestRandomForestClassifier(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := blobs(t, s)
	rf := sparkml.NewRandomForestClassifier()
	rf.NumTrees, rf.MaxDepth, rf.FeatureSubsetStrategy, rf.WeightCol, rf.LeafCol = 5, 3, "all", "w", "leaves"
	model := must(rf.Fit(ctx, s, data))(t)
	predicts(t, model, data)
	ensemble(t, &model.TreeEnsembleModel, 5, 1)
	if got := rows(t, must(sparkml.VectorToArray(ctx, s, must(model.Transform(ctx, data))(t), "leaves", "l"))(t), "size(l)"); got[0][0] != int32(5) {
		t.Errorf("leaves of %v trees", got[0][0])
	}
}

func TestGBTClassifier(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := blobs(t, s)
	gbt := sparkml.NewGBTClassifier()
	gbt.MaxIter, gbt.MaxDepth, gbt.StepSize = 4, 2, 0.3
	model := must(gbt.Fit(ctx, s, data))(t)
	predicts(t, model, data)
	ensemble(t, &model.TreeEnsembleModel, 4, 0.3)

	// On rows kept aside that gain nothing, the fit stops early.
	held := must(data.SelectExpr(ctx, "features", "label", "id % 10 = 0 held"))(t)
	gbt.MaxIter, gbt.ValidationIndicatorCol, gbt.ValidationTol = 20, "held", 1
	if n := must(must(gbt.Fit(ctx, s, held))(t).NumTrees(ctx))(t); n >= 20 {
		t.Errorf("%d trees in spite of the rows kept aside", n)
	}
}

// predicts holds that a model of the blobs predicts every label.
func predicts(t *testing.T, model sparkml.Transformer, data sql.DataFrame) {
	t.Helper()
	if got := rows(t, must(model.Transform(t.Context(), data))(t), "count_if(prediction <> label)", "count(*)"); got[0][0] != int64(0) || got[0][1] != int64(200) {
		t.Errorf("%v wrong predictions of %v", got[0][0], got[0][1])
	}
}

func ensemble(t *testing.T, m *sparkml.TreeEnsembleModel, trees int, lastWeight float64) {
	t.Helper()
	ctx := t.Context()
	importances := must(m.FeatureImportances(ctx))(t)
	if len(importances) != 2 || math.Abs(importances[0]+importances[1]-1) > 1e-9 {
		t.Errorf("feature importances %v", importances)
	}
	if w := must(m.TreeWeights(ctx))(t); len(w) != trees || w[trees-1] != lastWeight {
		t.Errorf("tree weights %v", w)
	}
	for name, count := range map[string]struct {
		ask   func(context.Context) (int, error)
		least int
		most  int
	}{
		"NumTrees": {m.NumTrees, trees, trees}, "TotalNumNodes": {m.TotalNumNodes, trees, trees * 15}, "NumFeatures": {m.NumFeatures, 2, 2}, "NumClasses": {m.NumClasses, 2, 2},
	} {
		if n, err := count.ask(ctx); err != nil || n < count.least || n > count.most {
			t.Errorf("%s = %d, %v; want %d to %d", name, n, err, count.least, count.most)
		}
	}
	if text := must(m.ToDebugString(ctx))(t); !strings.Contains(text, "Tree 0") {
		t.Errorf("the trees in words: %s", text)
	}
}
