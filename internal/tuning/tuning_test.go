package tuning

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/config"
	"cartwheel/internal/train"
)

// hill is a bench on which quality is known: best at rank 50 and reg 0.1, and the better the more iterations.
type hill struct {
	measured int
	dies     int // after so many measurements; 0: never
}

var errKilled = errors.New("killed")

func (h *hill) Measure(_ context.Context, c train.Config) (train.Quality, error) {
	if h.measured++; h.measured == h.dies {
		return train.Quality{}, errKilled
	}
	distance := math.Abs(math.Log(float64(c.Rank)/50)) + math.Abs(math.Log(c.Reg/0.1))
	q := 1 / (1 + distance) * (1 - 1/float64(2+c.Iterations))
	return train.Quality{Mean: q, Kinds: map[string]float64{train.Kinds()[0]: q}}, nil
}

func parsed(t *testing.T, args ...string) *Config {
	t.Helper()
	var c Config
	s := config.New("tune", "", io.Discard)
	c.Declare(s)
	if err := errors.Join(s.Parse(args, func(string) string { return "" }), c.Validate()); err != nil {
		t.Fatal(err)
	}
	return &c
}

// rowsOf reads the table without the times.
func rowsOf(t *testing.T, dir string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "trials.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if rows, err = csv.NewReader(bytes.NewReader(text)).ReadAll(); err != nil {
		t.Fatal(err)
	}
	seconds := slices.Index(rows[0], "seconds")
	for i := range rows {
		rows[i] = slices.Delete(rows[i], seconds, seconds+1)
	}
	return rows
}

func TestSearchHalves(t *testing.T) {
	t.Parallel()
	c, dir := parsed(t, "--trials", "12"), t.TempDir()
	table, err := openTable(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	h := &hill{}
	if err := search(t.Context(), c, table, h, io.Discard); err != nil {
		t.Fatal(err)
	}
	perRung := map[int]int{}
	for _, row := range table.trials {
		perRung[row.rung]++
	}
	if h.measured != 12+6+3 || perRung[0] != 12 || perRung[1] != 6 || perRung[2] != 3 {
		t.Errorf("%d measured, by rung %v; want 12, 6 and 3", h.measured, perRung)
	}
	for rung := range 2 {
		alive := table.ranking(rung)[:len(table.ranking(rung))/2]
		next := table.ranking(rung + 1)
		slices.Sort(alive)
		slices.Sort(next)
		if !slices.Equal(alive, next) {
			t.Errorf("after rung %d the better half is %v, but %v went on", rung, alive, next)
		}
	}
	best := table.best()
	for _, row := range table.trials {
		if row.rung == 2 && row.quality.Mean > best.quality.Mean {
			t.Errorf("trial %d is better than the best", row.number)
		}
	}
	if best.ran != best.settings.Iterations {
		t.Errorf("the best was given %d of its %d iterations", best.ran, best.settings.Iterations)
	}
}

func TestSearchGoesOnWhereItWasKilled(t *testing.T) {
	t.Parallel()
	whole, parts := t.TempDir(), t.TempDir()
	c := parsed(t, "--trials", "9", "--seed", "4")
	table, err := openTable(whole, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := search(t.Context(), c, table, &hill{}, io.Discard); err != nil {
		t.Fatal(err)
	}
	measured := 0
	for tries := 0; ; tries++ {
		table, err := openTable(parts, c)
		if err != nil {
			t.Fatal(err)
		}
		h := &hill{dies: 4}
		err = search(t.Context(), c, table, h, io.Discard)
		measured += h.measured
		if err == nil {
			measured -= tries // those that died
			break
		}
		if !errors.Is(err, errKilled) || tries > 20 {
			t.Fatal(tries, err)
		}
	}
	if want, got := rowsOf(t, whole), rowsOf(t, parts); len(want) != 1+measured || !slices.EqualFunc(want, got, slices.Equal) {
		t.Errorf("in one go:\n%v\nin parts, with %d measurements:\n%v", want, measured, got)
	}
}

func TestAnotherSearchIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := openTable(dir, parsed(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := openTable(dir, parsed(t)); err != nil {
		t.Errorf("the same search: %v", err)
	}
	_, err := openTable(dir, parsed(t, "--rank", "8:16", "--trials", "3"))
	if !errors.Is(err, config.ErrUsage) {
		t.Fatalf("another search: %v", err)
	}
	for _, want := range []string{"--rank 8:16", "16:128", "--trials 3", "--name"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message lacks %q: %v", want, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "trials.csv"), []byte("trial,rung\n1,2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openTable(dir, parsed(t)); err == nil || !strings.Contains(err.Error(), "row 2") {
		t.Errorf("a table that is none: %v", err)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	c := parsed(t, "--trials", "200", "--rank", "8:32", "--window-days", "0,30", "--reg", "0.1")
	planned := c.plan()
	if planned[0].Rank != 64 || planned[0].Reg != 0.1 || planned[0].Transaction != 5 {
		t.Errorf("the first trial is not the training's defaults: %+v", planned[0])
	}
	windows := map[float64]int{}
	for i, s := range planned[1:] {
		if s.Rank < 8 || s.Rank > 32 || s.Reg != 0.1 || s.Alpha < 0.3 || s.Alpha > 30 || s.WindowDays != 0 && s.WindowDays != 30 {
			t.Errorf("trial %d leaves the ranges: %+v", i+1, s)
		}
		windows[s.WindowDays]++
	}
	if windows[0] < 60 || windows[30] < 60 {
		t.Errorf("windows were drawn %v", windows)
	}
	if fewer := parsed(t, "--trials", "5", "--rank", "8:32", "--window-days", "0,30", "--reg", "0.1").plan(); !slices.Equal(fewer, planned[:5]) {
		t.Error("how many trials there are changes the first of them")
	}
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	for args, wants := range map[string][]string{
		"--rank 0:10":             {"-rank", "0:10", "above 0"},
		"--rank 20:10":            {"20:10"},
		"--rank 1.5:3":            {"--rank", "1.5", "whole"},
		"--rank 16:5000":          {"--rank 5000"},
		"--rank a:b":              {`"a" is not a number`},
		"--reg NaN":               {`"NaN" is not a number`},
		"--reg -1":                {"--reg -1"},
		"--alpha 0,1":             {"--alpha 0"},
		"--half-life-days":        {"half-life-days"},
		"--trials 0":              {"--trials 0"},
		"--name ../x":             {"../x"},
		"--name .x --trials -1":   {".x", "--trials -1"},
		"--holdout 1":             {"--holdout 1"},
		"--addtocart-weight -2,1": {"addtocart"},
		"--rnk 3":                 {"-rnk", "--help"},
	} {
		var stderr bytes.Buffer
		if code := Main(t.Context(), strings.Fields(args), func(string) string { return "" }, io.Discard, &stderr); code != 2 {
			t.Errorf("%s: exit code %d", args, code)
		}
		for _, want := range wants {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%s: the message lacks %q: %s", args, want, &stderr)
			}
		}
	}
	var stderr bytes.Buffer
	if code := Main(t.Context(), []string{"--data-dir", filepath.Join(t.TempDir(), "nowhere")}, func(string) string { return "" }, io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), "nowhere") {
		t.Errorf("no data folder: exit code %d, %s", code, &stderr)
	}
}

func TestPageHoldsAllTrialsAndNothingFromOutside(t *testing.T) {
	t.Parallel()
	c, dir := parsed(t, "--trials", "6", "--reg", "0.1", "--name", "a<b"), t.TempDir()
	table, err := openTable(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := search(t.Context(), c, table, &hill{}, io.Discard); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "trials.html")
	if err := writePage(path, c, table); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	html := string(text)
	if n := strings.Count(html, "<circle"); n != 7*len(table.trials) { // eight settings, one of them not searched
		t.Errorf("%d points of %d trials", n, len(table.trials))
	}
	if strings.Contains(html, "http") || strings.Contains(html, "NaN") || !strings.Contains(html, table.best().settings.Flags()) || !strings.Contains(html, "a&lt;b") {
		t.Errorf("the page is\n%s", html)
	}
}
