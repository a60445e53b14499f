package sparkml

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"golang.org/x/sync/errgroup"
)

// Estimator learns an M from data: every estimator of this package, a *Pipeline, and whatever else has these methods.
type Estimator[M Transformer] interface {
	Validate() error
	Fit(ctx context.Context, s *spark.Session, data sql.DataFrame) (M, error)
}

// Grid makes a candidate for every combination of one value from each axis, the last axis changing fastest. base makes a new one each time.
func Grid[E any](base func() E, axes ...[]func(E)) []E {
	choices := [][]func(E){nil}
	for _, axis := range axes {
		var longer [][]func(E)
		for _, chosen := range choices {
			for _, set := range axis {
				longer = append(longer, append(chosen[:len(chosen):len(chosen)], set))
			}
		}
		choices = longer
	}
	candidates := make([]E, len(choices))
	for i, chosen := range choices {
		candidates[i] = base()
		for _, set := range chosen {
			set(candidates[i])
		}
	}
	return candidates
}

// Axis is one axis of a Grid: the values that set gives to a parameter.
func Axis[E, V any](set func(E, V), values ...V) []func(E) {
	axis := make([]func(E), len(values))
	for i, v := range values {
		axis[i] = func(e E) { set(e, v) }
	}
	return axis
}

// CrossValidator is org.apache.spark.ml.tuning.CrossValidator, run from here: each candidate is fitted NumFolds times on all folds but
// one and evaluated on that one; the best by the mean is fitted on everything.
type CrossValidator struct {
	NumFolds    int    // at least 2
	FoldCol     string // a whole number from 0 to below NumFolds, each row's fold; empty: drawn at random
	Seed        int64
	Parallelism int // fits that run at once, at least 1
}

// NewCrossValidator returns a CrossValidator with MLlib's defaults.
func NewCrossValidator() *CrossValidator {
	return &CrossValidator{NumFolds: 3, Seed: -1191137437, Parallelism: 1}
}

// TrainValidationSplit is org.apache.spark.ml.tuning.TrainValidationSplit, run from here: each candidate is fitted once on TrainRatio of
// the rows, drawn at random, and evaluated on the rest; the best is fitted on everything.
type TrainValidationSplit struct {
	TrainRatio  float64 // above 0, below 1
	Seed        int64
	Parallelism int // fits that run at once, at least 1
}

// NewTrainValidationSplit returns a TrainValidationSplit with MLlib's defaults.
func NewTrainValidationSplit() *TrainValidationSplit {
	return &TrainValidationSplit{TrainRatio: 0.75, Seed: -1772833110, Parallelism: 1}
}

// TunedModel is what tuning found.
type TunedModel[M Transformer] struct {
	BestModel   M // fitted on all rows
	BestIndex   int
	AvgMetrics  []float64   // by candidate
	FoldMetrics [][]float64 // by candidate and fold
}

// CrossValidate tries the candidates. Their models are deleted from the server as soon as they have been evaluated.
func CrossValidate[M Transformer, E Estimator[M]](ctx context.Context, s *spark.Session, cv *CrossValidator, candidates []E, evaluator Evaluator, data sql.DataFrame) (*TunedModel[M], error) {
	c := checks{operator: "CrossValidator"}
	atLeast(&c, "numFolds", cv.NumFolds, 2)
	atLeast(&c, "parallelism", cv.Parallelism, 1)
	fold := "CAST(floor(" + strconv.Itoa(cv.NumFolds) + " * rand(" + strconv.FormatInt(cv.Seed, 10) + ")) AS int)"
	if cv.FoldCol != "" {
		fold = "CAST(`" + strings.ReplaceAll(cv.FoldCol, "`", "``") + "` AS int)"
	}
	return tune[M](ctx, s, c, candidates, evaluator, data, fold, cv.NumFolds, cv.NumFolds, cv.Parallelism)
}

// TrainAndValidate tries the candidates, and deletes their models likewise.
func TrainAndValidate[M Transformer, E Estimator[M]](ctx context.Context, s *spark.Session, tv *TrainValidationSplit, candidates []E, evaluator Evaluator, data sql.DataFrame) (*TunedModel[M], error) {
	c := checks{operator: "TrainValidationSplit"}
	within(&c, "trainRatio", tv.TrainRatio, 1, "()")
	atLeast(&c, "parallelism", tv.Parallelism, 1)
	fold := fmt.Sprintf("IF(rand(%d) < %v, 1, 0)", tv.Seed, tv.TrainRatio)
	return tune[M](ctx, s, c, candidates, evaluator, data, fold, 2, 1, tv.Parallelism)
}

const foldColumn = "sparkml_fold"

// tune divides the data into folds by an expression and holds the first of them out, one after the other.
func tune[M Transformer, E Estimator[M]](ctx context.Context, s *spark.Session, c checks, candidates []E, evaluator Evaluator, data sql.DataFrame, fold string, folds, heldOut, parallelism int) (*TunedModel[M], error) {
	c.that(len(candidates) > 0, "estimatorParamMaps", "[]", "must have a candidate")
	broken := []error{c.err(), evaluator.Validate()}
	for i, e := range candidates {
		if err := e.Validate(); err != nil {
			broken = append(broken, fmt.Errorf("candidate %d: %w", i, err))
		}
	}
	if err := errors.Join(broken...); err != nil {
		return nil, err
	}
	// Kept, for a row that is drawn again may fall into another fold.
	divided, err := data.SelectExpr(ctx, "*", fold+" AS "+foldColumn)
	if err == nil {
		err = divided.Cache(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("dividing the data into folds: %w", spark.Explain(err))
	}
	defer func() { _ = divided.Unpersist(context.WithoutCancel(ctx)) }() // at the latest, the session's end frees it
	if err := checkFolds(ctx, divided, folds); err != nil {
		return nil, err
	}

	result := &TunedModel[M]{AvgMetrics: make([]float64, len(candidates)), FoldMetrics: make([][]float64, len(candidates))}
	group, tasks := errgroup.WithContext(ctx)
	group.SetLimit(parallelism)
	for i, e := range candidates {
		result.FoldMetrics[i] = make([]float64, heldOut)
		for f := range heldOut {
			group.Go(func() error {
				metric, err := try[M](tasks, s, e, evaluator, divided, f)
				if err != nil {
					return fmt.Errorf("candidate %d without fold %d: %w", i, f, err)
				}
				result.FoldMetrics[i][f] = metric
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if result.BestIndex, err = best(result.FoldMetrics, result.AvgMetrics, evaluator.IsLargerBetter()); err != nil {
		return nil, err
	}
	if result.BestModel, err = candidates[result.BestIndex].Fit(ctx, s, data); err != nil {
		return nil, fmt.Errorf("fitting the best candidate, %d, on all rows: %w", result.BestIndex, err)
	}
	return result, nil
}

// checkFolds refuses folds without rows, and rows without a fold.
func checkFolds(ctx context.Context, divided sql.DataFrame, folds int) error {
	counts := make([]string, folds+1)
	for f := range folds {
		counts[f] = fmt.Sprintf("count_if(%s = %d) AS f%d", foldColumn, f, f)
	}
	counts[folds] = fmt.Sprintf("count_if(%s NOT BETWEEN 0 AND %d OR %s IS NULL) AS other", foldColumn, folds-1, foldColumn)
	df, err := divided.SelectExpr(ctx, counts...)
	if err != nil {
		return fmt.Errorf("counting the folds' rows: %w", spark.Explain(err))
	}
	row, err := df.First(ctx)
	if err != nil {
		return fmt.Errorf("counting the folds' rows: %w", spark.Explain(err))
	}
	for f := range folds {
		if n, _ := row.Value(fmt.Sprintf("f%d", f)).(int64); n == 0 {
			return fmt.Errorf("fold %d of %d has no rows: the data has too few, or the folds' column leaves it out", f, folds)
		}
	}
	if n, _ := row.Value("other").(int64); n > 0 {
		return fmt.Errorf("%d rows are in no fold: the folds' column must be from 0 to %d", n, folds-1)
	}
	return nil
}

// try fits a candidate on all folds but one and evaluates it on that one.
func try[M Transformer](ctx context.Context, s *spark.Session, e Estimator[M], evaluator Evaluator, divided sql.DataFrame, fold int) (float64, error) {
	training, err := divided.Where(ctx, fmt.Sprintf("%s <> %d", foldColumn, fold))
	if err != nil {
		return 0, spark.Explain(err)
	}
	validation, err := divided.Where(ctx, fmt.Sprintf("%s = %d", foldColumn, fold))
	if err != nil {
		return 0, spark.Explain(err)
	}
	model, err := e.Fit(ctx, s, training)
	if err != nil {
		return 0, err
	}
	if d, ok := any(model).(interface{ Delete(context.Context) error }); ok {
		defer func() { _ = d.Delete(context.WithoutCancel(ctx)) }() // at the latest, the session's end frees it
	}
	predicted, err := model.Transform(ctx, validation)
	if err != nil {
		return 0, err
	}
	return evaluator.Evaluate(ctx, s, predicted)
}

// best fills in each candidate's mean over the folds and tells the best. A figure that is no number never wins.
func best(byFold [][]float64, averages []float64, larger bool) (int, error) {
	found := -1
	for i, metrics := range byFold {
		for _, m := range metrics {
			averages[i] += m / float64(len(metrics))
		}
		if math.IsNaN(averages[i]) {
			continue
		}
		if found < 0 || larger && averages[i] > averages[found] || !larger && averages[i] < averages[found] {
			found = i
		}
	}
	if found < 0 {
		return 0, errors.New("no candidate could be evaluated: every metric is not a number")
	}
	return found, nil
}
