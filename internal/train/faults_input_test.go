//go:build integration

package train

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/batch"
	"cartwheel/internal/model"
	"cartwheel/internal/synthetic/synthetictest"
)

// put writes the batch file of partition p with these events, each as visitor, kind, item.
func (b *bench) put(p int, events [][3]string) string {
	b.Helper()
	var text strings.Builder
	for i, e := range events {
		fmt.Fprintf(&text, "%d,%s,%s,%s,,%d-%d\n", 1_700_000_000_000+60_000*i, e[0], e[1], e[2], p, i)
	}
	name := batch.Name{Partition: p, Last: int64(len(events) - 1)}
	if err := synthetictest.WriteBatch(b.batches(), name, []byte(text.String())); err != nil {
		b.Fatal(err)
	}
	return name.String()
}

// events makes n of them.
func events(n int, event func(i int) [3]string) (all [][3]string) {
	for i := range n {
		all = append(all, event(i))
	}
	return all
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

// TestFaultPoorData trains on what no shop is like. Each either gives a version that can be loaded, or says what is wrong.
func TestFaultPoorData(t *testing.T) {
	varied := func(i int) [3]string { return [3]string{fmt.Sprint("v", i%7), "view", fmt.Sprint("i", i%11)} }
	for _, test := range []struct {
		name   string
		events [][3]string
		flags  []string
		says   []string // empty: a version is made
	}{
		{"no batch files", nil, nil, []string{"no batch files", "consumer"}},
		{"batch files without a row", [][3]string{}, nil, []string{"hold no events"}},
		{"only views", events(200, varied), nil, nil},
		{"only views, which weigh nothing", events(200, varied), []string{"--event-weights", "transaction=1"}, []string{"no visitor has an event of a weight above 0", "transaction=1"}},
		{"one visitor", events(50, func(i int) [3]string { return [3]string{"v", "view", fmt.Sprint("i", i%11)} }), nil, nil},
		{"one item", events(50, func(i int) [3]string { return [3]string{fmt.Sprint("v", i%7), "view", "i"} }), nil, nil},
		{"one event", events(1, varied), nil, nil},
		{"all events alike", events(50, func(int) [3]string { return [3]string{"v", "view", "i"} }), nil, nil},
		{"a rank larger than the data allows", events(200, varied), []string{"--rank", "64"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := emptyBench(t)
			if test.events != nil {
				b.put(0, test.events)
			}
			flags := append(slices.Clone(small), test.flags...)
			if len(test.says) > 0 {
				b.refused(1, test.says, flags...)
				return
			}
			told := b.train(flags...)
			b.sound()
			if m := b.manifest(); m.Counts.Events != int64(len(test.events)) {
				t.Errorf("%d events, want %d", m.Counts.Events, len(test.events))
			}
			if strings.Contains(test.name, "rank") && !strings.Contains(told, "--rank 64") {
				t.Errorf("no word of the rank:\n%s", told)
			}
		})
	}
}

func TestFaultRepeatsOfOneEvent(t *testing.T) {
	b := emptyBench(t)
	name := b.put(0, events(40, func(i int) [3]string { return [3]string{fmt.Sprint("v", i%5), "view", fmt.Sprint("i", i%4)} }))
	rows, err := os.ReadFile(filepath.Join(b.batches(), name))
	if err != nil {
		t.Fatal(err)
	}
	for p := range 3 { // the same events again, delivered to other partitions
		if err := os.WriteFile(filepath.Join(b.batches(), strings.Replace(name, "batch_000", fmt.Sprintf("batch_00%d", p+1), 1)), rows, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.train(small...)
	if c := b.manifest().Counts; c.Events != 40 || c.RowsRead != 160 || c.Repeats != 120 {
		t.Errorf("%+v, want 40 events, 160 rows, 120 repeats", c)
	}
}

func TestFaultParameters(t *testing.T) {
	b := emptyBench(t)
	b.put(0, events(10, func(i int) [3]string { return [3]string{"v", "view", fmt.Sprint("i", i)} }))
	for flag, values := range map[string][]string{
		"--reg": {"NaN", "Inf", "-1"}, "--alpha": {"NaN", "+Inf", "0"}, "--holdout": {"NaN", "Inf", "0", "1"}, "--half-life-days": {"NaN", "-Inf"},
		"--popular-half-life-days": {"NaN", "Inf", "0"}, "--event-weights": {"view=NaN", "view=Inf", "view=0"}, "--rank": {"0", "1025", "NaN"}, "--iterations": {"0"}, "--min-items": {"0"},
	} {
		for _, v := range values {
			b.refused(2, []string{flag[2:], v}, flag, v)
		}
	}
}

func TestFaultBatchFileDamaged(t *testing.T) {
	b := setup(t, os.Getenv("SPARK_REMOTE"), 6000)
	b.train(small...)
	files, err := filepath.Glob(filepath.Join(b.batches(), "batch_*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	middle := files[len(files)/2]
	whole, err := os.ReadFile(middle)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(middle, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	b.refused(1, []string{filepath.Base(middle), "cut off", "--skip-bad-batches"}, small...)
	b.train(append(small, "--skip-bad-batches")...)
	m := b.manifest()
	if len(m.Data.BadBatchFiles) != 1 || m.Data.BadBatchFiles[0] != filepath.Base(middle) || len(m.Data.BatchFiles) != len(files)-1 || m.Counts.Events >= 6000 {
		t.Errorf("passed over %v, read %d of %d files, %d events", m.Data.BadBatchFiles, len(m.Data.BatchFiles), len(files), m.Counts.Events)
	}
	if err := os.WriteFile(middle, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	b.train(small...)
	if m := b.manifest(); m.Counts.RowsRead != 6000 || len(m.Data.BadBatchFiles) != 0 {
		t.Errorf("mended, %d rows are read, and %v passed over", m.Counts.RowsRead, m.Data.BadBatchFiles)
	}
}
