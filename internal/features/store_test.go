package features

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cartwheel/internal/event"
)

const (
	batchA = "batch_000_00000000000000000000_00000000000000000001.csv"
	batchB = "batch_000_00000000000000000002_00000000000000000003.csv"
	sound  = event.BatchHeader + "\n1,v,view,i,,a\n2,v,transaction,\"i,2\",7,b\n"
)

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryDamageToABatchFileIsNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, says string }{
		{"empty", "", "line 1: it was cut off"},
		{"another header", "a,b\n", `begins with "a,b"`},
		{"no header", "1,v,view,i,,a\n", "not with the header"},
		{"cut in a row", sound[:len(sound)-4], "line 3: it was cut off"},
		{"cut at a field's end", sound[:len(sound)-1], "line 3: it was cut off"},
		{"too few columns", sound + "3,v,view\n", "line 4: invalid event: the row has 3 columns"},
		{"no number", sound + "x,v,view,i,,c\n", "line 4: invalid event: timestamp"},
		{"an unknown kind", sound + "3,v,viewed,i,,c\n", `event "viewed"`},
		{"no visitor", sound + "3,,view,i,,c\n", "visitorid is empty"},
		{"no eventid", sound + "3,v,view,i,,\n", "eventid is empty"},
		{"zeros, as a torn write leaves them", sound + strings.Repeat("\x00", 100), "line 4: it was cut off"},
		{"a line without end", sound + strings.Repeat("x", 1<<20), "line 4: it is longer than any event"},
		{"an open quote", sound + "3,\"v,view,i,,c\n", "line 4: invalid event: a quote is not closed"},
	} {
		dir := t.TempDir()
		put(t, dir, batchA, sound)
		put(t, dir, batchB, test.text)
		files, err := listBatches(dir)
		if err != nil {
			t.Fatal(err)
		}
		good, bad, err := checkBatches(t.Context(), dir, files, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(good) != 1 || good[0].Name != batchA || good[0].Rows != 2 {
			t.Errorf("%s: the other file is %+v", test.name, good)
		}
		if len(bad) != 1 || bad[0].name != batchB || !errors.Is(bad[0].err, ErrBatch) || !strings.Contains(bad[0].err.Error(), batchB) || !strings.Contains(bad[0].err.Error(), test.says) {
			t.Errorf("%s: got %v, want it to name %s and say %q", test.name, bad, batchB, test.says)
		}
	}
}

func TestUnfinishedFilesAreNoBatchFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{batchA, ".batch_000_x.csv", ".tmp-" + batchB, "notes.txt"} {
		put(t, dir, name, sound)
	}
	files, err := listBatches(dir)
	if err != nil || len(files) != 1 || files[0].Name != batchA {
		t.Errorf("%v, %v; want %s alone", files, err, batchA)
	}
	if files, err := listBatches(filepath.Join(dir, "nowhere")); err != nil || len(files) != 0 {
		t.Errorf("a folder that is not there: %v, %v", files, err)
	}
}

func TestTheIndexNoticesWhatHasChanged(t *testing.T) {
	t.Parallel()
	setup := func() (dir string, ix *index) {
		dir = t.TempDir()
		put(t, dir, batchA, sound)
		put(t, dir, batchB, sound)
		files, err := listBatches(dir)
		if err != nil {
			t.Fatal(err)
		}
		stored, _, err := checkBatches(t.Context(), dir, files, nil)
		if err != nil {
			t.Fatal(err)
		}
		return dir, &index{Parts: []part{{Name: "p", Batches: stored}}}
	}
	const later = "batch_001_00000000000000000000_00000000000000000001.csv"
	for _, test := range []struct {
		name   string
		change func(dir string) error
		fresh  []string
		gone   []string
	}{
		{"nothing", func(string) error { return nil }, nil, nil},
		{"a new file", func(dir string) error { return os.WriteFile(filepath.Join(dir, later), []byte(sound), 0o644) }, []string{later}, nil},
		{"other times, the same contents", func(dir string) error { return os.Chtimes(filepath.Join(dir, batchA), time.Time{}, time.Unix(1, 0)) }, nil, nil},
		{"the same size, other contents", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, batchA), []byte(strings.Replace(sound, "view", "wiew", 1)), 0o644)
		}, nil, []string{batchA + " has changed"}},
		{"longer", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, batchA), []byte(sound+"3,v,view,i,,c\n"), 0o644)
		}, nil, []string{batchA + " has changed"}},
		{"removed", func(dir string) error { return os.Remove(filepath.Join(dir, batchB)) }, nil, []string{batchB + " is not there any more"}},
	} {
		dir, ix := setup()
		if err := test.change(dir); err != nil {
			t.Fatal(err)
		}
		now, err := listBatches(dir)
		if err != nil {
			t.Fatal(err)
		}
		fresh, gone, err := ix.compare(t.Context(), dir, now)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range fresh {
			names = append(names, f.Name)
		}
		if !slices.Equal(names, test.fresh) || !slices.Equal(gone, test.gone) {
			t.Errorf("%s: fresh %v, gone %v; want %v, %v", test.name, names, gone, test.fresh, test.gone)
		}
	}
}

func TestADamagedStoreIsNoticed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(dir string) error
		says   string
	}{
		{"whole", func(string) error { return nil }, ""},
		{"no index", func(dir string) error { return os.Remove(filepath.Join(dir, indexName)) }, ""},
		{"index cut off", func(dir string) error { return os.Truncate(filepath.Join(dir, indexName), 20) }, "damaged"},
		{"index of tomorrow", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, indexName), []byte(`{"schema":9}`), 0o644)
		}, "schema 9"},
		{"a file cut off", func(dir string) error { return os.Truncate(filepath.Join(dir, "p", "part-0.parquet"), 3) }, "part-0.parquet is missing or has another size"},
		{"a part gone", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "p")) }, "part-0.parquet is missing"},
		{"a file too many", func(dir string) error { return os.WriteFile(filepath.Join(dir, "p", "part-1.parquet"), nil, 0o644) }, "do not belong there"},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "p"), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, "p"), "part-0.parquet", "contents")
		put(t, filepath.Join(dir, "p"), ".part-0.parquet.crc", "Hadoop's own")
		ix := &index{Parts: []part{{Name: "p", Files: map[string]int64{"part-0.parquet": 8}, Batches: []batchFile{{Name: batchA, Rows: 2}}}}}
		if err := ix.write(dir); err != nil {
			t.Fatal(err)
		}
		if err := test.change(dir); err != nil {
			t.Fatal(err)
		}
		read, why, err := readIndex(dir)
		if err != nil {
			t.Fatal(err)
		}
		if test.says == "" && why != "" || !strings.Contains(why, test.says) {
			t.Errorf("%s: why %q, want %q", test.name, why, test.says)
		}
		if kept := len(read.Parts) > 0; kept != (test.name == "whole") {
			t.Errorf("%s: parts kept: %v", test.name, kept)
		}
	}
}

func TestWhatTheIndexDoesNotNameIsCleared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"p", "q", ".tmp-r"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "inside"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ix := &index{Parts: []part{{Name: "p"}}}
	if err := ix.write(dir); err != nil {
		t.Fatal(err)
	}
	if err := ix.clean(dir); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) != 2 || len(hidden) != 0 {
		t.Errorf("left are %v and %v; want p and the index", left, hidden)
	}
}
