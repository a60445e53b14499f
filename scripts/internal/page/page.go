// Package page writes what a benchmark measured as Markdown, with figures beside it: on which machine, by which command, and in every round. A figure of one
// round says little on a machine that others use; so each stands with its median and its range.
package page

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"cartwheel/scripts/internal/machine"
)

// Page is a page in the making.
type Page struct {
	strings.Builder
	figures map[string][]byte // SVG by file name
}

// New begins a page. The load is the machine's before anything began.
func New(title, command string, load float64) *Page {
	p := &Page{figures: map[string][]byte{}}
	fmt.Fprintf(p, "# %s\n\nWritten by `%s` on %s, on %d cores (%s, %s) with a load of %.1f before it began.\n", title, command,
		time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), machine.CPU(), machine.Memory(), load)
	return p
}

// Section begins a part of the page, with words about it.
func (p *Page) Section(title, words string) { fmt.Fprintf(p, "\n## %s\n\n%s\n\n", title, words) }

// Row is one figure in all rounds.
type Row struct {
	Name   string
	Format string // of one value, such as %.0f
	Values []float64
}

// Table shows rows by their median, their range and every round.
func (p *Page) Table(rows []Row) {
	fmt.Fprint(p, "| | median | range | rounds |\n|---|---|---|---|\n")
	for _, r := range rows {
		var all []string
		for _, v := range r.Values {
			all = append(all, fmt.Sprintf(r.Format, v))
		}
		fmt.Fprintf(p, "| %s | **"+r.Format+"** | "+r.Format+" to "+r.Format+" | %s |\n", r.Name, median(r.Values), slices.Min(r.Values), slices.Max(r.Values), strings.Join(all, ", "))
	}
}

// median of at least one value.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}

// Figure shows a drawing, which Save puts beside the page under a name that must not be that of another page's. It takes what package
// figure returns.
func (p *Page) Figure(name, words string, svg []byte, err error) error {
	if err != nil {
		return fmt.Errorf("drawing %s: %w", name, err)
	}
	p.figures[name+".svg"] = svg
	fmt.Fprintf(p, "\n![%s](%s.svg)\n", words, name)
	return nil
}

// Save prints the page and puts it into a file, and its figures beside it.
func (p *Page) Save(path string) error {
	fmt.Print(p.String())
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	for name, svg := range p.figures {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), svg, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(path, []byte(p.String()), 0o644)
}
