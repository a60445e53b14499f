package synthetic

import (
	"slices"
	"testing"

	"cartwheel/internal/event"
)

// There must be something to learn: what was seen together with an item before a moment foretells the next item after it, far better
// than what was popular.
func TestWhatIsSeenTogetherForetellsTheNextItem(t *testing.T) {
	t.Parallel()
	s := generate(t, Settings{Events: 200_000, Seed: 1})
	cut := First + (Last-First)*8/10
	const top = 10

	together := map[string]map[string]int{}
	popular := map[string]int{}
	var later [][]event.Event
	for _, session := range s.sessions() {
		if session[0].Timestamp >= cut {
			later = append(later, session)
			continue
		}
		for i, a := range session {
			popular[a.ItemID]++
			for _, b := range session[max(0, i-3):min(len(session), i+4)] {
				if a.ItemID != b.ItemID {
					if together[a.ItemID] == nil {
						together[a.ItemID] = map[string]int{}
					}
					together[a.ItemID][b.ItemID]++
				}
			}
		}
	}

	bestSellers := best(popular, top)
	cases, byPopularity, byTogether := 0, 0, 0
	for _, session := range later {
		for i := range len(session) - 1 {
			now, next := session[i].ItemID, session[i+1].ItemID
			if now == next {
				continue
			}
			cases++
			if slices.Contains(bestSellers, next) {
				byPopularity++
			}
			if slices.Contains(best(together[now], top), next) {
				byTogether++
			}
		}
	}
	t.Logf("HR@10 of the next item in %d cases: seen together %.4f, popular %.4f",
		cases, float64(byTogether)/float64(cases), float64(byPopularity)/float64(cases))
	if cases < 5000 {
		t.Fatalf("only %d cases to judge by", cases)
	}
	if byTogether < cases/10 || byTogether < 5*byPopularity {
		t.Error("what is seen together is no better guide than popularity")
	}
}
