//go:build integration

package train

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"cartwheel/internal/spark"
)

// TestTheSparkUITellsTheSteps trains, and asks the Spark UI's REST API what its jobs were.
func TestTheSparkUITellsTheSteps(t *testing.T) {
	b := setup(t, os.Getenv("SPARK_REMOTE"), 6000)
	remote, err := url.Parse(b.remote)
	if err != nil {
		t.Fatal(err)
	}
	s, err := spark.Connect(t.Context(), b.remote)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	port, err := s.Config().Get(t.Context(), "spark.ui.port")
	if err != nil {
		t.Fatal(err)
	}
	ui := "http://" + remote.Hostname() + ":" + port
	before := map[int]bool{}
	for _, j := range sparkJobs(t, ui) {
		before[j.JobID] = true
	}
	// A rank that nobody else trains with tells this training's jobs from others'.
	b.train("--rank", "7", "--iterations", "2", "--force")
	fits, described := 0, map[string]int{}
	for _, j := range sparkJobs(t, ui) {
		if before[j.JobID] {
			continue
		}
		if strings.Contains(strings.Join(j.JobTags, "\n"), "als: fit; rank 7; 2 iterations; everything") {
			fits++
			if !strings.Contains(j.Description, "als: fit, rank 7") {
				t.Errorf("a job of the fit is described as %q", j.Description)
			}
		}
		described[j.JobGroup+"|"+j.Description]++
	}
	if fits < 5 {
		t.Errorf("%d jobs bear the fit's name: %v", fits, described)
	}
	for _, want := range []string{"events|events: reading the batch files", "features|features: tables of everything", "features|features: tables of the earlier events"} {
		if described[want] == 0 {
			t.Errorf("no job is described as %q: %v", want, described)
		}
	}
}
