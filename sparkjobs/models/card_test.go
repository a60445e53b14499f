package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

func TestCard(t *testing.T) {
	t.Parallel()
	dataDir := shop(t)
	wants := func(out string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(out, part) {
				t.Errorf("the card does not say %q:\n%s", part, out)
			}
		}
	}
	code, out, errs := models(t, dataDir, "card")
	if code != 0 {
		t.Fatal(code, errs)
	}
	wants(out, "# Model card: b\n", "Spark 4.1.2", "of 5 visitors on 8 items", "rank 3", "| als | 1 | 50.00 ±10.00 | | | | |", "## Purchase probability\n\nNone.", "## Segments\n\nNone.")

	dir := filepath.Join(dataDir, "models", "c")
	m, err := model.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.Metrics, m.Data.BadBatchFiles = nil, []string{"batch_x"}
	m.Decision = &model.Decision{Promoted: true, Reason: "better than popularity"}
	m.Purchase = &model.Purchase{Model: "gbt", WindowDays: 28, LabelDays: 7, BaseRate: 0.0123, Tested: model.Outcomes{Visitors: 100, Buyers: 2},
		At: time.Now(), Candidates: []model.PurchaseCandidate{{Model: "gbt", PR: model.Interval{Mean: 0.2, Low: 0.1, High: 0.3}}}}
	m.Segments = &model.Segments{None: "too few visitors"}
	modeltest.Seal(t, dir, *m)
	_, out, _ = models(t, dataDir, "card", "c")
	wants(out, "# Model card: c\n", "Not measured", "- It was not measured.", "1 damaged batch files were passed over: batch_x", "gbt on what a visitor did in 28 days",
		"(1.23 %)", "| gbt | 20.00 ±10.00 |", "None: too few visitors.")
	if code, _, errs := models(t, dataDir, "card", "d"); code != 1 || !strings.Contains(errs, `no version "d"`) {
		t.Errorf("%d, %s", code, errs)
	}
	if code, out, _ := models(t, dataDir, "card", "--json"); code != 0 || !strings.Contains(out, `"version": "b"`) {
		t.Errorf("%d, %s", code, out)
	}
}
