package sparkml

import (
	"context"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// KMeans is org.apache.spark.ml.clustering.KMeans, started by k-means|| (Bahmani et al. 2012) unless told otherwise.
type KMeans struct {
	FeaturesCol      string
	PredictionCol    string
	WeightCol        string  `ml:"optional"` // a row's weight; empty: 1
	K                int     // clusters, at least 2; fewer come out where there are fewer distinct points
	MaxIter          int     // at least 0
	Tol              float64 // how little all centres must move for the fit to end, at least 0
	InitMode         string  // "k-means||" or "random"
	InitSteps        int     // of k-means||, at least 1
	DistanceMeasure  string  // "euclidean" or "cosine"
	Solver           string  // "auto", "row" or "block"
	MaxBlockSizeInMB float64 // of stacked rows, at least 0; 0: MLlib chooses
	Seed             int64
}

// NewKMeans returns a KMeans with MLlib's defaults.
func NewKMeans() *KMeans {
	return &KMeans{
		FeaturesCol: "features", PredictionCol: "prediction", K: 2, MaxIter: 20, Tol: 1e-4, InitMode: "k-means||", InitSteps: 2,
		DistanceMeasure: "euclidean", Solver: "auto", Seed: -1689246527,
	}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *KMeans) Validate() error {
	c := checks{operator: "KMeans"}
	c.columns("featuresCol", a.FeaturesCol, "predictionCol", a.PredictionCol)
	atLeast(&c, "k", a.K, 2)
	atLeast(&c, "maxIter", a.MaxIter, 0)
	atLeast(&c, "tol", a.Tol, 0)
	c.oneOf("initMode", a.InitMode, "k-means||", "random")
	atLeast(&c, "initSteps", a.InitSteps, 1)
	c.oneOf("distanceMeasure", a.DistanceMeasure, "euclidean", "cosine")
	c.oneOf("solver", a.Solver, "auto", "row", "block")
	atLeast(&c, "maxBlockSizeInMB", a.MaxBlockSizeInMB, 0)
	return c.err()
}

func (a *KMeans) class() string { return "ml.clustering.KMeans" }

// Fit trains on the cluster.
func (a *KMeans) Fit(ctx context.Context, s *spark.Session, data sql.DataFrame) (*KMeansModel, error) {
	return fit(ctx, s, a, data, kMeansModel, newKMeansModel)
}

func (a *KMeans) stage(ctx context.Context, s *spark.Session, data sql.DataFrame) (Transformer, error) {
	return a.Fit(ctx, s, data)
}

const kMeansModel = "ml.clustering.KMeansModel"

// KMeansModel is a fitted KMeans. Transform adds the number of the nearest centre.
type KMeansModel struct{ ClusteringModel }

func newKMeansModel(m Model) *KMeansModel { return &KMeansModel{ClusteringModel{m}} }

// BisectingKMeans is org.apache.spark.ml.clustering.BisectingKMeans: it splits clusters in two, the largest first, until there are K
// (Steinbach, Karypis and Kumar 2000).
type BisectingKMeans struct {
	FeaturesCol             string
	PredictionCol           string
	WeightCol               string  `ml:"optional"` // a row's weight; empty: 1
	K                       int     // leaves wanted, at least 2
	MaxIter                 int     // of each split, at least 0
	MinDivisibleClusterSize float64 // rows (from 1) or share of rows (below 1) below which a cluster is not split; above 0
	DistanceMeasure         string  // "euclidean" or "cosine"
	Seed                    int64
}

// NewBisectingKMeans returns a BisectingKMeans with MLlib's defaults.
func NewBisectingKMeans() *BisectingKMeans {
	return &BisectingKMeans{
		FeaturesCol: "features", PredictionCol: "prediction", K: 4, MaxIter: 20, MinDivisibleClusterSize: 1, DistanceMeasure: "euclidean", Seed: 566573821,
	}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *BisectingKMeans) Validate() error {
	c := checks{operator: "BisectingKMeans"}
	c.columns("featuresCol", a.FeaturesCol, "predictionCol", a.PredictionCol)
	atLeast(&c, "k", a.K, 2)
	atLeast(&c, "maxIter", a.MaxIter, 0)
	c.finite("minDivisibleClusterSize", a.MinDivisibleClusterSize)
	c.that(!(a.MinDivisibleClusterSize <= 0), "minDivisibleClusterSize", a.MinDivisibleClusterSize, "must be above 0")
	c.oneOf("distanceMeasure", a.DistanceMeasure, "euclidean", "cosine")
	return c.err()
}

func (a *BisectingKMeans) class() string { return "ml.clustering.BisectingKMeans" }

// Fit trains on the cluster.
func (a *BisectingKMeans) Fit(ctx context.Context, s *spark.Session, data sql.DataFrame) (*BisectingKMeansModel, error) {
	return fit(ctx, s, a, data, bisectingKMeansModel, newBisectingKMeansModel)
}

func (a *BisectingKMeans) stage(ctx context.Context, s *spark.Session, data sql.DataFrame) (Transformer, error) {
	return a.Fit(ctx, s, data)
}

const bisectingKMeansModel = "ml.clustering.BisectingKMeansModel"

// BisectingKMeansModel is a fitted BisectingKMeans. Transform adds the number of the leaf that a row falls into.
type BisectingKMeansModel struct{ ClusteringModel }

func newBisectingKMeansModel(m Model) *BisectingKMeansModel {
	return &BisectingKMeansModel{ClusteringModel{m}}
}

// ClusteringModel is what KMeansModel and BisectingKMeansModel share.
type ClusteringModel struct{ Model }

// ClusterCenters has a row for each cluster, in the order of the clusters' numbers.
func (m *ClusteringModel) ClusterCenters(ctx context.Context) ([][]float64, error) {
	return fetch(ctx, &m.Model, asRows, "clusterCenterMatrix")
}

// NumFeatures is the length of the feature vectors.
func (m *ClusteringModel) NumFeatures(ctx context.Context) (int, error) {
	return fetch(ctx, &m.Model, asInt, "numFeatures")
}

// HasSummary is true of a model that this session fitted, false of one that was read.
func (m *ClusteringModel) HasSummary(ctx context.Context) (bool, error) {
	return fetch(ctx, &m.Model, asBool, "hasSummary")
}

// Summary gives figures of the fit on its training data, where HasSummary.
func (m *ClusteringModel) Summary() *ClusteringSummary { return &ClusteringSummary{&m.Model} }

// ClusteringSummary asks the server for each figure.
type ClusteringSummary struct{ model *Model }

// TrainingCost is the sum of the squared distances of all rows to their centres, by weight.
func (s *ClusteringSummary) TrainingCost(ctx context.Context) (float64, error) {
	return fetch(ctx, s.model, asFloat, "summary", "trainingCost")
}

// ClusterSizes counts each cluster's rows.
func (s *ClusteringSummary) ClusterSizes(ctx context.Context) ([]int64, error) {
	return fetch(ctx, s.model, asArray(asLong), "summary", "clusterSizes")
}

// NumIter is how many iterations were made.
func (s *ClusteringSummary) NumIter(ctx context.Context) (int, error) {
	return fetch(ctx, s.model, asInt, "summary", "numIter")
}
