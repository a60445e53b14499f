//go:build integration

package sparkml_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"cartwheel/internal/spark"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/sparkml"
)

type job struct {
	Description, JobGroup, Status string
	JobTags                       []string
	NumActiveTasks                int
}

// jobs asks the Spark UI's REST API for the jobs that bear a tag that ends in these words, newest first, until there are at least n.
func jobs(t *testing.T, s *spark.Session, words string, n int) []job {
	t.Helper()
	remote := must(url.Parse(os.Getenv("SPARK_REMOTE")))(t)
	port := must(s.Config().Get(t.Context(), "spark.ui.port"))(t)
	app := must(s.Config().Get(t.Context(), "spark.app.id"))(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		request := must(http.NewRequestWithContext(ctx, http.MethodGet, "http://"+remote.Hostname()+":"+port+"/api/v1/applications/"+app+"/jobs", nil))(t)
		response := must(http.DefaultClient.Do(request))(t)
		var all, found []job
		err := json.NewDecoder(response.Body).Decode(&all)
		_ = response.Body.Close()
		if err != nil {
			t.Fatalf("reading %s: %v", request.URL, err)
		}
		for _, j := range all {
			if strings.Contains(strings.Join(j.JobTags, "\n")+"\n", "_Tag_"+words+"\n") {
				found = append(found, j)
			}
		}
		if len(found) >= n {
			return found
		}
	}
}

// TestDescriptions looks at what the Spark UI says of jobs under spark.WithDescription.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	s := sparktest.Open(t)
	ctx := spark.WithDescription(t.Context(), "blobs: count, all of the rows that there are")
	data := must(s.Sql(ctx, `SELECT id user, id item, 1.0f rating FROM range(0, 50, 1, 2)`))(t)
	if _, err := data.Count(ctx); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs(t, s, "blobs: count; all of the rows that there are", 1) {
		if j.Description != "blobs: count, all of the rows that there are" || j.JobGroup != "blobs" {
			t.Errorf("a job of a DataFrame is described as %q in the group %q", j.Description, j.JobGroup)
		}
	}

	als := sparkml.NewALS()
	als.MaxIter, als.NumUserBlocks, als.NumItemBlocks = 2, 2, 2
	if _, err := als.Fit(spark.WithDescription(t.Context(), "als: fit, rank 10"), s, data); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs(t, s, "als: fit; rank 10", 5) {
		if !strings.Contains(j.Description, "als: fit, rank 10") {
			t.Errorf("a job of a fit is described as %q", j.Description)
		}
	}

	// Without a description, the last one is not left behind.
	rest := must(s.Sql(t.Context(), `SELECT * FROM range(3)`))(t)
	if _, err := rest.Count(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Config().GetWithDefault(t.Context(), "spark.job.description", "none"); err != nil || got != "none" {
		t.Errorf("the session's description is still %q (%v)", got, err)
	}
}
