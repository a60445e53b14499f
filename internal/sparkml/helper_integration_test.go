//go:build integration

package sparkml_test

import (
	"math"
	"testing"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// must is v, or the test's end.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// rows computes the expressions on a DataFrame and returns their values, row by row.
func rows(t *testing.T, df sql.DataFrame, exprs ...string) [][]any {
	t.Helper()
	selected := must(df.SelectExpr(t.Context(), exprs...))(t)
	var all [][]any
	for _, r := range must(selected.Collect(t.Context()))(t) {
		all = append(all, r.Values())
	}
	return all
}

func near(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-9 {
			return false
		}
	}
	return true
}

// blobs has 200 rows: label 0 around (0, 0) and label 1 around (10, 10), features in x, y and the vector features, weight 1 in w.
func blobs(t *testing.T, s *spark.Session) sql.DataFrame {
	t.Helper()
	raw := must(s.Sql(t.Context(), `SELECT id, id % 2 label, 1.0 w, 10 * (id % 2) + sin(id) x, 10 * (id % 2) + cos(3 * id) y FROM range(0, 200, 1, 2)`))(t)
	return assemble(t, s, raw, "x", "y")
}
