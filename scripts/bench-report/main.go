// Command bench-report joins the pages of all benchmarks into one report, docs/benchmarks/<date>-<machine>.md, with a table of the
// figures that matter most, and puts that table into README.md. It measures nothing: each figure is what a page says, with the date of
// that page. A page that is not there is left out.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "bench-report: it takes no arguments, and works where README.md is")
		os.Exit(2)
	}
	path, err := run(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-report:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

// order is that of the pages in the report.
var order = []string{"ingest", "train", "workers", "serve", "swaps", "sessions", "gorse", "soak"}

// run writes the report of the project in a folder, and its README's table.
func run(root string) (path string, err error) {
	folder := filepath.Join(root, "docs", "benchmarks")
	pages := map[string]*measured{}
	var machine, date string
	for _, name := range order {
		p, err := read(filepath.Join(folder, name+".md"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if machine != "" && p.machine != machine {
			return "", fmt.Errorf("%s.md was measured on %s, another page on %s: measure all of them on one machine (make bench)", name, p.machine, machine)
		}
		machine, date, pages[name] = p.machine, max(date, p.date), p
	}
	if len(pages) == 0 {
		return "", fmt.Errorf("there is no page in %s: make bench measures", folder)
	}
	table, err := summary(pages)
	if err != nil {
		return "", err
	}
	versions, err := versions(root)
	if err != nil {
		return "", err
	}
	var report strings.Builder
	name := date + "-" + strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(machine), "-"), "-")
	fmt.Fprintf(&report, `# Benchmarks of %s

The pages of all benchmarks, joined by `+"`make bench-report`"+`. Machine: %s, which brokers, cluster and load share with what is measured. %s.
Figures are medians; the tables below have the range and every round, and what each is held against, measured in the same run.

%s`, date, machine, versions, table)
	for _, one := range order {
		if p := pages[one]; p != nil {
			text, err := p.within(folder, name)
			if err != nil {
				return "", err
			}
			report.WriteString(text)
		}
	}
	path = filepath.Join(folder, name+".md")
	if err := os.WriteFile(path, []byte(report.String()), 0o644); err != nil {
		return "", err
	}
	return path, intoReadme(filepath.Join(root, "README.md"), filepath.ToSlash(filepath.Join("docs", "benchmarks", name+".md")), table)
}

// measured is a page that a benchmark has written.
type measured struct {
	text          string
	date, machine string
	figures       map[string]string // by the name of its row: a median, or what was found
}

var (
	head    = regexp.MustCompile("(?m)^Written by `make [a-z-]+` on (\\d{4}-\\d\\d-\\d\\d), on (\\d+ cores \\(.+\\)) with a load of ")
	row     = regexp.MustCompile(`(?m)^\| (.+?) \| (?:\*\*(.+?)\*\* \| .+? \| .+?|(.+?) \| (?:yes|\*\*no\*\*)) \|$`)
	heading = regexp.MustCompile(`(?m)^#+ `)
	shown   = regexp.MustCompile(`\]\(([a-z]+)\.svg\)`)
	whole   = regexp.MustCompile(`\d{4,}`)
)

func read(path string) (*measured, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &measured{text: string(data), figures: map[string]string{}}
	m := head.FindStringSubmatch(p.text)
	if m == nil {
		return nil, fmt.Errorf("%s does not say when and where it was measured, as the pages of benchmarks do", path)
	}
	p.date, p.machine = m[1], m[2]
	for _, m := range row.FindAllStringSubmatch(p.text, -1) {
		p.figures[m[1]] = m[2] + m[3]
	}
	return p, nil
}

// within is the page as a part of the report, with figures of the report's own: those beside the page are drawn anew next time.
func (p *measured) within(folder, report string) (text string, err error) {
	text = shown.ReplaceAllStringFunc(heading.ReplaceAllString(p.text, "#$0"), func(link string) string {
		name := shown.FindStringSubmatch(link)[1]
		svg, readErr := os.ReadFile(filepath.Join(folder, name+".svg"))
		own := report + "-" + name + ".svg"
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(folder, own), svg, 0o644))
		return "](" + own + ")"
	})
	return "\n" + text, err
}

// headline is a line of the table. What stands in braces is the name of a row of the page, which must be there, but for trainings and
// workers: their sizes are for whoever measures to choose, and PySpark may not be there.
type headline struct{ page, what, figure, beside string }

var headlines = []headline{
	{"ingest", "producer: CSV to acknowledged", "{producer: CSV file to acknowledged, events/s} events/s", "Kafka's ProducerPerformance {ProducerPerformance, records/s}/s"},
	{"ingest", "consumer: topic to synced files", "{consumer: topic to synced batch files, events/s} events/s", "Kafka's ConsumerPerformance {ConsumerPerformance, records/s}/s"},
	{"train", "training on 200,000 events, files to a version", "{a training on 200000 events, seconds} s", ""},
	{"train", "training on 700,000 events, files to a version", "{a training on 700000 events, seconds} s", ""},
	{"train", "training on 2,756,101 events, files to a version", "{a training on 2756101 events, seconds} s", ""},
	{"train", "an ALS fit from Go, events of the smallest shop", "{from Go, seconds} s", "from PySpark {from PySpark, seconds} s; ratio of the pairs {Go, of PySpark's time}"},
	{"workers", "an ALS fit by two Spark workers of one core, 200,000 events", "{two workers, 200000 events, seconds} s", "by one {one worker, 200000 events, seconds} s; ratio of the pairs {two, of one's time, 200000 events}"},
	{"workers", "an ALS fit by two Spark workers of one core, 2,756,101 events", "{two workers, 2756101 events, seconds} s", "by one {one worker, 2756101 events, seconds} s; ratio of the pairs {two, of one's time, 2756101 events}"},
	{"serve", "API: a visitor by factors alone, 8 connections", "{a visitor, by factors alone, requests/s} requests/s, p99 {a visitor, by factors alone, p99, ms} ms", "a fixed answer by gin {fixed answer, requests/s}/s"},
	{"serve", "API: a visitor by the whole blend", "{a visitor, by a blend, requests/s} requests/s, p99 {a visitor, by a blend, p99, ms} ms", "a fixed answer by gin {fixed answer, requests/s}/s"},
	{"serve", "API: visitors in batches of 1,000", "{visitors/s in batches of 1,000} visitors/s", ""},
	{"serve", "API: the exact search, 37,000 items x 64", "{als-37k/pruned} queries/s", "scanning all {als-37k/full-scan}/s"},
	{"swaps", "API: two versions of 1.4 million visitors and 235,061 items the champion by turns, 500 requests/s", "p99 {with changes: p99, ms} ms", "steady, p99 {steady: p99, ms} ms"},
	{"sessions", "API: a session as long as Retail Rocket's, 8 connections", "{a session as long as RetailRocket's, requests/s} requests/s, p99 {a session as long as RetailRocket's, p99, ms} ms", "a fixed answer by gin {fixed answer, requests/s}/s"},
	{"sessions", "API: sessions, 2,000 a second, open loop", "p50 {2,000 a second, open loop (vegeta): p50, ms} ms, p99 {2,000 a second, open loop (vegeta): p99, ms} ms", ""},
	{"sessions", "API: the topic into the live history, while 500 requests/s are answered", "{events/s taken in} events/s, {bytes a visitor} bytes a visitor", ""},
	{"sessions", "API: from a click posted to one to the changed answer of another", "p50 {from a post to another API's changed answer: p50, ms} ms, p99 {from a post to another API's changed answer: p99, ms} ms", ""},
	{"gorse", "API beside Gorse: a visitor, 8 connections", "{a visitor: Cartwheel, requests/s} requests/s, p99 {a visitor: Cartwheel, p99, ms} ms", "Gorse {a visitor: Gorse, requests/s}/s, p99 {a visitor: Gorse, p99, ms} ms"},
	{"gorse", "API beside Gorse: items like an item", "{items like an item: Cartwheel, requests/s} requests/s", "Gorse {items like an item: Gorse, requests/s}/s"},
	{"gorse", "API beside Gorse: a session of 1 to 5 items", "{a session: Cartwheel, requests/s} requests/s", "Gorse {a session: Gorse, requests/s}/s"},
	{"soak", "soak: everything at once, broker and Spark Connect restarted", "{all of it} checks hold", "{no event is lost}; failed reads: {no read request fails}"},
}

var named = regexp.MustCompile(`\{(.+?)\}`)

func summary(pages map[string]*measured) (string, error) {
	var table strings.Builder
	var missing []string
	table.WriteString("| | | beside it | measured |\n|---|---|---|---|\n")
	for _, h := range headlines {
		p := pages[h.page]
		if p == nil || (h.page == "train" || h.page == "workers") && !p.has(h.figure+h.beside) {
			continue
		}
		fill := func(text string) string {
			return named.ReplaceAllStringFunc(text, func(name string) string {
				name = strings.Trim(name, "{}")
				found, ok := p.figures[name]
				if !ok {
					missing = append(missing, fmt.Sprintf("docs/benchmarks/%s.md has no row %q", h.page, name))
				}
				return whole.ReplaceAllStringFunc(found, grouped)
			})
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", h.what, fill(h.figure), fill(h.beside), p.date)
	}
	if missing != nil {
		return "", errors.New(strings.Join(missing, "\n"))
	}
	return table.String(), nil
}

// has tells whether the page has all rows that are named.
func (p *measured) has(text string) bool {
	return !slices.ContainsFunc(named.FindAllString(text, -1), func(name string) bool { return p.figures[strings.Trim(name, "{}")] == "" })
}

// grouped writes a whole number with commas.
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

var pinned = regexp.MustCompile(`(?m)^(kafka|spark)_version=(\S+)`)

// versions are those that this checkout stands for.
func versions(root string) (string, error) {
	data, err := os.ReadFile(filepath.Join(root, "scripts", "lib", "fetch.sh"))
	if err != nil {
		return "", err
	}
	list := []string{"Go " + strings.TrimPrefix(runtime.Version(), "go")}
	for _, m := range pinned.FindAllStringSubmatch(string(data), -1) {
		list = append(list, strings.ToUpper(m[1][:1])+m[1][1:]+" "+m[2])
	}
	slices.Sort(list)
	return strings.Join(list, ", "), nil
}

var tableInReadme = regexp.MustCompile(`(?s)(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)`)

func intoReadme(path, report, table string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !tableInReadme.Match(data) {
		return fmt.Errorf("%s has no place for the table: a line <!-- benchmarks --> and a line <!-- /benchmarks -->", path)
	}
	made := tableInReadme.ReplaceAll(data, []byte("${1}"+strings.ReplaceAll(table, "$", "$$")+"\n["+report+"]("+report+") has the commands, the ranges and the figures.\n${2}"))
	return os.WriteFile(path, made, 0o644)
}
