package model_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

// versions writes small versions of these names and returns the models folder.
func versions(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, name := range names {
		modeltest.Write(t, dir, modeltest.Random(name, uint64(i), 5, 8, 2))
	}
	return dir
}

// spoil overwrites a file of a version.
func spoil(t *testing.T, modelsDir, version string) {
	t.Helper()
	parts, err := filepath.Glob(filepath.Join(modelsDir, version, "items", "part-*"))
	if err != nil || len(parts) == 0 {
		t.Fatal(parts, err)
	}
	if err := os.WriteFile(parts[0], []byte("spoiled"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantChampion(t *testing.T, modelsDir, want string) {
	t.Helper()
	if got, err := model.Champion(modelsDir); err != nil || got != want {
		t.Errorf("the champion is %q, %v; want %q", got, err, want)
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	dir := versions(t, "a", "b", "c")
	if _, err := model.Rollback(dir, loads); !errors.Is(err, model.ErrNoPrevious) {
		t.Errorf("without a champion: %v", err)
	}
	activate := func(name string) {
		t.Helper()
		if m, err := model.Activate(dir, name, loads); err != nil || m.Version != name {
			t.Fatalf("activating %s: %v, %v", name, m, err)
		}
	}
	activate("a")
	if _, err := model.Rollback(dir, loads); !errors.Is(err, model.ErrNoPrevious) {
		t.Errorf("with the first champion: %v", err)
	}
	activate("b")
	activate("b") // once more changes nothing
	for _, want := range []string{"a", "b", "a"} {
		if m, err := model.Rollback(dir, loads); err != nil || m.Version != want {
			t.Fatalf("got %v, %v, want %s", m, err, want)
		}
		wantChampion(t, dir, want)
	}
	activate("c")
	modeltest.MakeChampion(t, dir, "../..") // somebody wrote nonsense: going back must still work
	if m, err := model.Rollback(dir, loads); err != nil || m.Version != "a" {
		t.Errorf("from nonsense: %v, %v, want a", m, err)
	}
	activate("c")
	spoil(t, dir, "a")
	if _, err := model.Rollback(dir, loads); !errors.Is(err, model.ErrBadVersion) || !strings.Contains(err.Error(), "items/part-") {
		t.Errorf("to a damaged version: %v", err)
	}
	wantChampion(t, dir, "c")
}

func TestActivateRefuses(t *testing.T) {
	t.Parallel()
	dir := versions(t, "good", "bad")
	if _, err := model.Activate(dir, "good", loads); err != nil {
		t.Fatal(err)
	}
	spoil(t, dir, "bad")
	for name, want := range map[string]error{"bad": model.ErrBadVersion, "nobody": fs.ErrNotExist, "../x": model.ErrBadVersion, "": model.ErrBadVersion} {
		if _, err := model.Activate(dir, name, loads); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
		wantChampion(t, dir, "good")
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	dir := versions(t, "1", "2", "3", "4", "5", "6", "7")
	for _, name := range []string{"2", "3"} { // 2 is the champion before
		if _, err := model.Activate(dir, name, loads); err != nil {
			t.Fatal(err)
		}
	}
	for _, strange := range []string{"notes", ".tmp-training"} {
		if err := os.MkdirAll(filepath.Join(dir, strange), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "4", model.ManifestName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	folders := func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() {
				names = append(names, e.Name())
			}
		}
		return names
	}
	before := folders()
	told, err := model.Prune(dir, 1, true)
	if err != nil || !slices.Equal(folders(), before) {
		t.Fatalf("a dry run: %v; left %v of %v", err, folders(), before)
	}
	done, err := model.Prune(dir, 1, false)
	if err != nil || !slices.Equal(done, told) {
		t.Fatalf("%v; did %v, told %v", err, done, told)
	}
	if got, want := folders(), []string{".tmp-training", "2", "3", "4", "7", "notes"}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	for _, p := range done {
		if p.Removed != slices.Contains([]string{"1", "5", "6"}, p.Name) || p.Removed == (p.Reason != "") {
			t.Errorf("told %+v", p)
		}
	}
	modeltest.MakeChampion(t, dir, "../..")
	if _, err := model.Prune(dir, 0, false); !errors.Is(err, model.ErrBadVersion) || len(folders()) != 6 {
		t.Errorf("with nonsense for a champion: %v, left %v", err, folders())
	}
	if done, err := model.Prune(filepath.Join(dir, "nowhere"), 1, false); err != nil || len(done) != 0 {
		t.Errorf("without a folder: %v, %v", done, err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	dir := versions(t, "a", "b")
	a, err := model.FindManifest(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := model.FindManifest(dir, "b")
	if err != nil {
		t.Fatal(err)
	}
	b.Counts, b.Parameters.Rank, b.Parameters.EventWeights = a.Counts, 3, map[string]float64{"view": 1, "addtocart": 4, "transaction": 5}
	b.Metrics["blend"] = model.Measurement{Cases: 2, Values: map[string]model.Interval{"mrr@20": {Mean: 0.3}}}
	differences, pairs, err := model.Compare(a, b, []string{"ndcg@10", "mrr@20"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []model.Difference{{"parameters.event_weights.addtocart", "3", "4"}, {"parameters.rank", "2", "3"}}; !slices.Equal(differences, want) {
		t.Errorf("differences %v, want %v", differences, want)
	}
	if len(pairs) != 2 || pairs[0].Measured != "als" || pairs[0].A.Mean != 0.5 || pairs[0].B.Mean != 0.5 || pairs[1].Metric != "mrr@20" || pairs[1].A != nil || pairs[1].B.Mean != 0.3 {
		t.Errorf("metrics %+v", pairs)
	}
}

// loads is a check of a version that knows its tables only.
func loads(dir string) error {
	_, err := model.Load(dir)
	return err
}
