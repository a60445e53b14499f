//go:build integration

package sparkml_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/spark"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

func assemble(t *testing.T, s *spark.Session, data sql.DataFrame, columns ...string) sql.DataFrame {
	t.Helper()
	a := sparkml.NewVectorAssembler()
	a.InputCols, a.OutputCol = columns, "features"
	return must(a.Transform(t.Context(), s, data))(t)
}

// vectors reads a column of vectors, in the order of the column id.
func vectors(t *testing.T, s *spark.Session, df sql.DataFrame, column string) [][]float64 {
	t.Helper()
	df = must(sparkml.VectorToArray(t.Context(), s, df, column, "as_array"))(t)
	got := rows(t, df, "id", "as_array")
	slices.SortFunc(got, func(a, b []any) int { return int(a[0].(int64) - b[0].(int64)) })
	all := make([][]float64, len(got))
	for i, row := range got {
		for _, v := range row[1].([]any) {
			all[i] = append(all[i], v.(float64))
		}
	}
	return all
}

func TestScalers(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	// x is 0, 2, 4 (mean 2, deviation 2), y is always 5.
	data := assemble(t, s, must(s.Sql(ctx, `SELECT id, 2.0 * id x, 5 y FROM range(3)`))(t), "x", "y")

	standard := sparkml.NewStandardScaler()
	standard.InputCol, standard.OutputCol, standard.WithMean = "features", "scaled", true
	model := must(standard.Fit(ctx, s, data))(t)
	if mean := must(model.Mean(ctx))(t); !near(mean, []float64{2, 5}) {
		t.Errorf("mean %v", mean)
	}
	if std := must(model.Std(ctx))(t); !near(std, []float64{2, 0}) {
		t.Errorf("std %v", std)
	}
	if got := vectors(t, s, must(model.Transform(ctx, data))(t), "scaled"); !reflect.DeepEqual(got, [][]float64{{-1, 0}, {0, 0}, {1, 0}}) {
		t.Errorf("standardised: %v", got)
	}

	minMax := sparkml.NewMinMaxScaler()
	minMax.InputCol, minMax.OutputCol, minMax.Min, minMax.Max = "features", "scaled", -1, 3
	ranged := must(minMax.Fit(ctx, s, data))(t)
	if low, high := must(ranged.OriginalMin(ctx))(t), must(ranged.OriginalMax(ctx))(t); !near(low, []float64{0, 5}) || !near(high, []float64{4, 5}) {
		t.Errorf("original range from %v to %v", low, high)
	}
	if got := vectors(t, s, must(ranged.Transform(ctx, data))(t), "scaled"); !reflect.DeepEqual(got, [][]float64{{-1, 1}, {1, 1}, {3, 1}}) {
		t.Errorf("moved to the range from -1 to 3: %v", got)
	}
}

func TestVectorAssemblerHandlesInvalid(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := must(s.Sql(ctx, `SELECT id, IF(id = 1, NULL, double(id)) x FROM range(3)`))(t)
	a := sparkml.NewVectorAssembler()
	a.InputCols, a.OutputCol = []string{"x"}, "v"
	if _, err := must(a.Transform(ctx, s, data))(t).Collect(ctx); err == nil || !strings.Contains(err.Error(), "null") {
		t.Errorf("a null with handleInvalid=error: %v", err)
	}
	a.HandleInvalid = "skip"
	if got := vectors(t, s, must(a.Transform(ctx, s, data))(t), "v"); !reflect.DeepEqual(got, [][]float64{{0}, {2}}) {
		t.Errorf("skipped: %v", got)
	}
	a.HandleInvalid = "keep"
	if got := vectors(t, s, must(a.Transform(ctx, s, data))(t), "v"); len(got) != 3 || !math.IsNaN(got[1][0]) {
		t.Errorf("kept: %v", got)
	}
}

func TestStringIndexer(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := must(s.Sql(ctx, `SELECT * FROM VALUES ('b', 'x'), ('b', 'y'), ('a', 'x'), ('b', 'x') AS t(first, second)`))(t)
	one := sparkml.NewStringIndexer()
	one.InputCol, one.OutputCol, one.HandleInvalid = "first", "n", "keep"
	model := must(one.Fit(ctx, s, data))(t)
	if got := must(model.LabelsArray(ctx))(t); !reflect.DeepEqual(got, [][]string{{"b", "a"}}) {
		t.Errorf("labels by frequency: %v", got)
	}
	unseen := must(s.Sql(ctx, `SELECT * FROM VALUES ('a'), ('b'), ('c') AS t(first)`))(t)
	if got := rows(t, must(model.Transform(ctx, unseen))(t), "n"); !reflect.DeepEqual(got, [][]any{{1.0}, {0.0}, {2.0}}) {
		t.Errorf("a, b and the unknown c become %v", got)
	}

	two := sparkml.NewStringIndexer()
	two.InputCols, two.OutputCols, two.StringOrderType = []string{"first", "second"}, []string{"n", "m"}, "alphabetAsc"
	both := must(two.Fit(ctx, s, data))(t)
	if got := must(both.LabelsArray(ctx))(t); !reflect.DeepEqual(got, [][]string{{"a", "b"}, {"x", "y"}}) {
		t.Errorf("labels of two columns by alphabet: %v", got)
	}
	if got := rows(t, must(both.Transform(ctx, data))(t), "n", "m"); !reflect.DeepEqual(got, [][]any{{1.0, 0.0}, {1.0, 1.0}, {0.0, 0.0}, {1.0, 0.0}}) {
		t.Errorf("two columns become %v", got)
	}
}

func TestVectorsAndArrays(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := must(s.Sql(ctx, `SELECT id, array(double(id), 0.5D) a FROM range(2)`))(t)
	data = must(sparkml.ArrayToVector(ctx, s, data, "a", "v"))(t)
	if got := vectors(t, s, data, "v"); !reflect.DeepEqual(got, [][]float64{{0, 0.5}, {1, 0.5}}) {
		t.Errorf("to vectors and back: %v", got)
	}
}
