package sparkml

import (
	"context"
	"slices"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// Evaluator computes one figure on a DataFrame that holds predictions and the truth.
type Evaluator interface {
	Validate() error
	Evaluate(ctx context.Context, s *spark.Session, data sql.DataFrame) (float64, error)
	IsLargerBetter() bool
}

// BinaryClassificationEvaluator is org.apache.spark.ml.evaluation.BinaryClassificationEvaluator.
type BinaryClassificationEvaluator struct {
	LabelCol         string
	RawPredictionCol string // vectors of two, or numbers
	WeightCol        string `ml:"optional"` // a row's weight; empty: 1
	MetricName       string // "areaUnderROC" or "areaUnderPR"
	NumBins          int    // points of the curve, at least 0; 0: as many as there are distinct scores
}

// NewBinaryClassificationEvaluator returns one with MLlib's defaults.
func NewBinaryClassificationEvaluator() *BinaryClassificationEvaluator {
	return &BinaryClassificationEvaluator{LabelCol: "label", RawPredictionCol: "rawPrediction", MetricName: "areaUnderROC", NumBins: 1000}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *BinaryClassificationEvaluator) Validate() error {
	c := checks{operator: "BinaryClassificationEvaluator"}
	c.columns("labelCol", a.LabelCol, "rawPredictionCol", a.RawPredictionCol)
	c.oneOf("metricName", a.MetricName, "areaUnderROC", "areaUnderPR")
	atLeast(&c, "numBins", a.NumBins, 0)
	return c.err()
}

func (a *BinaryClassificationEvaluator) class() string {
	return "ml.evaluation.BinaryClassificationEvaluator"
}

// IsLargerBetter is true of both metrics.
func (a *BinaryClassificationEvaluator) IsLargerBetter() bool { return true }

// Evaluate computes the metric.
func (a *BinaryClassificationEvaluator) Evaluate(ctx context.Context, s *spark.Session, data sql.DataFrame) (float64, error) {
	return evaluate(ctx, s, a, data)
}

// MulticlassClassificationEvaluator is org.apache.spark.ml.evaluation.MulticlassClassificationEvaluator.
type MulticlassClassificationEvaluator struct {
	LabelCol       string
	PredictionCol  string
	ProbabilityCol string  // for logLoss
	WeightCol      string  `ml:"optional"` // a row's weight; empty: 1
	MetricName     string  // such as "f1", "accuracy", "logLoss"
	MetricLabel    float64 // the class of the metrics by label, at least 0
	Beta           float64 // of the F-measures, above 0
	Eps            float64 // the probability below which logLoss does not look, above 0 and below 0.5
}

var multiclassMetrics = []string{
	"f1", "accuracy", "weightedPrecision", "weightedRecall", "weightedTruePositiveRate", "weightedFalsePositiveRate", "weightedFMeasure",
	"truePositiveRateByLabel", "falsePositiveRateByLabel", "precisionByLabel", "recallByLabel", "fMeasureByLabel", "logLoss", "hammingLoss",
}

// NewMulticlassClassificationEvaluator returns one with MLlib's defaults.
func NewMulticlassClassificationEvaluator() *MulticlassClassificationEvaluator {
	return &MulticlassClassificationEvaluator{
		LabelCol: "label", PredictionCol: "prediction", ProbabilityCol: "probability", MetricName: "f1", Beta: 1, Eps: 1e-15,
	}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *MulticlassClassificationEvaluator) Validate() error {
	c := checks{operator: "MulticlassClassificationEvaluator"}
	c.columns("labelCol", a.LabelCol, "predictionCol", a.PredictionCol)
	c.oneOf("metricName", a.MetricName, multiclassMetrics...)
	atLeast(&c, "metricLabel", a.MetricLabel, 0)
	c.finite("beta", a.Beta)
	c.that(!(a.Beta <= 0), "beta", a.Beta, "must be above 0")
	within(&c, "eps", a.Eps, 0.5, "()")
	return c.err()
}

func (a *MulticlassClassificationEvaluator) class() string {
	return "ml.evaluation.MulticlassClassificationEvaluator"
}

// IsLargerBetter is true unless the metric is a loss or a rate of errors.
func (a *MulticlassClassificationEvaluator) IsLargerBetter() bool {
	return !slices.Contains([]string{"weightedFalsePositiveRate", "falsePositiveRateByLabel", "logLoss", "hammingLoss"}, a.MetricName)
}

// Evaluate computes the metric.
func (a *MulticlassClassificationEvaluator) Evaluate(ctx context.Context, s *spark.Session, data sql.DataFrame) (float64, error) {
	return evaluate(ctx, s, a, data)
}

// RegressionEvaluator is org.apache.spark.ml.evaluation.RegressionEvaluator.
type RegressionEvaluator struct {
	LabelCol      string
	PredictionCol string
	WeightCol     string `ml:"optional"` // a row's weight; empty: 1
	MetricName    string // "rmse", "mse", "r2", "mae" or "var"
	ThroughOrigin bool   // r2 of a regression without intercept
}

// NewRegressionEvaluator returns one with MLlib's defaults.
func NewRegressionEvaluator() *RegressionEvaluator {
	return &RegressionEvaluator{LabelCol: "label", PredictionCol: "prediction", MetricName: "rmse"}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *RegressionEvaluator) Validate() error {
	c := checks{operator: "RegressionEvaluator"}
	c.columns("labelCol", a.LabelCol, "predictionCol", a.PredictionCol)
	c.oneOf("metricName", a.MetricName, "mse", "rmse", "r2", "mae", "var")
	return c.err()
}

func (a *RegressionEvaluator) class() string { return "ml.evaluation.RegressionEvaluator" }

// IsLargerBetter is true of r2 and var.
func (a *RegressionEvaluator) IsLargerBetter() bool {
	return a.MetricName == "r2" || a.MetricName == "var"
}

// Evaluate computes the metric.
func (a *RegressionEvaluator) Evaluate(ctx context.Context, s *spark.Session, data sql.DataFrame) (float64, error) {
	return evaluate(ctx, s, a, data)
}

// RankingEvaluator is org.apache.spark.ml.evaluation.RankingEvaluator.
type RankingEvaluator struct {
	LabelCol      string // array of double: what is relevant
	PredictionCol string // array of double: what was recommended, best first
	MetricName    string // "meanAveragePrecision", or with K "meanAveragePrecisionAtK", "precisionAtK", "ndcgAtK" or "recallAtK"
	K             int    // at least 1
}

// NewRankingEvaluator returns one with MLlib's defaults.
func NewRankingEvaluator() *RankingEvaluator {
	return &RankingEvaluator{LabelCol: "label", PredictionCol: "prediction", MetricName: "meanAveragePrecision", K: 10}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *RankingEvaluator) Validate() error {
	c := checks{operator: "RankingEvaluator"}
	c.columns("labelCol", a.LabelCol, "predictionCol", a.PredictionCol)
	c.oneOf("metricName", a.MetricName, "meanAveragePrecision", "meanAveragePrecisionAtK", "precisionAtK", "ndcgAtK", "recallAtK")
	atLeast(&c, "k", a.K, 1)
	return c.err()
}

func (a *RankingEvaluator) class() string { return "ml.evaluation.RankingEvaluator" }

// IsLargerBetter is true of all metrics.
func (a *RankingEvaluator) IsLargerBetter() bool { return true }

// Evaluate computes the metric.
func (a *RankingEvaluator) Evaluate(ctx context.Context, s *spark.Session, data sql.DataFrame) (float64, error) {
	return evaluate(ctx, s, a, data)
}

// ClusteringEvaluator is org.apache.spark.ml.evaluation.ClusteringEvaluator.
type ClusteringEvaluator struct {
	FeaturesCol     string
	PredictionCol   string
	WeightCol       string `ml:"optional"` // a row's weight; empty: 1
	MetricName      string // "silhouette"
	DistanceMeasure string // "squaredEuclidean" or "cosine"
}

// NewClusteringEvaluator returns one with MLlib's defaults.
func NewClusteringEvaluator() *ClusteringEvaluator {
	return &ClusteringEvaluator{FeaturesCol: "features", PredictionCol: "prediction", MetricName: "silhouette", DistanceMeasure: "squaredEuclidean"}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *ClusteringEvaluator) Validate() error {
	c := checks{operator: "ClusteringEvaluator"}
	c.columns("featuresCol", a.FeaturesCol, "predictionCol", a.PredictionCol)
	c.oneOf("metricName", a.MetricName, "silhouette")
	c.oneOf("distanceMeasure", a.DistanceMeasure, "squaredEuclidean", "cosine")
	return c.err()
}

func (a *ClusteringEvaluator) class() string { return "ml.evaluation.ClusteringEvaluator" }

// IsLargerBetter is true of the silhouette.
func (a *ClusteringEvaluator) IsLargerBetter() bool { return true }

// Evaluate computes the metric.
func (a *ClusteringEvaluator) Evaluate(ctx context.Context, s *spark.Session, data sql.DataFrame) (float64, error) {
	return evaluate(ctx, s, a, data)
}
