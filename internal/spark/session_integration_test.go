//go:build integration

package spark

import (
	"context"
	"errors"
	"os"
	"testing"
)

func open(t *testing.T) *Session {
	t.Helper()
	remote := os.Getenv("SPARK_REMOTE")
	if remote == "" {
		t.Fatal("SPARK_REMOTE is not set: integration tests need a real cluster (make test brings one)")
	}
	s, err := Connect(t.Context(), remote)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gone wants the server to know nothing any more of the session of that id.
func gone(t *testing.T, s *Session, id string) {
	t.Helper()
	again := &builder{BaseBuilder: s.builder.BaseBuilder, id: id}
	conn, err := again.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = (&Session{builder: again}).call(t.Context(), "AnalyzePlan", fields{"sparkVersion": fields{}})
	var e *Error
	if !errors.As(err, &e) || e.Class != "INVALID_HANDLE.SESSION_CLOSED" {
		t.Errorf("a call of the session that has ended: %v (%+v), want Spark's INVALID_HANDLE.SESSION_CLOSED", err, e)
	}
}

func TestCloseReleasesTheSessionOnTheServer(t *testing.T) {
	t.Parallel()
	s := open(t)
	df, err := s.Sql(t.Context(), "SELECT * FROM range(3)")
	if err == nil {
		_, err = df.Count(t.Context())
	}
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	gone(t, s, s.ID())
}

// TestEvictEndsAnotherSession evicts one in the midst of a job that would run for a quarter of an hour.
func TestEvictEndsAnotherSession(t *testing.T) {
	t.Parallel()
	s, other := open(t), open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		_ = other.builder.conn.Close() // its session is gone
	})
	evicted := false
	ctx := WithProgress(t.Context(), func(p Progress) {
		if p.InFlight > 0 && !evicted {
			evicted = true
			if err := s.Evict(t.Context(), other.ID()); err != nil {
				t.Error(err)
			}
		}
	})
	df, err := other.Sql(ctx, "SELECT java_method('java.lang.Thread', 'sleep', 100L) FROM range(0, 10000, 1, 1)")
	if err == nil {
		_, err = df.Collect(ctx)
	}
	if !evicted || err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("evicted: %v; the job of the other session ended with %v", evicted, err)
	}
	gone(t, s, other.ID())
	if err := s.Evict(t.Context(), "00000000-0000-4000-8000-000000000000"); err != nil {
		t.Errorf("a session that nobody knows: %v", err)
	}
}
