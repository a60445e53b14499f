package purchase

import (
	"context"
	"fmt"
	"math"
	"strings"

	"cartwheel/internal/features"
	"cartwheel/internal/spark"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/apache/spark-connect-go/v40/spark/sql/column"
	"github.com/apache/spark-connect-go/v40/spark/sql/functions"
)

// fitted is a model on the cluster.
type fitted interface {
	Write(ctx context.Context, path string) error
	Delete(ctx context.Context) error
}

// kind is a kind of model that competes.
type kind struct {
	name  string // MLlib's, of the estimator
	log1p bool   // takes log(1 + feature): a linear model cannot bend what counts bend; a tree asks only for the order
	fit   func(ctx context.Context, s *spark.Session, data sql.DataFrame, seed int64) (fitted, error)
}

// leaf is how many visitors a tree's leaf has at least: fewer say nothing where few buy.
const leaf = 20

var kinds = []kind{
	{"LogisticRegression", true, func(ctx context.Context, s *spark.Session, data sql.DataFrame, _ int64) (fitted, error) {
		lr := sparkml.NewLogisticRegression()
		lr.WeightCol, lr.RegParam = "weight", 0.001
		return lr.Fit(ctx, s, data)
	}},
	{"RandomForestClassifier", false, func(ctx context.Context, s *spark.Session, data sql.DataFrame, seed int64) (fitted, error) {
		rf := sparkml.NewRandomForestClassifier()
		rf.WeightCol, rf.NumTrees, rf.MaxDepth, rf.MinInstancesPerNode, rf.Seed = "weight", 20, 5, leaf, seed
		return rf.Fit(ctx, s, data)
	}},
	{"GBTClassifier", false, func(ctx context.Context, s *spark.Session, data sql.DataFrame, seed int64) (fitted, error) {
		gbt := sparkml.NewGBTClassifier()
		gbt.WeightCol, gbt.MaxIter, gbt.MaxDepth, gbt.MinInstancesPerNode, gbt.Seed = "weight", 20, 3, leaf, seed
		return gbt.Fit(ctx, s, data)
	}},
}

// input is what a model of this kind takes of a visitor's features.
func (k kind) input(row []float64) []float64 {
	if !k.log1p {
		return row
	}
	logs := make([]float64, len(row))
	for i, v := range row {
		logs[i] = math.Log1p(v)
	}
	return logs
}

// fit trains on the plan's earlier moments and writes the model to a path, as the cluster sees it. Few visitors buy: each class gets
// half of the weight, and calibration takes that back.
func (j *Job) fit(ctx context.Context, k kind, c *cases, p plan, to string) (fitted, error) {
	var ats []string
	for _, w := range p.train {
		ats = append(ats, fmt.Sprint(w.At))
	}
	t := c.sum(p.train...)
	all := t.onesWeight + t.zerosWeight
	columns := []string{"label", fmt.Sprintf("weight * IF(label = 1, %vD, %vD) weight", all/2/t.onesWeight, all/2/t.zerosWeight)}
	for i, name := range features.VisitorNames() {
		column := fmt.Sprintf("features[%d]", i)
		if k.log1p {
			column = "log1p(" + column + ")"
		}
		columns = append(columns, column+" "+name)
	}
	data, err := c.frame.Where(ctx, "at IN ("+strings.Join(ats, ", ")+")")
	if err == nil {
		data, err = data.SelectExpr(ctx, columns...)
	}
	if err != nil {
		return nil, fmt.Errorf("choosing visitors to train on: %w", spark.Explain(err))
	}
	assembler := sparkml.NewVectorAssembler()
	assembler.InputCols, assembler.OutputCol = features.VisitorNames(), "features"
	if data, err = assembler.Transform(ctx, j.Session, data.Coalesce(ctx, j.Partitions)); err != nil {
		return nil, err
	}
	m, err := k.fit(ctx, j.Session, data, j.Seed)
	if err != nil {
		return nil, err
	}
	if err := m.Write(ctx, to); err != nil {
		return nil, err
	}
	return m, nil
}

func col(name string) column.Column { return functions.Col(name) }

func expr(sql, name string) column.Alias { return column.WithAlias(name, functions.Expr(sql)) }
