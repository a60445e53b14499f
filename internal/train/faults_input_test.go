//go:build integration

package train

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"cartwheel/internal/batch"
	"cartwheel/internal/model"
	"cartwheel/internal/synthetic/synthetictest"
)

// put writes a batch file with these rows.
func (b *bench) put(rows string) {
	b.Helper()
	name := batch.Name{Last: int64(strings.Count(rows, "\n") - 1)}
	if err := synthetictest.WriteBatch(b.batches(), name, []byte(rows)); err != nil {
		b.Fatal(err)
	}
}

// events makes n rows, a minute apart, of a visitor, a kind and an item each.
func events(n int, event func(i int) [3]string) string {
	var rows strings.Builder
	for i := range n {
		e := event(i)
		fmt.Fprintf(&rows, "%d,%s,%s,%s,,e%d\n", 1_700_000_000_000+60_000*i, e[0], e[1], e[2], i)
	}
	return rows.String()
}

func emptyBench(t *testing.T) *bench {
	t.Helper()
	return &bench{T: t, dir: t.TempDir(), remote: os.Getenv("SPARK_REMOTE")}
}

func (b *bench) manifest() *model.Manifest {
	b.Helper()
	m, err := model.ReadManifest(filepath.Join(b.models(), b.champion()))
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// ofOneMoment makes n rows of one visitor, kind, item and time.
func ofOneMoment(n int, eventID func(i int) string) (rows string) {
	for i := range n {
		rows += "1700000000000,v,view,i,," + eventID(i) + "\n"
	}
	return rows
}

// TestFaultPoorData trains on what no shop is like. Each either gives a version that can be loaded, or says what is wrong.
func TestFaultPoorData(t *testing.T) {
	t.Parallel()
	const noFiles = "no files"
	varied := func(i int) [3]string { return [3]string{fmt.Sprint("v", i%7), "view", fmt.Sprint("i", i%11)} }
	for _, test := range []struct {
		name  string
		rows  string
		flags []string
		says  []string // of a version that is made, or of why none is
		fails bool
	}{
		{"no batch files", noFiles, nil, []string{"no batch files", "consumer"}, true},
		{"batch files without a row", "", nil, []string{"hold no events"}, true},
		{"only views, and a rank larger than the data allows", events(100, varied), []string{"--rank", "64"}, []string{"--rank 64 is more than there are items"}, false},
		{"only views, which weigh nothing", events(100, varied), []string{"--event-weights", "transaction=1"}, []string{"no visitor has an event of a weight above 0", "transaction=1"}, true},
		{"one visitor", events(50, func(i int) [3]string { return [3]string{"v", "view", fmt.Sprint("i", i%11)} }), nil, nil, false},
		{"one item", events(50, func(i int) [3]string { return [3]string{fmt.Sprint("v", i%7), "view", "i"} }), nil, []string{"no visitor has the 2 distinct items of --min-items"}, false},
		{"one event", events(1, varied), nil, nil, false},
		{"all events alike", events(50, func(int) [3]string { return [3]string{"v", "view", "i"} }), nil, nil, false},
		{"all events of one moment", ofOneMoment(50, func(i int) string { return fmt.Sprint("e", i) }), nil, nil, false},
		{"all rows alike to the last byte", ofOneMoment(50, func(int) string { return "e" }), nil, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := emptyBench(t)
			if test.rows != noFiles {
				b.put(test.rows)
			}
			flags := append(slices.Clone(small), test.flags...)
			if test.fails {
				b.refused(1, test.says, flags...)
				return
			}
			told := b.train(flags...)
			b.sound()
			b.wantEverything()
			for _, says := range test.says {
				if !strings.Contains(told, says) {
					t.Errorf("no word of %q:\n%s", says, told)
				}
			}
		})
	}
}

// TestFaultBatchFiles trains once, on a folder with a batch file that was cut off and one that was delivered three times, while a
// second training is tried, and asks the Spark UI what it was told.
func TestFaultBatchFiles(t *testing.T) {
	t.Parallel()
	b := setup(t, os.Getenv("SPARK_REMOTE"), 3000)
	files, err := filepath.Glob(filepath.Join(b.batches(), "batch_*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	deliver := func(partition string, rows []byte) (name string) { // the same offsets, as those of another partition
		name = partition + strings.TrimPrefix(filepath.Base(files[0]), "batch_010")
		if err := os.WriteFile(filepath.Join(b.batches(), name), rows, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	deliver("batch_100", rows)
	deliver("batch_101", rows)
	name := deliver("batch_102", rows[:len(rows)/2])
	flags := append(slices.Clone(small), "--rank", "7") // which nobody else trains with, for the Spark UI tells of everybody's jobs
	b.refused(1, []string{name, "cut off", "--skip-bad-batches"}, flags...)

	ui, before := b.sparkUI()
	first := b.start("", 0, append(flags, "--skip-bad-batches")...)
	first.waitSteps(1)
	if err := first.Process.Signal(syscall.SIGSTOP); err != nil { // so that it cannot have ended when the second one looks
		t.Fatal(err)
	}
	b.refused(1, []string{"another training is running", filepath.Join(b.models(), ".lock")}, small...)
	if err := first.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err != nil {
		t.Fatalf("the first training ended with %v\n%s", err, first.errs.String())
	}
	if n := b.sound(); n != 1 || b.champion() == "" {
		t.Errorf("%d versions, want the first training's, and it the champion", n)
	}
	toldSteps(t, ui, before)

	if bad := b.manifest().Data.BadBatchFiles; !slices.Equal(bad, []string{name}) {
		t.Errorf("passed over %v, want %s", bad, name)
	}
	if err := os.Remove(filepath.Join(b.batches(), name)); err != nil {
		t.Fatal(err)
	}
	b.wantEverything()
	if c := b.manifest().Counts; c.Events != 3000 || c.Repeats != 2*int64(bytes.Count(rows, []byte("\n"))-1) {
		t.Errorf("%+v, want 3000 events, and each row of %s repeated twice", c, files[0])
	}
}

func TestFaultParameters(t *testing.T) {
	t.Parallel()
	b := emptyBench(t)
	b.put(events(10, func(i int) [3]string { return [3]string{"v", "view", fmt.Sprint("i", i)} }))
	for flag, values := range map[string][]string{
		"--reg": {"NaN", "Inf", "-1"}, "--alpha": {"NaN", "+Inf", "0"}, "--holdout": {"NaN", "Inf", "0", "1"}, "--half-life-days": {"NaN", "-Inf"}, "--window-days": {"NaN", "Inf", "-1"},
		"--popular-half-life-days": {"NaN", "Inf", "0"}, "--event-weights": {"view=NaN", "view=Inf", "view=0"}, "--rank": {"0", "1025", "NaN"}, "--iterations": {"0"}, "--min-items": {"0"},
	} {
		for _, v := range values {
			b.refused(2, []string{flag[2:], v}, flag, v)
		}
	}
}
