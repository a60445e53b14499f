//go:build integration

package features_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/batch"
	"cartwheel/internal/erasure"
	"cartwheel/internal/event"
	"cartwheel/internal/features"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/synthetic/synthetictest"
)

// bench is a data folder and a store on it.
type bench struct {
	*testing.T
	dir string
	log bytes.Buffer
	features.Store
}

func setup(t *testing.T) *bench {
	t.Helper()
	session := sparktest.Open(t)
	if err := session.Config().Set(t.Context(), "spark.sql.shuffle.partitions", "2"); err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, dir: t.TempDir()}
	b.Store = features.Store{Session: session, DataDir: b.dir, SparkDataDir: b.dir, Log: slog.New(slog.NewTextHandler(&b.log, nil))}
	return b
}

// put writes the batch file of partition p whose first offset is first, a row for each of ids.
func (b *bench) put(p int, first int64, rows ...string) string {
	b.Helper()
	name := batch.Name{Partition: p, First: first, Last: first + int64(len(rows)) - 1}
	text := strings.Join(rows, "\n") + "\n"
	if err := synthetictest.WriteBatch(filepath.Join(b.dir, features.BatchesDir), name, []byte(text)); err != nil {
		b.Fatal(err)
	}
	return name.String()
}

// row is the event of that number, always the same.
func row(n int) string {
	e := event.Event{Timestamp: int64(1_000_000 + n), VisitorID: fmt.Sprint("v", n%7), Event: event.View, ItemID: fmt.Sprintf("i,%d é", n%11), EventID: fmt.Sprintf("e%06d", n)}
	if n%5 == 0 {
		e.Event, e.TransactionID = event.Transaction, fmt.Sprint("t", n)
	}
	return strings.TrimSuffix(string(event.AppendBatchRow(nil, &e)), "\n")
}

func rows(from, to int) (all []string) {
	for n := from; n < to; n++ {
		all = append(all, row(n))
	}
	return all
}

// update wants an update without an error, and forgets what was logged before it.
func (b *bench) update(o features.StoreOptions) *features.Snapshot {
	b.Helper()
	b.log.Reset()
	s, err := b.Update(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// contents is every event of a snapshot, in order.
func (b *bench) contents(s *features.Snapshot) string {
	b.Helper()
	df, err := s.Events.SelectExpr(b.Context(), "concat_ws('|', array_sort(collect_list(concat_ws(',', eventid, timestamp, visitorid, event, itemid, coalesce(transactionid, '-'))))) all", "count(*) n")
	if err != nil {
		b.Fatal(err)
	}
	r, err := df.First(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if n := r.Value("n").(int64); n != s.Count {
		b.Errorf("the store holds %d events and says %d", n, s.Count)
	}
	return r.Value("all").(string)
}

// same holds what an update gives against what reading everything again gives.
func (b *bench) same(s *features.Snapshot) {
	b.Helper()
	had := b.contents(s)
	all := b.update(features.StoreOptions{Recompute: true})
	if all.Read != len(all.Files) {
		b.Errorf("reading everything again read %d of %d files", all.Read, len(all.Files))
	}
	if s.Count != all.Count || s.Rows != all.Rows || strings.Join(s.Files, " ") != strings.Join(all.Files, " ") {
		b.Errorf("step by step %d events of %d rows in %d files; at once %d of %d in %d", s.Count, s.Rows, len(s.Files), all.Count, all.Rows, len(all.Files))
	}
	if b.contents(all) != had {
		b.Error("the events step by step are not those read at once")
	}
}

func (b *bench) want(s *features.Snapshot, read int, count, rows int64) {
	b.Helper()
	if s.Read != read || s.Count != count || s.Rows != rows {
		b.Errorf("%d files read, %d events of %d rows; want %d, %d of %d", s.Read, s.Count, s.Rows, read, count, rows)
	}
}

func TestOnlyNewBatchFilesAreRead(t *testing.T) {
	b := setup(t)
	b.want(b.update(features.StoreOptions{}), 0, 0, 0)
	b.put(0, 0, rows(0, 100)...)
	b.put(0, 200, rows(200, 300)...)
	b.want(b.update(features.StoreOptions{}), 2, 200, 200)
	b.want(b.update(features.StoreOptions{}), 0, 200, 200)
	b.put(0, 100, rows(100, 200)...) // late: an earlier range
	b.put(1, 0, rows(300, 340)...)
	b.want(b.update(features.StoreOptions{}), 2, 340, 340)
	b.put(2, 0, append(rows(90, 110), rows(339, 345)...)...) // 21 that are stored, 5 that are not
	b.put(2, 26, append(rows(344, 346), rows(345, 346)...)...)
	s := b.update(features.StoreOptions{})
	b.want(s, 2, 346, 369)
	b.same(s)
	if b.log.Len() > 0 {
		t.Errorf("the log is not silent while all is well: %s", b.log.String())
	}
}

func TestAnyOrderGivesTheSameEvents(t *testing.T) {
	b := setup(t)
	random := rand.New(rand.NewPCG(1, 2))
	var all [][]string
	for i := range 18 { // more than a store has parts
		r := rows(i*20, i*20+20)
		for range 5 {
			r = append(r, row(random.IntN(360)))
		}
		all = append(all, r)
	}
	for _, i := range random.Perm(len(all)) {
		b.put(i, 0, all[i]...)
		b.update(features.StoreOptions{})
	}
	s := b.update(features.StoreOptions{})
	b.want(s, 0, 360, 450)
	b.same(s)
}

func TestRowsThatBearOneEventIDAndDiffer(t *testing.T) {
	for _, test := range []struct {
		name         string
		first, later string
		again        bool
	}{
		{"the stored one is the least", "1,v,view,i,,x", "2,v,view,i,,x", false},
		{"the later one is the least", "2,v,view,i,,x", "1,v,view,i,,x", true},
		{"by the last column", "2,v,transaction,i,9,x", "2,v,transaction,i,8,x", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := setup(t)
			b.put(0, 0, append(rows(0, 10), test.first)...)
			b.update(features.StoreOptions{})
			b.put(1, 0, append(rows(10, 20), test.later)...)
			s := b.update(features.StoreOptions{})
			if again := strings.Contains(b.log.String(), "differ"); again != test.again {
				t.Errorf("read again: %v, want %v", again, test.again)
			}
			b.want(s, 1, 21, 22)
			b.same(s)
		})
	}
}

func TestBatchFilesThatChangeOrGo(t *testing.T) {
	b := setup(t)
	b.put(0, 0, rows(0, 50)...)
	removed := b.put(0, 50, rows(50, 80)...)
	changed := b.put(1, 0, rows(80, 100)...)
	b.update(features.StoreOptions{})
	if err := os.Remove(filepath.Join(b.dir, features.BatchesDir, removed)); err != nil {
		t.Fatal(err)
	}
	s := b.update(features.StoreOptions{})
	b.want(s, 2, 70, 70)
	if !strings.Contains(b.log.String(), removed) {
		t.Errorf("the log does not name %s: %s", removed, b.log.String())
	}
	b.put(1, 0, rows(100, 120)...) // under the name of changed
	s = b.update(features.StoreOptions{})
	b.want(s, 2, 70, 70)
	if !strings.Contains(b.log.String(), changed) {
		t.Errorf("the log does not name %s: %s", changed, b.log.String())
	}
	b.same(s)
}

func TestADamagedBatchFileInTheMiddle(t *testing.T) {
	b := setup(t)
	b.put(0, 0, rows(0, 50)...)
	b.put(1, 0, rows(60, 80)...)
	bad := b.put(0, 50, "51,v,view")

	_, err := b.Update(t.Context(), features.StoreOptions{})
	if !errors.Is(err, features.ErrBatch) || !strings.Contains(err.Error(), bad) || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "--skip-bad-batches") {
		t.Errorf("it says %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(b.dir, features.StoreDir)); len(left) != 0 {
		t.Errorf("a refused update leaves %v", left)
	}
	s := b.update(features.StoreOptions{SkipBad: true})
	b.want(s, 2, 70, 70)
	if len(s.Bad) != 1 || s.Bad[0] != bad || !strings.Contains(b.log.String(), bad) {
		t.Errorf("passed over are %v; the log says %s", s.Bad, b.log.String())
	}
	if _, err := b.Update(t.Context(), features.StoreOptions{}); !errors.Is(err, features.ErrBatch) {
		t.Errorf("the next update without the flag says %v", err)
	}
	if err := os.Remove(filepath.Join(b.dir, features.BatchesDir, bad)); err != nil {
		t.Fatal(err)
	}
	b.put(0, 50, rows(50, 60)...)
	s = b.update(features.StoreOptions{})
	b.want(s, 1, 80, 80)
	b.same(s)
}

func TestWhatACrashLeavesIsCleared(t *testing.T) {
	b := setup(t)
	b.put(0, 0, rows(0, 50)...)
	b.update(features.StoreOptions{})
	dir := filepath.Join(b.dir, features.StoreDir)
	parts, _ := filepath.Glob(filepath.Join(dir, "2*"))
	for _, name := range []string{".tmp-20260101T000000.000000Z", "20260101T000000.000000Z"} { // before its rename, and before the index
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(parts[0])); err != nil {
			t.Fatal(err)
		}
	}
	b.put(0, 50, rows(40, 60)...)
	s := b.update(features.StoreOptions{})
	b.want(s, 1, 60, 70)
	if left, _ := os.ReadDir(dir); len(left) != 3 {
		t.Errorf("the store's folder holds %v; want two parts and the index", left)
	}
	part, _ := filepath.Glob(filepath.Join(parts[0], "*.parquet"))
	if err := os.Truncate(part[0], 10); err != nil {
		t.Fatal(err)
	}
	b.want(b.update(features.StoreOptions{}), 2, 60, 70)
	if !strings.Contains(b.log.String(), filepath.Base(part[0])) {
		t.Errorf("the log does not say why: %s", b.log.String())
	}
}

// TestErasedVisitorsAreInNoEvent erases visitors before a batch file comes, after it, and again by a repeat of their events.
func TestErasedVisitorsAreInNoEvent(t *testing.T) {
	b := setup(t)
	b.put(0, 0, rows(0, 70)...) // visitors v0 to v6, ten events each
	b.want(b.update(features.StoreOptions{}), 1, 70, 70)

	wanted := func(s *features.Snapshot, count, rows, erased, visitors int64) {
		t.Helper()
		if s.Count != count || s.Rows != rows || s.Erased != erased || s.ErasedVisitors != visitors {
			t.Errorf("%d events of %d rows, %d rows of %d erased visitors; want %d of %d, %d of %d", s.Count, s.Rows, s.Erased, s.ErasedVisitors, count, rows, erased, visitors)
		}
		if text := b.contents(s); strings.Contains(text, ",v1,") || strings.Contains(text, ",v2,") {
			t.Errorf("erased visitors are in the events: %s", text)
		}
	}
	o := features.StoreOptions{Erased: erasure.List{"v1": 1, "v2": 1, "it's nobody": 1}}
	s := b.update(o)
	wanted(s, 50, 70, 20, 3)
	if s.Read != 1 || !strings.Contains(b.log.String(), "erased") {
		t.Errorf("%d files were read again; the log says %s", s.Read, b.log.String())
	}
	b.put(0, 70, rows(70, 140)...)
	b.put(1, 0, rows(60, 80)...) // repeats, some of erased visitors
	s = b.update(o)
	wanted(s, 100, 160, 46, 3)
	if s.Read != 2 {
		t.Errorf("%d files were read, want the new ones", s.Read)
	}
	had := b.contents(s)
	o.Recompute = true
	s = b.update(o)
	wanted(s, 100, 160, 46, 3)
	if b.contents(s) != had {
		t.Error("the events step by step are not those read at once")
	}
}
