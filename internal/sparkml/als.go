package sparkml

import (
	"context"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// ALS is org.apache.spark.ml.recommendation.ALS: matrix factorisation by alternating least squares, for explicit ratings or, with
// ImplicitPrefs, for implicit feedback after Hu, Koren and Volinsky (2008), regularised as in Zhou et al. (2008): RegParam is scaled
// by the number of positive ratings of the row being solved.
// Fields have MLlib's names; NewALS sets MLlib's defaults.
type ALS struct {
	Rank                     int     // length of a factor, at least 1
	MaxIter                  int     // sweeps over users and items, at least 0
	RegParam                 float64 // at least 0
	Alpha                    float64 // confidence per unit of implicit rating, at least 0
	ImplicitPrefs            bool
	Nonnegative              bool
	UserCol                  string // 32-bit whole numbers, of any numeric type
	ItemCol                  string // likewise
	RatingCol                string // float; empty: every rating is 1
	PredictionCol            string
	NumUserBlocks            int    // at least 1; about the number of cores is right for small clusters
	NumItemBlocks            int    // at least 1
	CheckpointInterval       int    // at least 1, or -1 for never
	ColdStartStrategy        string // "nan" or "drop"
	Seed                     int64
	IntermediateStorageLevel string // storage level of the blocks, such as MEMORY_AND_DISK; not NONE
	FinalStorageLevel        string // storage level of the factors
	BlockSize                int    // rows that a recommendation for all stacks into one matrix product, at least 1
}

// NewALS returns an ALS with MLlib's defaults.
func NewALS() *ALS {
	return &ALS{
		Rank: 10, MaxIter: 10, RegParam: 0.1, Alpha: 1,
		UserCol: "user", ItemCol: "item", RatingCol: "rating", PredictionCol: "prediction",
		NumUserBlocks: 10, NumItemBlocks: 10, CheckpointInterval: 10, ColdStartStrategy: "nan",
		Seed: 1994790107, IntermediateStorageLevel: "MEMORY_AND_DISK", FinalStorageLevel: "MEMORY_AND_DISK", BlockSize: 4096,
	}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *ALS) Validate() error {
	c := checks{operator: "ALS"}
	atLeast(&c, "rank", a.Rank, 1)
	atLeast(&c, "maxIter", a.MaxIter, 0)
	atLeast(&c, "regParam", a.RegParam, 0)
	atLeast(&c, "alpha", a.Alpha, 0)
	c.columns("userCol", a.UserCol, "itemCol", a.ItemCol)
	atLeast(&c, "numUserBlocks", a.NumUserBlocks, 1)
	atLeast(&c, "numItemBlocks", a.NumItemBlocks, 1)
	c.that(a.CheckpointInterval == -1 || a.CheckpointInterval >= 1, "checkpointInterval", a.CheckpointInterval, "must be at least 1, or -1")
	c.oneOfFold("coldStartStrategy", a.ColdStartStrategy, "nan", "drop")
	c.oneOf("intermediateStorageLevel", a.IntermediateStorageLevel, storageLevels...)
	c.oneOf("finalStorageLevel", a.FinalStorageLevel, append([]string{"NONE"}, storageLevels...)...)
	atLeast(&c, "blockSize", a.BlockSize, 1)
	return c.err()
}

// storageLevels are Spark's, without NONE.
var storageLevels = []string{
	"DISK_ONLY", "DISK_ONLY_2", "DISK_ONLY_3", "MEMORY_ONLY", "MEMORY_ONLY_2", "MEMORY_ONLY_SER", "MEMORY_ONLY_SER_2",
	"MEMORY_AND_DISK", "MEMORY_AND_DISK_2", "MEMORY_AND_DISK_SER", "MEMORY_AND_DISK_SER_2", "OFF_HEAP",
}

func (a *ALS) class() string { return "ml.recommendation.ALS" }

// Fit trains on the cluster. ratings has the columns that the fields name.
func (a *ALS) Fit(ctx context.Context, s *spark.Session, ratings sql.DataFrame) (*ALSModel, error) {
	return fit(ctx, s, a, ratings, alsModel, newALSModel)
}

func (a *ALS) stage(ctx context.Context, s *spark.Session, data sql.DataFrame) (Transformer, error) {
	return a.Fit(ctx, s, data)
}

const alsModel = "ml.recommendation.ALSModel"

// ALSModel is a fitted ALS. Transform adds the prediction column: the inner product of the user's and the item's factors.
type ALSModel struct{ Model }

func newALSModel(m Model) *ALSModel { return &ALSModel{m} }

// Rank is the length of a factor.
func (m *ALSModel) Rank(ctx context.Context) (int, error) { return fetch(ctx, &m.Model, asInt, "rank") }

// UserFactors has the columns id (int) and features (array of float, as long as the rank).
func (m *ALSModel) UserFactors(ctx context.Context) (sql.DataFrame, error) {
	return m.frame(ctx, fields{"method": "userFactors"})
}

// ItemFactors has the columns id (int) and features (array of float, as long as the rank).
func (m *ALSModel) ItemFactors(ctx context.Context) (sql.DataFrame, error) {
	return m.frame(ctx, fields{"method": "itemFactors"})
}

// RecommendForAllUsers has, for every user, the n items of highest prediction: the columns are UserCol and recommendations, an array
// of structs of ItemCol and rating, best first.
func (m *ALSModel) RecommendForAllUsers(ctx context.Context, n int) (sql.DataFrame, error) {
	return m.recommend(ctx, "recommendForAllUsers", n)
}

// RecommendForAllItems has, for every item, the n users of highest prediction: the columns are ItemCol and recommendations, an array of
// structs of UserCol and rating, best first.
func (m *ALSModel) RecommendForAllItems(ctx context.Context, n int) (sql.DataFrame, error) {
	return m.recommend(ctx, "recommendForAllItems", n)
}

// RecommendForUserSubset is RecommendForAllUsers for the users in users' column UserCol.
func (m *ALSModel) RecommendForUserSubset(ctx context.Context, users sql.DataFrame, n int) (sql.DataFrame, error) {
	return m.recommendSubset(ctx, "recommendForUserSubset", users, n)
}

// RecommendForItemSubset is RecommendForAllItems for the items in items' column ItemCol.
func (m *ALSModel) RecommendForItemSubset(ctx context.Context, items sql.DataFrame, n int) (sql.DataFrame, error) {
	return m.recommendSubset(ctx, "recommendForItemSubset", items, n)
}

func (m *ALSModel) recommend(ctx context.Context, method string, n int, before ...fields) (sql.DataFrame, error) {
	c := checks{operator: "ALSModel"}
	if atLeast(&c, method, n, 1); c.err() != nil {
		return nil, c.err()
	}
	return m.frame(ctx, fields{"method": method, "args": append(before, fields{"param": fields{"integer": n}})})
}

func (m *ALSModel) recommendSubset(ctx context.Context, method string, of sql.DataFrame, n int) (sql.DataFrame, error) {
	input, release, err := relation(ctx, m.session, of)
	if err != nil {
		return nil, err
	}
	defer release()
	return m.recommend(ctx, method, n, fields{"input": input})
}
