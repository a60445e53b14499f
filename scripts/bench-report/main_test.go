package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// project is a folder with the pages of two benchmarks, of different days.
func project(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	put(t, root, "README.md", "# X\n\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\nend\n")
	put(t, root, "scripts/lib/fetch.sh", "spark_version=4.1.2\nkafka_version=4.1.1\n")
	put(t, root, "docs/benchmarks/ingest.md", page("ingest", "2026-11-24", "8 cores (X, 9 GB)", `| producer: CSV file to acknowledged, events/s | **1612879** | 851555 to 2061755 | 851555, 1612879, 2061755 |
| ProducerPerformance, records/s | **725290** | 1 to 2 | 1, 2 |
| consumer: topic to synced batch files, events/s | **2689821** | 1 to 2 | 1, 2 |
| ConsumerPerformance, records/s | **1370513** | 1 to 2 | 1, 2 |
`))
	put(t, root, "docs/benchmarks/soak.md", page("soak", "2026-11-26", "8 cores (X, 9 GB)", `| no event is lost | 0 of 196000 events in no batch file | yes |
| no read request fails | 3 of 9000 | **no** |
| all of it | 8 of 9 | **no** |
`))
	return root
}

func page(name, date, machine, rows string) string {
	return fmt.Sprintf("# Of %s\n\nWritten by `make bench-%s` on %s, on %s with a load of 0.1 before it began.\n\n## A part\n\n| | median | range | rounds |\n|---|---|---|---|\n%s\n![it](%s.svg)\n", name, name, date, machine, rows, name)
}

func put(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(name, "docs/") {
		if err := os.WriteFile(strings.TrimSuffix(path, ".md")+".svg", []byte("<svg/>"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func get(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReport(t *testing.T) {
	root := project(t)
	path, err := run(root)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, "docs/benchmarks/2026-11-26-8-cores-x-9-gb.md"); path != want {
		t.Errorf("%s was written, not %s", path, want)
	}
	table := `| producer: CSV to acknowledged | 1,612,879 events/s | Kafka's ProducerPerformance 725,290/s | 2026-11-24 |
| consumer: topic to synced files | 2,689,821 events/s | Kafka's ConsumerPerformance 1,370,513/s | 2026-11-24 |
| soak: everything at once, broker and Spark Connect restarted | 8 of 9 checks hold | 0 of 196,000 events in no batch file; failed reads: 3 of 9,000 | 2026-11-26 |
`
	report := get(t, path)
	for _, want := range []string{table, "8 cores (X, 9 GB)", "Kafka 4.1.1, Spark 4.1.2", "\n## Of ingest\n", "\n### A part\n", "851555 to 2061755", "`make bench-soak`", "](2026-11-26-8-cores-x-9-gb-soak.svg)"} {
		if !strings.Contains(report, want) {
			t.Errorf("%q is not in the report:\n%s", want, report)
		}
	}
	if get(t, strings.TrimSuffix(path, ".md")+"-ingest.svg") != "<svg/>" {
		t.Error("the report has no figures of its own")
	}
	readme := get(t, filepath.Join(root, "README.md"))
	if !strings.Contains(readme, table) || strings.Contains(readme, "\nold\n") || !strings.HasSuffix(readme, "<!-- /benchmarks -->\nend\n") {
		t.Errorf("the README is\n%s", readme)
	}
	if _, err := run(root); err != nil || get(t, filepath.Join(root, "README.md")) != readme || get(t, path) != report {
		t.Errorf("once more gives something else (%v)", err)
	}
}

func TestWhatWasNotMeasuredIsLeftOut(t *testing.T) {
	root := project(t)
	put(t, root, "docs/benchmarks/train.md", page("train", "2026-11-26", "8 cores (X, 9 GB)", "| a training on 200000 events, seconds | **109.7** | 105.6 to 128.7 | 105.6, 109.7, 128.7 |\n"))
	if _, err := run(root); err != nil {
		t.Fatal(err)
	}
	if readme := get(t, filepath.Join(root, "README.md")); strings.Count(readme, "training on") != 1 || !strings.Contains(readme, "| 109.7 s |") {
		t.Errorf("the README is\n%s", readme)
	}
}

func TestWhatCannotBeJoined(t *testing.T) {
	for want, spoil := range map[string]func(root string){
		"was measured on 2 cores (Y, 1 GB)": func(root string) {
			put(t, root, "docs/benchmarks/serve.md", page("serve", "2026-11-26", "2 cores (Y, 1 GB)", ""))
		},
		`serve.md has no row "a visitor, by a blend, requests/s"`: func(root string) {
			put(t, root, "docs/benchmarks/serve.md", page("serve", "2026-11-26", "8 cores (X, 9 GB)", ""))
		},
		"does not say when": func(root string) { put(t, root, "docs/benchmarks/serve.md", "# Serving\n") },
		"no place for":      func(root string) { put(t, root, "README.md", "# X\n") },
		"ingest.svg":        func(root string) { _ = os.Remove(filepath.Join(root, "docs/benchmarks/ingest.svg")) },
	} {
		root := project(t)
		spoil(root)
		if _, err := run(root); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}
