// Package sparktest gives integration tests a session on the real cluster that the environment names.
package sparktest

import (
	"os"
	"testing"

	"github.com/apache/spark-connect-go/v40/spark/sql"

	"cartwheel/internal/spark"
)

// Open connects to the Spark Connect server that the test run has brought up, until the test ends.
func Open(t testing.TB) *spark.Session {
	t.Helper()
	remote := os.Getenv("SPARK_REMOTE")
	if remote == "" {
		t.Fatal("SPARK_REMOTE is not set: integration tests need a real cluster (make test brings one)")
	}
	s, err := spark.Connect(t.Context(), remote)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the session: %v", err)
		}
	})
	return s
}

// Rows are all rows of a frame, by their columns' names, unless there was an error on the way to it.
func Rows(t testing.TB, df sql.DataFrame, err error) (rows []map[string]any) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	all, err := df.Collect(t.Context())
	if err != nil {
		t.Fatal(spark.Explain(err))
	}
	for _, row := range all {
		values := map[string]any{}
		for _, name := range row.FieldNames() {
			values[name] = row.Value(name)
		}
		rows = append(rows, values)
	}
	return rows
}
