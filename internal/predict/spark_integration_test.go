//go:build integration

package predict

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"cartwheel/internal/spark"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// rows is how many rows each model is asked about.
const rows = 10_000

// asked has the columns id, label, w and features; features holds large and small numbers, whole ones that thresholds fall upon, one
// that never varies, and one that says nothing.
func asked(t *testing.T) (*spark.Session, sql.DataFrame) {
	t.Helper()
	s := sparktest.Open(t)
	ctx := t.Context()
	df, err := s.Sql(ctx, `SELECT id, double(a + 0.1 * b + c / 5e5 + 0.3 * d > 1.5) label, 0.5 + w w, a, b, c, d, 7D e FROM
		(SELECT id, rand(1) w, rand(2) a, double(floor(rand(3) * 12)) b, exp(randn(4) * 3) * 1e4 c, randn(5) d FROM range(10000))`)
	if err == nil {
		va := sparkml.NewVectorAssembler()
		va.InputCols, va.OutputCol = []string{"a", "b", "c", "d", "e"}, "features"
		df, err = va.Transform(ctx, s, df)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, df
}

type fitted interface {
	Write(ctx context.Context, path string) error
	Transform(ctx context.Context, data sql.DataFrame) (sql.DataFrame, error)
}

// written writes the model and what it makes of every row, and returns the folders of both.
func written(t *testing.T, m fitted, data sql.DataFrame, columns ...string) (model, table string) {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	model = filepath.Join(dir, "model")
	if err := m.Write(ctx, model); err != nil {
		t.Fatal(err)
	}
	df, err := m.Transform(ctx, data)
	if err == nil {
		df, err = df.SelectExpr(ctx, columns...)
	}
	if err == nil {
		err = df.Write().Format("parquet").Save(ctx, filepath.Join(dir, "told/table"))
	}
	if err != nil {
		t.Fatal(spark.Explain(err))
	}
	return model, filepath.Join(dir, "told")
}

// told reads what Spark made of the rows.
func told[T any](t *testing.T, dir string) []T {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	all, err := readTable[T](&folder{root: root}, "table")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != rows {
		t.Fatalf("Spark told of %d rows, not %d", len(all), rows)
	}
	return all
}

func TestClassifiersAgreeWithSpark(t *testing.T) {
	s, data := asked(t)
	ctx := t.Context()
	lr := sparkml.NewLogisticRegression()
	lr.WeightCol, lr.RegParam = "w", 0.01
	lasso := sparkml.NewLogisticRegression() // leaves coefficients out, which Spark then writes as a sparse matrix
	lasso.RegParam, lasso.ElasticNetParam = 0.03, 1
	rf := sparkml.NewRandomForestClassifier()
	rf.WeightCol, rf.MaxDepth = "w", 8
	gbt := sparkml.NewGBTClassifier()
	gbt.WeightCol, gbt.MaxIter = "w", 10
	for name, fit := range map[string]func() (fitted, error){
		"logistic regression":        func() (fitted, error) { return lr.Fit(ctx, s, data) },
		"sparse logistic regression": func() (fitted, error) { return lasso.Fit(ctx, s, data) },
		"random forest":              func() (fitted, error) { return rf.Fit(ctx, s, data) },
		"gradient-boosted trees":     func() (fitted, error) { return gbt.Fit(ctx, s, data) },
	} {
		t.Run(name, func(t *testing.T) {
			m, err := fit()
			if err != nil {
				t.Fatal(err)
			}
			dir, table := written(t, m, data, "features", "probability", "prediction")
			ours, err := LoadClassifier(dir)
			if err != nil {
				t.Fatal(err)
			}
			distinct := map[float64]bool{}
			for _, row := range told[struct {
				Features    vector  `parquet:"features,optional"`
				Probability vector  `parquet:"probability,optional"`
				Prediction  float64 `parquet:"prediction"`
			}](t, table) {
				features, err := row.Features.dense("features", 5)
				if err != nil {
					t.Fatal(err)
				}
				probability, err := row.Probability.dense("probability", 2)
				if err != nil {
					t.Fatal(err)
				}
				got := ours.Probability(features)
				if want := probability[1]; !(math.Abs(got-want) <= 1e-9*math.Abs(want)) || (got > 0.5) != (row.Prediction == 1) {
					t.Fatalf("%v: %v, by Spark %v and class %v", features, got, want, row.Prediction)
				}
				distinct[got] = true
			}
			if len(distinct) < 20 {
				t.Errorf("only %d different probabilities: the model says too little to be compared", len(distinct))
			}
		})
	}
}

func TestKMeansAndScalerAgreeWithSpark(t *testing.T) {
	s, data := asked(t)
	ctx := t.Context()
	scaler := sparkml.NewStandardScaler()
	scaler.InputCol, scaler.OutputCol, scaler.WithMean = "features", "scaled", true
	fittedScaler, err := scaler.Fit(ctx, s, data)
	if err != nil {
		t.Fatal(err)
	}
	scaled, err := fittedScaler.Transform(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	kmeans := sparkml.NewKMeans()
	kmeans.FeaturesCol, kmeans.K = "scaled", 7
	fittedKMeans, err := kmeans.Fit(ctx, s, scaled)
	if err != nil {
		t.Fatal(err)
	}
	scalerDir, _ := written(t, fittedScaler, data, "id")
	kmeansDir, table := written(t, fittedKMeans, scaled, "features", "scaled", "prediction")
	ourScaler, err := LoadScaler(scalerDir)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := LoadKMeans(kmeansDir)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[int]int{}
	for _, row := range told[struct {
		Features   vector `parquet:"features,optional"`
		Scaled     vector `parquet:"scaled,optional"`
		Prediction int32  `parquet:"prediction"`
	}](t, table) {
		features, err := row.Features.dense("features", 5)
		if err != nil {
			t.Fatal(err)
		}
		want, err := row.Scaled.dense("scaled", 5)
		if err != nil {
			t.Fatal(err)
		}
		got := append([]float64(nil), features...)
		ourScaler.Scale(got)
		for i := range got {
			if !(math.Abs(got[i]-want[i]) <= 1e-9*math.Abs(want[i])) { // a NaN, too
				t.Fatalf("%v scaled is %v, by Spark %v", features, got, want)
			}
		}
		cluster := ours.Predict(got)
		if cluster != int(row.Prediction) {
			t.Fatalf("%v is in cluster %d, by Spark in %d", features, cluster, row.Prediction)
		}
		sizes[cluster]++
	}
	if len(sizes) != 7 {
		t.Errorf("%d clusters have rows, want 7", len(sizes))
	}
}
