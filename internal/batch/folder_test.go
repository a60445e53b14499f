package batch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/event"
)

func TestNames(t *testing.T) {
	n := Name{Partition: 3, First: 10000, Last: 19999}
	const text = "batch_003_00000000000000010000_00000000000000019999.csv"
	if n.String() != text {
		t.Errorf("%s", n)
	}
	if got, ok := ParseName(text); !ok || got != n {
		t.Errorf("got %v, %v", got, ok)
	}
	for _, s := range []string{
		"", "batch_.csv", "." + text, text + ".gz", "batch_3_00000000000000010000_00000000000000019999.csv", "batch_003_10000_19999.csv",
		"batch_003_00000000000000020000_00000000000000019999.csv", "batch_003_-0000000000000000001_00000000000000019999.csv",
		"batch_003_00000000000000010000_99999999999999999999.csv", "batch_+03_00000000000000010000_00000000000000019999.csv",
	} {
		if got, ok := ParseName(s); ok {
			t.Errorf("%q was read as %v", s, got)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add("batch_003_00000000000000010000_00000000000000019999.csv", 3, int64(0), int64(9))
	f.Add(".tmp-batch_", 1000, int64(1)<<62, int64(1)<<62)
	f.Fuzz(func(t *testing.T, s string, partition int, first, last int64) {
		if n, ok := ParseName(s); ok && n.String() != s {
			t.Fatalf("%q was read as %v", s, n)
		}
		if partition < 0 || partition > maxPartition || first < 0 || last < first {
			return
		}
		n := Name{Partition: partition, First: first, Last: last}
		if got, ok := ParseName(n.String()); !ok || got != n {
			t.Fatalf("%v became %v, %v", n, got, ok)
		}
	})
}

// publish writes a batch file with one row through a claim.
func publish(t *testing.T, c *claim, first, last int64) error {
	t.Helper()
	f := c.begin(first, nil)
	if err := f.add(&event.Event{Timestamp: 1, VisitorID: "v", Event: event.View, ItemID: "i", EventID: "e"}); err != nil {
		return err
	}
	_, err := f.publish(last, func(string) {})
	return err
}

func mustClaim(t *testing.T, dir string, partition int) *claim {
	t.Helper()
	c, err := newClaim(dir, partition)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestListFindsGapsAndOverlaps(t *testing.T) {
	for name, c := range map[string]struct {
		files []Name
		says  string
	}{
		"none":                {nil, ""},
		"in a row":            {[]Name{{0, 5, 9}, {0, 10, 12}, {0, 13, 19}}, ""},
		"a gap":               {[]Name{{0, 0, 9}, {0, 20, 29}}, "offsets 10 to 19 of partition 0 are missing"},
		"an overlap":          {[]Name{{0, 0, 9}, {0, 5, 19}}, "offsets 5 to 9 are there twice"},
		"one inside another":  {[]Name{{0, 0, 19}, {0, 5, 9}}, "offsets 5 to 9 are there twice"},
		"of other partitions": {[]Name{{0, 0, 9}, {1, 20, 29}, {1, 50, 59}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, n := range c.files {
				if err := os.WriteFile(filepath.Join(dir, n.String()), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			names, err := List(dir, 0)
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrFolder) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, %v; want %q", names, err, c.says)
			}
		})
	}
}

func TestAClaimTakesOver(t *testing.T) {
	dir := t.TempDir()
	first := mustClaim(t, dir, 0)
	other := mustClaim(t, dir, 1)
	if err := publish(t, first, 0, 9); err != nil {
		t.Fatal(err)
	}
	begun := first.begin(10, nil) // an unfinished file, as a stopped consumer holds it
	if err := begun.flush(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, ".tmp-.batch_000_killed") // by a consumer that was killed while it took over
	if err := os.Mkdir(left, 0o755); err != nil {
		t.Fatal(err)
	}
	second := mustClaim(t, dir, 0)

	// What the first did not publish before is lost to it: a file begun before, and one begun now, under any name.
	if _, err := begun.publish(14, func(string) {}); !errors.Is(err, errFenced) {
		t.Errorf("a late file was published: %v", err)
	}
	if err := publish(t, first, 10, 12); !errors.Is(err, errFenced) {
		t.Errorf("a new file of the old owner was published: %v", err)
	}
	first.release()
	if err := publish(t, second, 10, 19); err != nil {
		t.Error(err)
	}
	if err := publish(t, other, 0, 9); err != nil {
		t.Errorf("another partition was touched: %v", err)
	}
	if err := publish(t, second, 10, 19); !errors.Is(err, errFenced) {
		t.Errorf("a taken name was not refused: %v", err)
	}
	names, err := List(dir, 0)
	if err != nil || len(names) != 2 {
		t.Errorf("%v, %v", names, err)
	}
	second.release()
	other.release()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("something unfinished is left: %v, %v", entries, err)
	}
}

func TestLastEventID(t *testing.T) {
	write := func(content string) string {
		path := filepath.Join(t.TempDir(), "f.csv")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	long := strings.Repeat("1,v,view,i,,e\n", 5000)
	for content, want := range map[string]string{event.BatchHeader + "\n": "", event.BatchHeader + "\n1,v,view,i,,e1\n": "e1", event.BatchHeader + "\n" + long + "1,v,view,i,,e2\n": "e2"} {
		if got, err := lastEventID(write(content)); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	for _, content := range []string{"", event.BatchHeader, event.BatchHeader + "\n1,v,vi", event.BatchHeader + "\nnonsense\n"} {
		if _, err := lastEventID(write(content)); !errors.Is(err, ErrFolder) {
			t.Errorf("%q: %v", content, err)
		}
	}
	if _, err := lastEventID(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
