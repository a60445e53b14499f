//go:build integration

package train

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
)

// TestTrainedByPartsAsAtOnce trains on some of the batch files, on all of them when the others have come late, and once more with all of
// them read again: the last two must have learned the same.
func TestTrainedByPartsAsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, os.Getenv("SPARK_REMOTE"), 4000)
	files, err := filepath.Glob(filepath.Join(b.batches(), "batch_*.csv"))
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	away := t.TempDir()
	move := func(from, to string) {
		t.Helper()
		for i := 0; i < len(files); i += 3 {
			name := filepath.Base(files[i])
			if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	parts := func(want int) {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(b.dir, features.StoreDir, "2*"))
		if err != nil || len(found) != want {
			t.Errorf("the store of events has the parts %v, %v; want %d", found, err, want)
		}
	}
	move(b.batches(), away)
	b.train(small...)
	move(away, b.batches())
	b.train(small...)
	parts(2)
	b.wantEverything()
	byParts := b.load()
	b.train(append(slices.Clone(small), "--recompute")...)
	parts(1)
	atOnce := b.load()

	was, is := byParts.Manifest, atOnce.Manifest
	if was.Counts != is.Counts || !reflect.DeepEqual(was.Data, is.Data) {
		t.Errorf("by parts of %+v, at once of %+v: %+v and %+v", was.Data, is.Data, was.Counts, is.Counts)
	}
	if was.Purchase.Trained != is.Purchase.Trained || was.Purchase.Tested != is.Purchase.Tested || was.Purchase.BaseRate != is.Purchase.BaseRate {
		t.Errorf("who bought: by parts %+v, at once %+v", was.Purchase, is.Purchase)
	}
	sameVersion(t, byParts, atOnce)
}

// load reads the champion.
func (b *bench) load() *model.Version {
	b.Helper()
	v, err := model.Load(filepath.Join(b.models(), b.champion()))
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// sameVersion holds the tables of two versions against each other. Spark sums in the order in which tasks end, so that numbers may differ in
// their last digits, and those that are alike may stand in another order.
func sameVersion(t *testing.T, a, b *model.Version) {
	t.Helper()
	if a.Visitors.Len() != b.Visitors.Len() || a.Items.Len() != b.Items.Len() {
		t.Fatalf("%d visitors and %d items, and %d and %d", a.Visitors.Len(), a.Items.Len(), b.Visitors.Len(), b.Items.Len())
	}
	for v := range int32(a.Visitors.Len()) {
		if a.Visitors.Name(v) != b.Visitors.Name(v) {
			t.Fatalf("visitor %d is %s and %s", v, a.Visitors.Name(v), b.Visitors.Name(v))
		}
		itemsA, strengthsA := a.Seen.Of(v)
		itemsB, strengthsB := b.Seen.Of(v)
		if !slices.Equal(itemsA, itemsB) || !nearly(strengthsA, strengthsB) || !nearly(a.Seen.Ages(v), b.Seen.Ages(v)) || !nearly(a.Seen.Habits(v), b.Seen.Habits(v)) {
			t.Errorf("visitor %d has seen %v %v, and %v %v", v, itemsA, strengthsA, itemsB, strengthsB)
		}
		if !nearly(a.Factors.Visitors.Of(v), b.Factors.Visitors.Of(v)) {
			t.Errorf("visitor %d has the factors %v and %v", v, a.Factors.Visitors.Of(v), b.Factors.Visitors.Of(v))
		}
		for _, p := range [][2]*model.Profiles{{a.Profiles, b.Profiles}, {a.RecentProfiles, b.RecentProfiles}} {
			profileA, knownA := p[0].Of(v)
			profileB, knownB := p[1].Of(v)
			if knownA != knownB || profileA != profileB {
				t.Errorf("visitor %d did %+v and %+v", v, profileA, profileB)
			}
		}
	}
	for i := range int32(a.Items.Len()) {
		if a.Items.Name(i) != b.Items.Name(i) {
			t.Fatalf("item %d is %s and %s", i, a.Items.Name(i), b.Items.Name(i))
		}
		for _, tables := range [][2]*model.Neighbours{{&a.Near, &b.Near}, {&a.Recent, &b.Recent}} {
			itemsA, scoresA := tables[0].Of(i)
			itemsB, scoresB := tables[1].Of(i)
			sameRanking(t, "the neighbours of item "+a.Items.Name(i), itemsA, itemsB, scoresA, scoresB)
		}
		if !nearly(a.Factors.Items.Of(i), b.Factors.Items.Of(i)) {
			t.Errorf("item %d has the factors %v and %v", i, a.Factors.Items.Of(i), b.Factors.Items.Of(i))
		}
	}
	for kind, list := range a.Popular {
		sameRanking(t, "popular by "+kind, list.Items, b.Popular[kind].Items, list.Scores, b.Popular[kind].Scores)
	}
	if len(a.Popular) != len(b.Popular) || a.Popular[model.PopularAll].Len() == 0 {
		t.Errorf("%d and %d lists of popular items", len(a.Popular), len(b.Popular))
	}
	sameRanking(t, "trending", a.Trending.Items, b.Trending.Items, a.Trending.Scores, b.Trending.Scores)
}

// nearly tells whether the numbers are the same but for their last digits.
func nearly[F float32 | float64](a, b []F) bool {
	return slices.EqualFunc(a, b, func(x, y F) bool {
		return math.Abs(float64(x-y)) <= 1e-4*max(math.Abs(float64(x)), math.Abs(float64(y)), 1e-2)
	})
}

// sameRanking wants the same scores, and of the same items where the scores tell them apart.
func sameRanking[F float32 | float64](t *testing.T, what string, itemsA, itemsB []int32, a, b []F) {
	t.Helper()
	if !nearly(a, b) {
		t.Errorf("%s: scores %v and %v", what, a, b)
		return
	}
	for i := range itemsA {
		alone := (i == 0 || !nearly(a[i-1:i], a[i:i+1])) && i+1 < len(a) && !nearly(a[i:i+1], a[i+1:i+2])
		if alone && itemsA[i] != itemsB[i] {
			t.Errorf("%s: place %d is %d and %d", what, i, itemsA[i], itemsB[i])
		}
	}
}
