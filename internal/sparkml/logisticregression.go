package sparkml

import (
	"context"
	"math"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// LogisticRegression is org.apache.spark.ml.classification.LogisticRegression, for two classes or more. MLlib's bounds on coefficients
// and intercepts are not here.
type LogisticRegression struct {
	FeaturesCol      string
	LabelCol         string // whole numbers from 0, as doubles
	WeightCol        string `ml:"optional"` // a row's weight; empty: 1
	PredictionCol    string
	ProbabilityCol   string
	RawPredictionCol string
	MaxIter          int       // at least 0
	RegParam         float64   // at least 0
	ElasticNetParam  float64   // 0 (ridge) to 1 (lasso)
	Tol              float64   // of convergence, at least 0
	FitIntercept     bool      // if not, the intercept is 0
	Standardization  bool      // of the features before the fit; the coefficients are always in the original scale
	Family           string    // "auto", "binomial" or "multinomial"
	Threshold        float64   // of two classes: class 1 is predicted above it, 0 to 1; not used with Thresholds
	Thresholds       []float64 `ml:"optional"` // one a class, at least 0, at most one of them 0: the class of greatest probability/threshold is predicted
	AggregationDepth int       // of treeAggregate, at least 2
	MaxBlockSizeInMB float64   // of stacked rows, at least 0; 0: MLlib chooses
}

// NewLogisticRegression returns a LogisticRegression with MLlib's defaults.
func NewLogisticRegression() *LogisticRegression {
	return &LogisticRegression{
		FeaturesCol: "features", LabelCol: "label", PredictionCol: "prediction", ProbabilityCol: "probability", RawPredictionCol: "rawPrediction",
		MaxIter: 100, Tol: 1e-6, FitIntercept: true, Standardization: true, Family: "auto", Threshold: 0.5, AggregationDepth: 2,
	}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *LogisticRegression) Validate() error {
	c := checks{operator: "LogisticRegression"}
	c.columns("featuresCol", a.FeaturesCol, "labelCol", a.LabelCol)
	atLeast(&c, "maxIter", a.MaxIter, 0)
	atLeast(&c, "regParam", a.RegParam, 0)
	within(&c, "elasticNetParam", a.ElasticNetParam, 1, "[]")
	atLeast(&c, "tol", a.Tol, 0)
	c.oneOfFold("family", a.Family, "auto", "binomial", "multinomial")
	within(&c, "threshold", a.Threshold, 1, "[]")
	c.thresholds(a.Thresholds)
	atLeast(&c, "aggregationDepth", a.AggregationDepth, 2)
	atLeast(&c, "maxBlockSizeInMB", a.MaxBlockSizeInMB, 0)
	return c.err()
}

// thresholds holds what MLlib wants of a classifier's thresholds.
func (c *checks) thresholds(t []float64) {
	zeros, ok := 0, true
	for _, v := range t {
		ok = ok && v >= 0 && !math.IsInf(v, 0)
		if v == 0 {
			zeros++
		}
	}
	c.that(ok && zeros <= 1, "thresholds", t, "must be numbers of at least 0, at most one of them 0")
}

func (a *LogisticRegression) class() string { return "ml.classification.LogisticRegression" }

func (a *LogisticRegression) adjust(params fields) {
	if len(a.Thresholds) > 0 {
		delete(params, "threshold")
	}
}

// Fit trains on the cluster. MLlib caches the data during the fit unless it is cached already.
func (a *LogisticRegression) Fit(ctx context.Context, s *spark.Session, data sql.DataFrame) (*LogisticRegressionModel, error) {
	return fit(ctx, s, a, data, logisticRegressionModel, newLogisticRegressionModel)
}

func (a *LogisticRegression) stage(ctx context.Context, s *spark.Session, data sql.DataFrame) (Transformer, error) {
	return a.Fit(ctx, s, data)
}

const logisticRegressionModel = "ml.classification.LogisticRegressionModel"

// LogisticRegressionModel is a fitted LogisticRegression. Transform adds the raw prediction, the probabilities and the prediction.
type LogisticRegressionModel struct{ ClassificationModel }

func newLogisticRegressionModel(m Model) *LogisticRegressionModel {
	return &LogisticRegressionModel{ClassificationModel{m}}
}

// Coefficients has one for each feature. It is an error where there are more than two classes: see CoefficientMatrix.
func (m *LogisticRegressionModel) Coefficients(ctx context.Context) ([]float64, error) {
	return fetch(ctx, &m.Model, asVector, "coefficients")
}

// Intercept goes with Coefficients.
func (m *LogisticRegressionModel) Intercept(ctx context.Context) (float64, error) {
	return fetch(ctx, &m.Model, asFloat, "intercept")
}

// CoefficientMatrix has a row for each class, or a single one where the family is binomial, and a column for each feature.
func (m *LogisticRegressionModel) CoefficientMatrix(ctx context.Context) ([][]float64, error) {
	return fetch(ctx, &m.Model, asRows, "coefficientMatrix")
}

// InterceptVector goes with CoefficientMatrix.
func (m *LogisticRegressionModel) InterceptVector(ctx context.Context) ([]float64, error) {
	return fetch(ctx, &m.Model, asVector, "interceptVector")
}

// HasSummary is true of a model that this session fitted, false of one that was read.
func (m *LogisticRegressionModel) HasSummary(ctx context.Context) (bool, error) {
	return fetch(ctx, &m.Model, asBool, "hasSummary")
}

// Summary gives figures of the fit on its training data, where HasSummary.
func (m *LogisticRegressionModel) Summary() *LogisticRegressionSummary {
	return &LogisticRegressionSummary{&m.Model}
}

// LogisticRegressionSummary asks the server for each figure.
type LogisticRegressionSummary struct{ model *Model }

// ObjectiveHistory is the loss, with the regularisation, before the first iteration and after each.
func (s *LogisticRegressionSummary) ObjectiveHistory(ctx context.Context) ([]float64, error) {
	return fetch(ctx, s.model, asArray(asFloat), "summary", "objectiveHistory")
}

// TotalIterations is how many were made.
func (s *LogisticRegressionSummary) TotalIterations(ctx context.Context) (int, error) {
	return fetch(ctx, s.model, asInt, "summary", "totalIterations")
}

// Accuracy is the share of rows predicted right.
func (s *LogisticRegressionSummary) Accuracy(ctx context.Context) (float64, error) {
	return fetch(ctx, s.model, asFloat, "summary", "accuracy")
}

// AreaUnderROC is for two classes only.
func (s *LogisticRegressionSummary) AreaUnderROC(ctx context.Context) (float64, error) {
	return fetch(ctx, s.model, asFloat, "summary", "areaUnderROC")
}
