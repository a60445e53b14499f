package sparkml

import (
	"context"
	"fmt"

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
}

const alsClass = "org.apache.spark.ml.recommendation.ALS"

// NewALS returns an ALS with MLlib's defaults.
func NewALS() *ALS {
	return &ALS{
		Rank: 10, MaxIter: 10, RegParam: 0.1, Alpha: 1,
		UserCol: "user", ItemCol: "item", RatingCol: "rating", PredictionCol: "prediction",
		NumUserBlocks: 10, NumItemBlocks: 10, CheckpointInterval: 10, ColdStartStrategy: "nan",
		Seed: 1994790107, IntermediateStorageLevel: "MEMORY_AND_DISK", FinalStorageLevel: "MEMORY_AND_DISK",
	}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *ALS) Validate() error {
	c := checks{operator: "ALS"}
	c.that(a.Rank >= 1, "rank", a.Rank, "must be at least 1")
	c.that(a.MaxIter >= 0, "maxIter", a.MaxIter, "must be at least 0")
	c.that(finite(a.RegParam) && a.RegParam >= 0, "regParam", a.RegParam, "must be a number of at least 0")
	c.that(finite(a.Alpha) && a.Alpha >= 0, "alpha", a.Alpha, "must be a number of at least 0")
	c.that(a.UserCol != "", "userCol", `""`, "must name a column")
	c.that(a.ItemCol != "", "itemCol", `""`, "must name a column")
	c.that(a.NumUserBlocks >= 1, "numUserBlocks", a.NumUserBlocks, "must be at least 1")
	c.that(a.NumItemBlocks >= 1, "numItemBlocks", a.NumItemBlocks, "must be at least 1")
	c.that(a.CheckpointInterval == -1 || a.CheckpointInterval >= 1, "checkpointInterval", a.CheckpointInterval, "must be at least 1, or -1")
	c.that(a.ColdStartStrategy == "nan" || a.ColdStartStrategy == "drop", "coldStartStrategy", a.ColdStartStrategy, `must be "nan" or "drop"`)
	c.that(a.IntermediateStorageLevel != "NONE", "intermediateStorageLevel", a.IntermediateStorageLevel, "must not be NONE")
	return c.err()
}

func (a *ALS) params() fields {
	return fields{
		"rank": intParam(a.Rank), "maxIter": intParam(a.MaxIter), "regParam": doubleParam(a.RegParam), "alpha": doubleParam(a.Alpha),
		"implicitPrefs": boolParam(a.ImplicitPrefs), "nonnegative": boolParam(a.Nonnegative),
		"userCol": stringParam(a.UserCol), "itemCol": stringParam(a.ItemCol), "ratingCol": stringParam(a.RatingCol),
		"predictionCol": stringParam(a.PredictionCol), "numUserBlocks": intParam(a.NumUserBlocks), "numItemBlocks": intParam(a.NumItemBlocks),
		"checkpointInterval": intParam(a.CheckpointInterval), "coldStartStrategy": stringParam(a.ColdStartStrategy), "seed": longParam(a.Seed),
		"intermediateStorageLevel": stringParam(a.IntermediateStorageLevel), "finalStorageLevel": stringParam(a.FinalStorageLevel),
	}
}

// Fit trains on the cluster. ratings has the columns that the fields name.
func (a *ALS) Fit(ctx context.Context, s *spark.Session, ratings sql.DataFrame) (*ALSModel, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	o, err := fit(ctx, s, alsClass, a.params(), ratings)
	if err != nil {
		return nil, err
	}
	return &ALSModel{object: o}, nil
}

// ALSModel is a fitted ALS, on the server.
type ALSModel struct{ *object }

// Transform adds the prediction column: the inner product of the user's and the item's factors.
func (m *ALSModel) Transform(ctx context.Context, pairs sql.DataFrame) (sql.DataFrame, error) {
	df, err := m.transform(ctx, pairs, fields{})
	if err != nil {
		return nil, fmt.Errorf("transforming by an ALSModel: %w", err)
	}
	return df, nil
}

// UserFactors has the columns id (int) and features (array of float, as long as the rank).
func (m *ALSModel) UserFactors(ctx context.Context) (sql.DataFrame, error) {
	return m.fetch(ctx, "userFactors")
}

// ItemFactors has the columns id (int) and features (array of float, as long as the rank).
func (m *ALSModel) ItemFactors(ctx context.Context) (sql.DataFrame, error) {
	return m.fetch(ctx, "itemFactors")
}
