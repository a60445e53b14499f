package scripts_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSpeedInTheReadmeIsTheReports holds the README's table against that of the newest report.
func TestSpeedInTheReadmeIsTheReports(t *testing.T) {
	reports, err := filepath.Glob("../docs/benchmarks/20*.md")
	if err != nil || len(reports) == 0 {
		t.Fatalf("there is no report: make bench-report (%v)", err)
	}
	newest := slices.Max(reports)
	report, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?:\|.*\n)+`)
	_, marked, found := strings.Cut(string(readme), "<!-- benchmarks -->\n")
	marked, _, ended := strings.Cut(marked, "<!-- /benchmarks -->")
	if !found || !ended {
		t.Fatal("README.md has no place for the benchmarks' table")
	}
	if is, should := table.FindString(marked), table.FindString(string(report)); is != should || should == "" {
		t.Errorf("README.md has\n%s\nbut %s has\n%s\nmake bench-report writes both", is, newest, should)
	}
	if !strings.Contains(marked, "docs/benchmarks/"+filepath.Base(newest)) {
		t.Errorf("README.md does not lead to %s", newest)
	}
}
