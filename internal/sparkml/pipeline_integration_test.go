//go:build integration

package sparkml_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cartwheel/internal/spark"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/sparkml"
)

// threeStages assembles, scales and classifies the blobs' x and y.
func threeStages() *sparkml.Pipeline {
	assembler := sparkml.NewVectorAssembler()
	assembler.InputCols, assembler.OutputCol = []string{"x", "y"}, "raw"
	scaler := sparkml.NewStandardScaler()
	scaler.InputCol, scaler.OutputCol, scaler.WithMean = "raw", "scaled", true
	lr := sparkml.NewLogisticRegression()
	lr.FeaturesCol, lr.RegParam, lr.MaxIter = "scaled", 0.1, 10
	return sparkml.NewPipeline(assembler, scaler, lr)
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := blobs(t, s)
	model := must(threeStages().Fit(ctx, s, data))(t)
	predicts(t, model, data)

	dir := filepath.Join(t.TempDir(), "pipeline")
	if err := model.Write(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if err := model.Write(ctx, dir); err == nil {
		t.Error("writing over a saved pipeline: no error")
	}
	again := must(sparkml.ReadPipelineModel(ctx, s, dir))(t)
	predicts(t, again, data)
	lr, ok := again.Stages[2].(*sparkml.LogisticRegressionModel)
	if !ok {
		t.Fatalf("the last stage read is a %T", again.Stages[2])
	}
	was := must(model.Stages[2].(*sparkml.LogisticRegressionModel).Coefficients(ctx))(t)
	if is := must(lr.Coefficients(ctx))(t); !reflect.DeepEqual(was, is) {
		t.Errorf("coefficients %v, and read back %v", was, is)
	}
	if _, err := sparkml.ReadPipelineModel(ctx, s, filepath.Join(dir, "stages", "0_x")); err == nil || !strings.Contains(err.Error(), "0_x") {
		t.Errorf("reading what is not there: %v", err)
	}

	if err := errors.Join(model.Delete(ctx), again.Delete(ctx)); err != nil {
		t.Fatal(err)
	}
	// A stage that fails is named, and leaves none of the models before it.
	broken := threeStages()
	broken.Stages[2].(*sparkml.LogisticRegression).LabelCol = "nowhere"
	var e *spark.Error
	if _, err := broken.Fit(ctx, s, data); !errors.As(err, &e) || !strings.Contains(err.Error(), "stage 2") || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a pipeline with a wrong stage: %v", err)
	}
	if left := must(sparkml.CacheInfo(ctx, s))(t); len(left) != 0 {
		t.Errorf("left on the server: %+v", left)
	}
}

func TestCrossValidate(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := blobs(t, s)
	candidates := sparkml.Grid(func() *sparkml.LogisticRegression {
		lr := sparkml.NewLogisticRegression()
		lr.MaxIter = 10
		return lr
	}, sparkml.Axis(func(lr *sparkml.LogisticRegression, v float64) { lr.RegParam = v }, 1000, 0.01))
	evaluator := sparkml.NewMulticlassClassificationEvaluator()
	evaluator.MetricName = "logLoss"

	cv := sparkml.NewCrossValidator()
	cv.NumFolds, cv.Parallelism = 2, 2
	tuned := must(sparkml.CrossValidate(ctx, s, cv, candidates, evaluator, data))(t)
	if tuned.BestIndex != 1 || tuned.AvgMetrics[1] > 0.2 || tuned.AvgMetrics[0] < 0.6 {
		t.Errorf("best %d by %v", tuned.BestIndex, tuned.AvgMetrics)
	}
	for i, folds := range tuned.FoldMetrics {
		if len(folds) != 2 || math.Abs((folds[0]+folds[1])/2-tuned.AvgMetrics[i]) > 1e-12 || folds[0] == folds[1] {
			t.Errorf("candidate %d: folds %v, mean %v", i, folds, tuned.AvgMetrics[i])
		}
	}
	predicts(t, tuned.BestModel, data)
	if left := must(sparkml.CacheInfo(ctx, s))(t); len(left) != 1 || left[0].ID != tuned.BestModel.ID() {
		t.Errorf("on the server there are %+v, want the best model alone", left)
	}

	// The same seed draws the same folds.
	again := must(sparkml.CrossValidate(ctx, s, cv, candidates[1:], evaluator, data))(t)
	for f, metric := range again.FoldMetrics[0] {
		if math.Abs(metric-tuned.FoldMetrics[1][f]) > 1e-9 {
			t.Errorf("fold %d: %v, and again %v", f, tuned.FoldMetrics[1][f], metric)
		}
	}

	own := must(data.SelectExpr(ctx, "*", "id % 3 `the ``fold``.`"))(t)
	cv.NumFolds, cv.FoldCol = 3, "the `fold`."
	byFold := must(sparkml.CrossValidate(ctx, s, cv, []*sparkml.Pipeline{threeStages()}, evaluator, own))(t)
	if len(byFold.FoldMetrics[0]) != 3 || len(byFold.BestModel.Stages) != 3 {
		t.Errorf("a pipeline with given folds: %+v", byFold)
	}
	cv.NumFolds = 4
	if _, err := sparkml.CrossValidate(ctx, s, cv, candidates, evaluator, own); err == nil || !strings.Contains(err.Error(), "fold 3 of 4 has no rows") {
		t.Errorf("four folds where there are three: %v", err)
	}
	cv.NumFolds = 2
	if _, err := sparkml.CrossValidate(ctx, s, cv, candidates, evaluator, own); err == nil || !strings.Contains(err.Error(), "in no fold") {
		t.Errorf("two folds where there are three: %v", err)
	}
}

func TestTrainAndValidate(t *testing.T) {
	t.Parallel()
	s := sparktest.Open(t)
	data := blobs(t, s)
	candidates := sparkml.Grid(sparkml.NewKMeans, sparkml.Axis(func(k *sparkml.KMeans, v int) { k.K = v }, 2, 5))
	tuned := must(sparkml.TrainAndValidate(t.Context(), s, sparkml.NewTrainValidationSplit(), candidates, sparkml.NewClusteringEvaluator(), data))(t)
	if tuned.BestIndex != 0 || len(tuned.FoldMetrics[0]) != 1 {
		t.Errorf("two blobs: best is candidate %d by %v", tuned.BestIndex, tuned.FoldMetrics)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The server tells of a job's progress every two seconds: rows that take minutes to make, so that it does.
	slow := must(data.Where(ctx, "IF(java_method('java.lang.Thread', 'sleep', 2000L) IS NULL, true, true)"))(t)
	stopping := spark.WithProgress(ctx, func(spark.Progress) { cancel() })
	if _, err := sparkml.TrainAndValidate(stopping, s, sparkml.NewTrainValidationSplit(), candidates, sparkml.NewClusteringEvaluator(), slow); !errors.Is(err, context.Canceled) {
		t.Errorf("a tuning whose context ends: %v", err)
	}
}
