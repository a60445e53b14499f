package synthetic

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"
)

func TestTheSameSettingsGiveTheSameBytes(t *testing.T) {
	t.Parallel()
	// If these change on purpose, raise Version: existing sets must not pass for what the program would write now.
	want := map[string]string{
		"events":     "bb8d8eb427630b16d7d533cf7fa92880d55a386e7acd716ae640015f4260aebb",
		"tree":       "2497ac33eb9314040affdac7fa342dab5b24beb6f730c327b6a4aa23bc562ceb",
		"properties": "e05ad60a4a95355251fc7ca577017a480974b6ade8c1ecf5cf166b9fde5ec859",
	}
	shop := New(Settings{Events: 10_000, Seed: 1})
	got := map[string]string{
		"properties": sum(t, shop.WriteItemProperties),
		"tree":       sum(t, shop.WriteCategoryTree),
		"events":     sum(t, func(w io.Writer) error { _, err := shop.WriteEvents(context.Background(), w, nil); return err }),
	}
	for name, pinned := range want {
		if got[name] != pinned {
			t.Errorf("%s: SHA-256 %s, want %s", name, got[name], pinned)
		}
	}
	other := New(Settings{Events: 10_000, Seed: 2})
	if sum(t, func(w io.Writer) error { _, err := other.WriteEvents(context.Background(), w, nil); return err }) == got["events"] {
		t.Error("another seed gives the same events")
	}
}

func TestFullScaleHasTheRealFilesSizes(t *testing.T) {
	t.Parallel()
	want := Sizes{Events: 2_756_101, Visitors: 1_407_580, Items: 235_061, Duplicates: 460}
	if got := (Settings{Events: 2_756_101}).Sizes(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	total := 0
	for _, n := range eventCounts(want.Visitors, want.Events-want.Duplicates) {
		total += int(n)
	}
	if total != want.Events-want.Duplicates {
		t.Errorf("visitors have %d events in all, want %d", total, want.Events-want.Duplicates)
	}
}

// Whatever the size, what is written has exactly the sizes that were announced.
func TestSizesAreExact(t *testing.T) {
	t.Parallel()
	sizes := []int{100, 999, 5_991, 5_992, 10_000, 29_999, 60_000}
	for n := 1; n <= 40; n++ {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		for seed := uint64(0); seed < 3; seed++ {
			settings := Settings{Events: n, Seed: seed}
			want := settings.Sizes()
			set := generate(t, settings)
			got := Sizes{Events: len(set.events), Visitors: len(set.visitors()), Items: len(set.items()), Duplicates: set.duplicates()}
			if got != want {
				t.Errorf("%d events, seed %d: got %+v, want %+v", n, seed, got, want)
			}
			c := set.counts
			if told := (Sizes{Events: c.Rows, Visitors: c.Visitors, Items: c.Items, Duplicates: c.Duplicates}); told != want {
				t.Errorf("%d events, seed %d: WriteEvents tells %+v, want %+v", n, seed, told, want)
			}
			if c.Views+c.Carts+c.OrderLines+c.Duplicates != n {
				t.Errorf("%d events, seed %d: the kinds do not add up: %+v", n, seed, c)
			}
		}
	}
}

func TestAFailingWriterEndsTheRun(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	for _, room := range []int{0, 1 << 20} {
		w := &limited{room: room, err: full}
		_, err := New(Settings{Events: 100_000, Seed: 1}).WriteEvents(context.Background(), w, nil)
		if !errors.Is(err, full) {
			t.Errorf("room for %d bytes: got %v, want %v", room, err, full)
		}
		if w.calls > room/(1<<18)+1 {
			t.Errorf("room for %d bytes: %d more writes after the failure", room, w.calls-room/(1<<18)-1)
		}
	}
	if err := New(Settings{Events: 1000}).WriteCategoryTree(&limited{err: full}); !errors.Is(err, full) {
		t.Errorf("category tree: got %v, want %v", err, full)
	}
	if err := New(Settings{Events: 1000}).WriteItemProperties(&limited{err: full}); !errors.Is(err, full) {
		t.Errorf("item properties: got %v, want %v", err, full)
	}
}

func TestTheEndOfTheContextEndsTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	told := 0
	_, err := New(Settings{Events: 100_000, Seed: 1}).WriteEvents(ctx, io.Discard, func(rows int) { told++; cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if told > 2 {
		t.Errorf("went on for %d reports of progress after the end of the context", told)
	}
}

func TestTimeAndTrafficAreTheSameCurve(t *testing.T) {
	t.Parallel()
	c := newClock()
	if c.at(0) != First || c.at(c.traffic(Last)) != Last {
		t.Errorf("the curve runs from %d to %d, want %d to %d", c.at(0), c.at(c.traffic(Last)), First, Last)
	}
	for ms := First; ms <= Last; ms += 1_234_567 {
		if back := c.at(c.traffic(ms)); back != ms {
			t.Fatalf("%d comes back as %d", ms, back)
		}
	}
}

// limited takes room bytes and then fails.
type limited struct {
	room, calls int
	err         error
}

func (l *limited) Write(p []byte) (int, error) {
	l.calls++
	if len(p) > l.room {
		return 0, l.err
	}
	l.room -= len(p)
	return len(p), nil
}

func sum(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(h[:])
}
