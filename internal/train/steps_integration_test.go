//go:build integration

package train

import (
	"net/url"
	"strings"
	"testing"

	"cartwheel/internal/spark"
)

// sparkUI is the address of the Spark UI, and the jobs that it knows already.
func (b *bench) sparkUI() (ui string, known map[int]bool) {
	b.Helper()
	remote, err := url.Parse(b.remote)
	if err != nil {
		b.Fatal(err)
	}
	s, err := spark.Connect(b.Context(), b.remote)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	port, err := s.Config().Get(b.Context(), "spark.ui.port")
	if err != nil {
		b.Fatal(err)
	}
	ui, known = "http://"+remote.Hostname()+":"+port, map[int]bool{}
	for _, j := range sparkJobs(b.T, ui) {
		known[j.JobID] = true
	}
	return ui, known
}

// toldSteps asks the Spark UI's REST API what the jobs of a training with rank 7 were, besides those that it knew before.
func toldSteps(t *testing.T, ui string, before map[int]bool) {
	t.Helper()
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
