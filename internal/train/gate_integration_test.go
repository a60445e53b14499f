//go:build integration

package train

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/model"
)

// TestFaultNotPromoted trains for a shop whose visitors all take next what is most popular, so that nothing is better than popularity: the
// version is kept and not served, unless it is forced. Then it is trained by settings under which hardly anything counts.
func TestFaultNotPromoted(t *testing.T) {
	t.Parallel()
	b := emptyBench(t)
	const crowd = 140 // half of them choose a blend for the other half, which fewer than 50 cannot
	b.put(events(22*crowd, func(i int) [3]string {
		visitor := i % crowd
		switch round := i / crowd; {
		case round == 21: // the hold-out
			return [3]string{fmt.Sprint("newcomer", visitor), "view", "hit"}
		case round < 10:
			return [3]string{fmt.Sprint("newcomer", visitor), "view", fmt.Sprint("i", (7*visitor+11*round)%29)}
		case round == 10:
			return [3]string{fmt.Sprint("newcomer", visitor), "transaction", "i5"}
		default:
			return [3]string{fmt.Sprint("old", visitor), "view", "hit"}
		}
	}))
	flags := slices.DeleteFunc(slices.Clone(small), func(f string) bool { return f == "--force" })
	flags = append(flags, "--holdout", "0.045")

	b.refused(3, []string{"not better than popularity", "was not made the champion", "--force"}, flags...)
	versions, err := model.List(b.models())
	if err != nil || len(versions) != 1 || b.sound() != 1 {
		t.Fatalf("%d versions, %v; want the refused one, kept", len(versions), err)
	}
	kept := versions[0].Manifest
	if d := kept.Decision; d.Promoted || !strings.Contains(d.Reason, "not better than popularity") || len(d.Comparisons) == 0 {
		t.Errorf("the manifest of the refused version says %+v", d)
	}

	b.train(append(flags, "--force")...)
	if d := b.manifest().Decision; !d.Promoted || !d.Forced || !strings.Contains(d.Reason, "not better than popularity") {
		t.Errorf("the manifest of the forced version says %+v", d)
	}
	champion := b.champion()

	b.refused(3, []string{"worse than the champion " + champion}, append(flags, "--event-weights", "transaction=1")...)
	if n := b.sound(); n != 3 {
		t.Errorf("%d versions, want 3", n)
	}
	if _, err := model.ReadManifest(filepath.Join(b.models(), kept.Version)); err != nil {
		t.Error(err)
	}
}
