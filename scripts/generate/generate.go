package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/term"

	"cartwheel/internal/config"
	"cartwheel/internal/durable"
	"cartwheel/internal/synthetic"
)

type settings struct {
	synthetic.Settings
	out     string
	dataDir string
	force   bool
}

// run is the program. Its exit codes: 0 written or already there, 2 wrong settings, 1 anything else.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	s, err := parse(args, getenv, stdout)
	if err == nil {
		err = generate(ctx, s, stdout, stderr)
	}
	return config.Tell("generate", err, stderr)
}

func parse(args []string, getenv func(string) string, out io.Writer) (settings, error) {
	var s settings
	set := config.New("generate", "writes a generated data set in RetailRocket's format, to try everything without the real one.", out)
	set.IntVar(&s.Events, "events", 200_000, "`number` of rows of events.csv; the real file has 2756101")
	set.Uint64Var(&s.Seed, "seed", 1, "`number` that chooses the data set: the same seed and size give the same bytes")
	set.StringVar(&s.out, "out", "", "`path` of the events file; the other files go beside it (default DATA_DIR/raw/events.csv)")
	set.StringVar(&s.dataDir, "data-dir", "data", "`folder` of all data")
	set.Env("data-dir", "DATA_DIR")
	set.BoolVar(&s.force, "force", false, "replace what is there, whatever it is")
	if err := set.Parse(args, getenv); err != nil {
		return s, err
	}
	if s.out == "" {
		s.out = filepath.Join(s.dataDir, "raw", "events.csv")
	}
	s.out = filepath.Clean(s.out)
	var wrong config.Problems
	if info, err := os.Stat(s.out); err == nil {
		wrong.Check(info.Mode().IsRegular(), "--out %s is not a file: name the events file itself, such as %s", s.out, filepath.Join(s.out, "events.csv"))
	}
	wrong.Check(s.Events >= 1 && s.Events <= synthetic.MaxEvents, "--events %d is not between 1 and %d", s.Events, synthetic.MaxEvents)
	switch filepath.Base(s.out) {
	case treeName, propertiesName, markerName:
		wrong.Check(false, "--out %s is the name of a file that is written beside the events: choose another", s.out)
	}
	return s, wrong.Err()
}

// generate writes the set unless it is there already.
func generate(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	if !s.force {
		there, err := alreadyThere(s)
		if err != nil {
			return err
		}
		if there {
			fmt.Fprintf(stdout, "Already there: %s, generated with the same settings (%d events, seed %d).\n", s.out, s.Events, s.Seed)
			return nil
		}
	}
	started := time.Now()
	progress, clear := progressOn(stderr, s.Events)
	m, err := write(ctx, s, progress)
	clear()
	if err != nil {
		return err
	}
	took := time.Since(started)
	fmt.Fprintf(stdout, `Generated %s in %.1f s (%.0f events/s). This is invented data, not RetailRocket's.
  %d events: %d view, %d addtocart, %d transaction in %d orders; %d of them logged twice
  %d visitors, %d items, %d categories; seed %d
  SHA-256 %s
Beside it: %s, %s, %s
`, s.out, took.Seconds(), float64(m.Events)/took.Seconds(),
		m.Events, m.Views, m.Carts, m.OrderLines, m.Orders, m.Duplicates, m.Visitors, m.Items, m.Categories, m.Seed,
		m.SHA256[filepath.Base(s.out)], treeName, propertiesName, markerName)
	return nil
}

// write makes the files under temporary names and lets them appear together once all are whole: the marker first, so that what an
// interruption leaves is known as generated, the events last.
func write(ctx context.Context, s settings, progress func(int)) (marker, error) {
	shop := synthetic.New(s.Settings)
	m := newMarker(s, shop)
	events := &part{path: s.out}
	parts := []*part{{path: beside(s.out, treeName)}, {path: beside(s.out, propertiesName)}, events}
	defer func() {
		for _, p := range parts {
			p.abort()
		}
	}()
	if err := parts[0].fill(shop.WriteCategoryTree); err != nil {
		return m, err
	}
	if err := parts[1].fill(shop.WriteItemProperties); err != nil {
		return m, err
	}
	err := events.fill(func(w io.Writer) (err error) {
		m.Counts, err = shop.WriteEvents(ctx, w, progress)
		return err
	})
	if err != nil {
		return m, err
	}
	for _, p := range parts {
		m.SHA256[filepath.Base(p.path)] = p.sum
	}
	err = durable.WriteFile(beside(s.out, markerName), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(m)
	})
	if err != nil {
		return m, fmt.Errorf("writing %s: %w", markerName, err)
	}
	for _, p := range parts {
		if err := p.file.Replace(); err != nil {
			return m, err
		}
	}
	return m, nil
}

// part is one file of the set in the making.
type part struct {
	path string
	file *durable.File
	sum  string
}

func (p *part) fill(write func(io.Writer) error) error {
	f, err := durable.Create(p.path)
	if err != nil {
		return err
	}
	p.file = f
	h := sha256.New()
	if err := write(io.MultiWriter(f, h)); err != nil {
		return fmt.Errorf("%s: %w", p.path, err)
	}
	p.sum = hex.EncodeToString(h.Sum(nil))
	return nil
}

func (p *part) abort() {
	if p.file != nil {
		p.file.Abort()
	}
}

// progressOn shows how far the writing is, if a person is watching; clear takes it away again.
func progressOn(stderr io.Writer, events int) (progress func(rows int), clear func()) {
	f, ok := stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, func() {}
	}
	var last time.Time
	progress = func(rows int) {
		if now := time.Now(); now.Sub(last) > 100*time.Millisecond {
			last = now
			fmt.Fprintf(f, "\r%d of %d events (%d %%)", rows, events, rows*100/events)
		}
	}
	return progress, func() { fmt.Fprint(f, "\r\x1b[K") }
}

func beside(path, name string) string { return filepath.Join(filepath.Dir(path), name) }
