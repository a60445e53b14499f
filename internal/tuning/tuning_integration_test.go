//go:build integration

package tuning

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"cartwheel/internal/synthetic"
	"cartwheel/internal/synthetic/synthetictest"
)

// cancelAfter ends a search, as a signal does, after it has told of so many trials.
type cancelAfter struct {
	bytes.Buffer
	trials int
	cancel context.CancelFunc
}

func (c *cancelAfter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "trial") {
		if c.trials--; c.trials == 0 {
			c.cancel()
		}
	}
	return c.Buffer.Write(p)
}

func TestSearchOnSparkGoesOnWhereItWasKilled(t *testing.T) {
	remote := os.Getenv("SPARK_REMOTE")
	if remote == "" {
		t.Fatal("SPARK_REMOTE is not set: integration tests need a real cluster (make test brings one)")
	}
	data := t.TempDir()
	if _, err := synthetictest.WriteBatches(t.Context(), data, settings(), 2000); err != nil {
		t.Fatal(err)
	}
	args := func(name string) []string {
		return []string{"--spark-remote", remote, "--data-dir", data, "--name", name, "--trials", "2", "--rank", "4:8", "--iterations", "2:4"}
	}
	tune := func(ctx context.Context, out *cancelAfter, name string, want int) {
		t.Helper()
		var stderr bytes.Buffer
		if code := Main(ctx, args(name), func(string) string { return "" }, out, &stderr); code != want {
			t.Fatalf("%s: exit code %d, want %d\n%s%s", name, code, want, out, &stderr)
		}
	}
	var told cancelAfter
	tune(t.Context(), &told, "whole", 0)
	if !strings.Contains(told.String(), "train with: go run ./sparkjobs/train --rank ") {
		t.Errorf("no flags were told:\n%s", &told)
	}
	ctx, cancel := context.WithCancel(t.Context())
	tune(ctx, &cancelAfter{trials: 1, cancel: cancel}, "parts", 1)
	// Events that come in between must not make the rest of the search another one.
	more := settings()
	more.Seed++
	if _, err := synthetictest.WriteBatches(t.Context(), filepath.Join(data, "more"), more, 2000); err != nil {
		t.Fatal(err)
	}
	if err := synthetictest.Copy(data, filepath.Join(data, "more"), 0, 1); err != nil {
		t.Fatal(err)
	}
	tune(t.Context(), &cancelAfter{}, "parts", 0)

	whole, parts := rowsOf(t, filepath.Join(data, "tuning", "whole")), rowsOf(t, filepath.Join(data, "tuning", "parts"))
	if len(whole) != len(parts) || len(whole) != 1+2+1+1 {
		t.Fatalf("%d and %d rows, want 5", len(whole), len(parts))
	}
	for i := range whole {
		for k := range whole[i] {
			a, errA := strconv.ParseFloat(whole[i][k], 64)
			b, errB := strconv.ParseFloat(parts[i][k], 64)
			// Spark sums in the order in which tasks end, so the last digits of a model, and now and then a place in an answer, differ.
			if errA != nil || errB != nil {
				if whole[i][k] != parts[i][k] {
					t.Errorf("row %d: %q and %q", i, whole[i][k], parts[i][k])
				}
			} else if math.Abs(a-b) > 0.005 {
				t.Errorf("row %d, %s: %v and %v", i, whole[0][k], a, b)
			}
		}
	}
	for _, name := range []string{"whole", "parts"} {
		if _, err := os.Stat(filepath.Join(data, "tuning", name, "work")); !os.IsNotExist(err) {
			t.Errorf("%s: the events were left behind: %v", name, err)
		}
	}
	var again cancelAfter
	tune(t.Context(), &again, "whole", 0)
	if strings.Contains(again.String(), "rung") {
		t.Errorf("a search that was done measured again:\n%s", &again)
	}
}

func settings() synthetic.Settings { return synthetic.Settings{Events: 6_000, Seed: 3} }
