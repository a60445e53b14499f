// Package sparktest gives integration tests a session on the real cluster that the environment names.
package sparktest

import (
	"os"
	"testing"

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
