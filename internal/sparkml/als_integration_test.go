//go:build integration

package sparkml_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cartwheel/internal/spark"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

func TestALSFindsTheBlocks(t *testing.T) {
	s, ctx := sparktest.Open(t), t.Context()
	// Two groups of users, each with ten items of their own; every user leaves out the item that bears his number modulo ten.
	ratings, err := s.Sql(ctx, `SELECT u.id user, 10 * (u.id % 2) + i.id item, 1.0f rating FROM range(40) u, range(10) i WHERE i.id <> (u.id DIV 2) % 10`)
	if err != nil {
		t.Fatal(err)
	}
	als := sparkml.NewALS()
	als.Rank, als.MaxIter, als.ImplicitPrefs, als.RegParam, als.Alpha, als.NumUserBlocks, als.NumItemBlocks = 2, 10, true, 0.01, 1, 2, 2
	model, err := als.Fit(ctx, s, ratings)
	if err != nil {
		t.Fatal(err)
	}

	pairs, err := s.Sql(ctx, `SELECT u.id user, i.id item FROM range(40) u, range(20) i`)
	if err != nil {
		t.Fatal(err)
	}
	predicted, err := model.Transform(ctx, pairs)
	if err != nil {
		t.Fatal(err)
	}
	bounds, err := predicted.SelectExpr(ctx, "CAST(min(IF(item DIV 10 = user % 2, prediction, 9)) AS double) own", "CAST(max(IF(item DIV 10 = user % 2, -9, prediction)) AS double) other")
	if err != nil {
		t.Fatal(err)
	}
	row, err := bounds.First(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if own, other := row.Value("own").(float64), row.Value("other").(float64); own < 0.7 || other > 0.3 {
		t.Errorf("least prediction in a user's group %v, greatest outside %v; want above 0.7 and below 0.3", own, other)
	}

	for name, fetch := range map[string]struct {
		frame func(context.Context) (n int64, err error)
		want  int64
	}{
		"users": {func(ctx context.Context) (int64, error) {
			df, err := model.UserFactors(ctx)
			if err != nil {
				return 0, err
			}
			return df.Count(ctx)
		}, 40},
		"items": {func(ctx context.Context) (int64, error) {
			df, err := model.ItemFactors(ctx)
			if err != nil {
				return 0, err
			}
			return df.Count(ctx)
		}, 20},
	} {
		if n, err := fetch.frame(ctx); err != nil || n != fetch.want {
			t.Errorf("factors of %s: %d rows, error %v; want %d", name, n, err, fetch.want)
		}
	}

	if rank, err := model.Rank(ctx); err != nil || rank != 2 {
		t.Errorf("rank %d, %v", rank, err)
	}
	some := must(s.Sql(ctx, `SELECT 3 user, 4 item`))(t)
	for name, recommend := range map[string]struct {
		frame sql.DataFrame
		want  int
		key   string
	}{
		"all users": {must(model.RecommendForAllUsers(ctx, 5))(t), 40, "user"},
		"all items": {must(model.RecommendForAllItems(ctx, 5))(t), 20, "item"},
		"one user":  {must(model.RecommendForUserSubset(ctx, some, 5))(t), 1, "user"},
		"one item":  {must(model.RecommendForItemSubset(ctx, some, 5))(t), 1, "item"},
	} {
		got := rows(t, recommend.frame, recommend.key, "size(recommendations) n")
		if len(got) != recommend.want || got[0][1] != int32(5) {
			t.Errorf("recommendations for %s: %d rows, such as %v; want %d of 5 each", name, len(got), got[0], recommend.want)
		}
	}
	if _, err := model.RecommendForAllUsers(ctx, 0); !errors.Is(err, sparkml.ErrParam) {
		t.Errorf("0 recommendations: error %v, want ErrParam", err)
	}

	dir := filepath.Join(t.TempDir(), "als")
	if err := model.Write(ctx, dir); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"metadata", "userFactors", "itemFactors"} {
		if files, _ := filepath.Glob(filepath.Join(dir, part, "part-*")); len(files) == 0 {
			t.Errorf("the saved model has no %s", part)
		}
	}
	if err := model.Write(ctx, dir); err == nil {
		t.Error("writing over a saved model: no error")
	}
	if err := model.Overwrite(ctx, dir); err != nil {
		t.Errorf("overwriting a saved model: %v", err)
	}
	if err := model.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Transform(ctx, pairs); err == nil {
		t.Error("a deleted model still transforms")
	}
}

// TestFitErrorsAreSparks: what Spark says arrives with its class, from the planning of a job and from the midst of one, and no stack trace with it.
func TestFitErrorsAreSparks(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	for _, test := range []struct{ ratings, class, says string }{
		{`SELECT id user, id other, 1.0f rating FROM range(5)`, "UNRESOLVED_COLUMN.WITH_SUGGESTION", "`item`"},
		{`SELECT id user, id item, CAST(concat('x', id) AS float) rating FROM range(5)`, "CAST_INVALID_INPUT", "'x"},
	} {
		ratings := must(s.Sql(ctx, test.ratings))(t)
		_, err := sparkml.NewALS().Fit(ctx, s, ratings)
		var e *spark.Error
		if !errors.As(err, &e) || e.Class != test.class || !strings.Contains(e.Message, test.says) {
			t.Errorf("got %v (%+v), want a *spark.Error of the class %s that names %s", err, e, test.class, test.says)
			continue
		}
		for _, unwanted := range []string{"rpc error", "\tat ", "stacktrace"} {
			if strings.Contains(err.Error(), unwanted) {
				t.Errorf("%q is not for people: %v", unwanted, err)
			}
		}
		t.Log(err)
	}
}

// TestFitStopsWithItsContext asks Spark what became of the jobs of a fit whose context has ended.
func TestFitStopsWithItsContext(t *testing.T) {
	t.Parallel()
	s := sparktest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// Each row takes a tenth of a second to make, so that the job would run for a quarter of an hour.
	ratings := must(s.Sql(ctx, `SELECT CAST(id % 50 AS int) user, CAST(id % 20 AS int) item, IF(java_method('java.lang.Thread', 'sleep', 100L) IS NULL, 1.0f, 1.0f) rating FROM range(0, 10000, 1, 1)`))(t)
	const name = "als: a fit that is stopped"
	running := spark.WithDescription(spark.WithProgress(ctx, func(p spark.Progress) {
		if p.InFlight == 0 {
			return
		}
		if p.Stages < 1 || p.Tasks < p.InFlight+p.Completed {
			t.Errorf("the progress tells of %d tasks in flight and %d completed out of %d in %d stages", p.InFlight, p.Completed, p.Tasks, p.Stages)
		}
		cancel()
	}), name)
	if _, err := sparkml.NewALS().Fit(running, s, ratings); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		all := jobs(t, s, name, 1)
		if !slices.ContainsFunc(all, func(j job) bool { return j.Status == "RUNNING" || j.NumActiveTasks > 0 }) {
			if last := all[0]; last.Status != "FAILED" { // the newest comes first
				t.Errorf("the last job of the fit is %+v, want it failed", last)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("two minutes later the jobs go on: %+v", all)
		}
	}
}
