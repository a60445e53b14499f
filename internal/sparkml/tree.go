package sparkml

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// TreeEnsemble has the parameters that forests and boosted trees share.
type TreeEnsemble struct {
	FeaturesCol              string
	LabelCol                 string // whole numbers from 0, as doubles
	WeightCol                string `ml:"optional"` // a row's weight; empty: 1
	PredictionCol            string
	ProbabilityCol           string
	RawPredictionCol         string
	LeafCol                  string    // empty: no column of the leaves that a row falls into
	Thresholds               []float64 `ml:"optional"` // as LogisticRegression's
	MaxDepth                 int       // 0 to 30
	MaxBins                  int       // of a feature's values; at least 2, and at least as many as a feature has categories
	MinInstancesPerNode      int       // at least 1
	MinWeightFractionPerNode float64   // of the weight of all rows, 0 to below 0.5
	MinInfoGain              float64
	MaxMemoryInMB            int // of the histograms of one pass, at least 0
	CacheNodeIds             bool
	CheckpointInterval       int     // at least 1, or -1 for never
	SubsamplingRate          float64 // share of the rows for each tree, above 0 to 1
	FeatureSubsetStrategy    string  // "auto", "all", "onethird", "sqrt", "log2", a number of features, or a share above 0 to 1.0
	Impurity                 string  // "gini" or "entropy" of a forest; boosting takes only "variance"
	Seed                     int64
}

func newTreeEnsemble(subset, impurity string, seed int64) TreeEnsemble {
	return TreeEnsemble{
		FeaturesCol: "features", LabelCol: "label", PredictionCol: "prediction", ProbabilityCol: "probability", RawPredictionCol: "rawPrediction",
		MaxDepth: 5, MaxBins: 32, MinInstancesPerNode: 1, MaxMemoryInMB: 256, CheckpointInterval: 10, SubsamplingRate: 1,
		FeatureSubsetStrategy: subset, Impurity: impurity, Seed: seed,
	}
}

func (a *TreeEnsemble) check(c *checks, impurities ...string) {
	c.columns("featuresCol", a.FeaturesCol, "labelCol", a.LabelCol)
	c.thresholds(a.Thresholds)
	c.that(a.MaxDepth >= 0 && a.MaxDepth <= 30, "maxDepth", a.MaxDepth, "must be from 0 to 30")
	atLeast(c, "maxBins", a.MaxBins, 2)
	atLeast(c, "minInstancesPerNode", a.MinInstancesPerNode, 1)
	within(c, "minWeightFractionPerNode", a.MinWeightFractionPerNode, 0.5, "[)")
	c.finite("minInfoGain", a.MinInfoGain)
	atLeast(c, "maxMemoryInMB", a.MaxMemoryInMB, 0)
	c.that(a.CheckpointInterval == -1 || a.CheckpointInterval >= 1, "checkpointInterval", a.CheckpointInterval, "must be at least 1, or -1")
	within(c, "subsamplingRate", a.SubsamplingRate, 1, "(]")
	c.that(validSubset(a.FeatureSubsetStrategy), "featureSubsetStrategy", strconv.Quote(a.FeatureSubsetStrategy),
		"must be auto, all, onethird, sqrt, log2, a whole number of at least 1, or a share above 0 to 1.0")
	c.oneOfFold("impurity", a.Impurity, impurities...)
}

func validSubset(s string) bool {
	if slices.Contains([]string{"auto", "all", "onethird", "sqrt", "log2"}, strings.ToLower(s)) {
		return true
	}
	n, err := strconv.ParseFloat(s, 64)
	return err == nil && n > 0 && (n <= 1 || n == math.Trunc(n) && !strings.ContainsAny(s, ".eE") && n <= math.MaxInt32)
}

// RandomForestClassifier is org.apache.spark.ml.classification.RandomForestClassifier (Breiman 2001), for two classes or more.
type RandomForestClassifier struct {
	TreeEnsemble
	NumTrees  int  // at least 1
	Bootstrap bool // each tree is grown on rows drawn with replacement
}

// NewRandomForestClassifier returns a RandomForestClassifier with MLlib's defaults.
func NewRandomForestClassifier() *RandomForestClassifier {
	return &RandomForestClassifier{TreeEnsemble: newTreeEnsemble("auto", "gini", 207336481), NumTrees: 20, Bootstrap: true}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *RandomForestClassifier) Validate() error {
	c := checks{operator: "RandomForestClassifier"}
	a.check(&c, "entropy", "gini")
	atLeast(&c, "numTrees", a.NumTrees, 1)
	return c.err()
}

func (a *RandomForestClassifier) class() string { return "ml.classification.RandomForestClassifier" }

// Fit grows the trees on the cluster.
func (a *RandomForestClassifier) Fit(ctx context.Context, s *spark.Session, data sql.DataFrame) (*RandomForestClassificationModel, error) {
	return fit(ctx, s, a, data, randomForestModel, newRandomForestModel)
}

func (a *RandomForestClassifier) stage(ctx context.Context, s *spark.Session, data sql.DataFrame) (Transformer, error) {
	return a.Fit(ctx, s, data)
}

const randomForestModel = "ml.classification.RandomForestClassificationModel"

// RandomForestClassificationModel is a fitted RandomForestClassifier. Transform adds the raw prediction (the trees' votes), the
// probabilities and the prediction.
type RandomForestClassificationModel struct{ TreeEnsembleModel }

func newRandomForestModel(m Model) *RandomForestClassificationModel {
	return &RandomForestClassificationModel{TreeEnsembleModel{ClassificationModel{m}}}
}

// GBTClassifier is org.apache.spark.ml.classification.GBTClassifier: trees boosted on the gradient (Friedman 1999), for two classes.
type GBTClassifier struct {
	TreeEnsemble
	MaxIter                int     // trees, at least 0
	StepSize               float64 // above 0 to 1
	LossType               string  // "logistic"
	ValidationIndicatorCol string  `ml:"optional"` // true on the rows that are kept from the fit to stop it early
	ValidationTol          float64 // the gain on these rows below which the fit stops, at least 0
}

// NewGBTClassifier returns a GBTClassifier with MLlib's defaults.
func NewGBTClassifier() *GBTClassifier {
	return &GBTClassifier{TreeEnsemble: newTreeEnsemble("all", "variance", -1287390502), MaxIter: 20, StepSize: 0.1, LossType: "logistic", ValidationTol: 0.01}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *GBTClassifier) Validate() error {
	c := checks{operator: "GBTClassifier"}
	a.check(&c, "variance")
	atLeast(&c, "maxIter", a.MaxIter, 0)
	within(&c, "stepSize", a.StepSize, 1, "(]")
	c.oneOfFold("lossType", a.LossType, "logistic")
	atLeast(&c, "validationTol", a.ValidationTol, 0)
	return c.err()
}

func (a *GBTClassifier) class() string { return "ml.classification.GBTClassifier" }

// Fit grows the trees on the cluster, one after the other.
func (a *GBTClassifier) Fit(ctx context.Context, s *spark.Session, data sql.DataFrame) (*GBTClassificationModel, error) {
	return fit(ctx, s, a, data, gbtModel, newGBTModel)
}

func (a *GBTClassifier) stage(ctx context.Context, s *spark.Session, data sql.DataFrame) (Transformer, error) {
	return a.Fit(ctx, s, data)
}

const gbtModel = "ml.classification.GBTClassificationModel"

// GBTClassificationModel is a fitted GBTClassifier. Transform adds the raw prediction (the margin, for and against), the probabilities
// and the prediction.
type GBTClassificationModel struct{ TreeEnsembleModel }

func newGBTModel(m Model) *GBTClassificationModel {
	return &GBTClassificationModel{TreeEnsembleModel{ClassificationModel{m}}}
}

// TreeEnsembleModel is what the models of forests and boosted trees share.
type TreeEnsembleModel struct{ ClassificationModel }

// FeatureImportances has the share of each feature in the gain of all splits; they add up to 1.
func (m *TreeEnsembleModel) FeatureImportances(ctx context.Context) ([]float64, error) {
	return fetch(ctx, &m.Model, asVector, "featureImportances")
}

// NumTrees is how many trees there are: an early stop leaves fewer than were asked for.
func (m *TreeEnsembleModel) NumTrees(ctx context.Context) (int, error) {
	return fetch(ctx, &m.Model, asInt, "getNumTrees")
}

// TreeWeights has each tree's weight in the sum.
func (m *TreeEnsembleModel) TreeWeights(ctx context.Context) ([]float64, error) {
	return fetch(ctx, &m.Model, asArray(asFloat), "treeWeights")
}

// TotalNumNodes counts the nodes of all trees.
func (m *TreeEnsembleModel) TotalNumNodes(ctx context.Context) (int, error) {
	return fetch(ctx, &m.Model, asInt, "totalNumNodes")
}

// ToDebugString is the trees in words.
func (m *TreeEnsembleModel) ToDebugString(ctx context.Context) (string, error) {
	return fetch(ctx, &m.Model, asString, "toDebugString")
}

// ClassificationModel is what the models of all classifiers share.
type ClassificationModel struct{ Model }

// NumFeatures is the length of the feature vectors.
func (m *ClassificationModel) NumFeatures(ctx context.Context) (int, error) {
	return fetch(ctx, &m.Model, asInt, "numFeatures")
}

// NumClasses is how many classes there are.
func (m *ClassificationModel) NumClasses(ctx context.Context) (int, error) {
	return fetch(ctx, &m.Model, asInt, "numClasses")
}
