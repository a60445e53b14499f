package erasure_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cartwheel/internal/erasure"
)

func read(t *testing.T, dir string) erasure.List {
	t.Helper()
	list, err := erasure.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWhoIsOnTheListStaysOnIt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data") // which is not there yet
	if list := read(t, dir); len(list) != 0 || list.Sum() != "" {
		t.Errorf("without a file, %v are on the list", list)
	}
	const odd = `anna, "the first" é`
	for _, more := range []erasure.List{{"ben": 2, odd: 1}, {"ben": 9}, {"carl": 3}} {
		if _, err := erasure.Add(dir, more); err != nil {
			t.Fatal(err)
		}
	}
	list := read(t, dir)
	if len(list) != 3 || list["ben"] != 2 || list[odd] != 1 || !list.Has("carl") || list.Has("dora") {
		t.Errorf("the list is %v", list)
	}
	text, err := os.ReadFile(filepath.Join(dir, erasure.FileName))
	if want := "visitorid,timestamp\n\"anna, \"\"the first\"\" é\",1\nben,2\ncarl,3\n"; err != nil || string(text) != want {
		t.Errorf("the file holds %s, %v", text, err)
	}
	if again := (erasure.List{"ben": 7, odd: 7, "carl": 7}); again.Sum() != list.Sum() || again.Sum() == (erasure.List{"ben": 7}).Sum() {
		t.Error("the checksum does not follow from who is on the list alone")
	}
}

func TestSeveralAddAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 10 {
				if added, err := erasure.Add(dir, erasure.List{fmt.Sprint(i, "-", n): 1}); added != 1 || err != nil {
					t.Error(added, err)
				}
			}
		})
	}
	group.Wait()
	if list := read(t, dir); len(list) != 80 {
		t.Errorf("%d of 80 are on the list", len(list))
	}
}

func TestADamagedListIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"":                                  "begins with",
		"ben,1\n":                           `begins with "ben,1"`,
		"visitorid,timestamp\nben\n":        "line 2",
		"visitorid,timestamp\nben,1\n,2\n":  "line 3: ",
		"visitorid,timestamp\nben,today\n":  `line 2: the timestamp "today"`,
		"visitorid,timestamp\n\"ben,1\nx,2": "line 2",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, erasure.FileName)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := erasure.Add(dir, erasure.List{"anna": 1})
		if !errors.Is(err, erasure.ErrList) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
		if now, _ := os.ReadFile(path); string(now) != text {
			t.Errorf("%q became %q", text, now)
		}
	}
}
