package segment

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"cartwheel/internal/model"
)

// portrait is a segment's means by feature, and how they stand to those of all visitors.
type portrait struct {
	of, all map[string]float64
}

// over is by how many powers of two a mean exceeds that of all visitors; a little is added to both, so that nothing is infinite.
func (p portrait) over(feature string) float64 {
	return math.Log2((p.of[feature] + 0.05) / (p.all[feature] + 0.05))
}

// archetypes are a shop's words for visitors: whether one fits a segment, and how well it sets it apart from the others.
var archetypes = []struct {
	name  string
	fits  func(p portrait) bool
	score func(p portrait) float64
}{
	{"frequent buyers", func(p portrait) bool { return p.of["transactions"] >= 1.5 && p.of["sessions"] >= 2 },
		func(p portrait) float64 { return p.over("transactions") + p.over("sessions") }},
	{"occasional buyers", func(p portrait) bool { return p.of["transactions"] >= 0.5 },
		func(p portrait) float64 { return p.over("transactions") }},
	{"one-time buyers", func(p portrait) bool { return p.of["transactions"] >= 0.5 && p.of["sessions"] < 2 },
		func(p portrait) float64 { return p.over("transactions") - p.over("sessions") }},
	{"cart abandoners", func(p portrait) bool { return p.of["addtocarts"] >= 0.5 && p.of["cart_to_buy"] < 0.3 },
		func(p portrait) float64 { return p.over("addtocarts") - p.over("cart_to_buy") }},
	{"window shoppers", func(p portrait) bool {
		return p.of["transactions"] < 0.1 && p.of["addtocarts"] < 0.3 && p.of["items"] >= 2
	},
		func(p portrait) float64 { return p.over("items") }},
	{"returning browsers", func(p portrait) bool { return p.of["transactions"] < 0.1 && p.of["sessions"] >= 1.5 },
		func(p portrait) float64 { return p.over("sessions") }},
	{"one-time visitors", func(p portrait) bool { return p.of["sessions"] < 1.3 && p.of["items"] < 1.5 },
		func(p portrait) float64 { return -p.over("items") - p.over("sessions") + 0.5 }},
	{"newcomers", func(p portrait) bool { return p.over("tenure_days") < -0.5 },
		func(p portrait) float64 { return -p.over("tenure_days") / 2 }},
	{"lapsed visitors", func(p portrait) bool { return p.over("recency_days") > 0.3 && p.of["recency_days"] > 7 },
		func(p portrait) float64 { return p.over("recency_days") / 2 }},
}

// nameAll gives each segment a name of its own: the pair of word and segment that fits best is taken first. Where no word is left
// that fits, the name says by what the segment differs most from the one that bears the word.
func nameAll(m *model.Segments) {
	type match struct {
		segment, word int
		score         float64
	}
	portraits := make([]portrait, len(m.Segments))
	var matches []match
	for i, segment := range m.Segments {
		p := portrait{of: map[string]float64{}, all: map[string]float64{}}
		for k, name := range m.Features {
			p.of[name], p.all[name] = segment.Means[k], m.Population[k]
		}
		portraits[i] = p
		for word, a := range archetypes {
			if segment.Visitors > 0 && a.fits(p) {
				matches = append(matches, match{i, word, a.score(p)})
			}
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int { return cmp.Compare(b.score, a.score) })
	holder := map[string]int{} // the segment that a name was given to
	for _, match := range matches {
		name := archetypes[match.word].name
		if _, taken := holder[name]; m.Segments[match.segment].Name == "" && !taken {
			m.Segments[match.segment].Name, holder[name] = name, match.segment
		}
	}
	for i := range m.Segments {
		if m.Segments[i].Name != "" {
			continue
		}
		// The word that fits best is another's: say by what this one differs from it. Without any, from all visitors.
		word, than := "visitors", portraits[i].all
		if k := slices.IndexFunc(matches, func(match match) bool { return match.segment == i }); k >= 0 {
			word = archetypes[matches[k].word].name
			than = portraits[holder[word]].of
		}
		name := differing(word, portrait{portraits[i].of, than}, m.Features, holder)
		m.Segments[i].Name, holder[name] = name, i
	}
}

// differing adds to a word by what a segment differs most and what has not been said of another.
func differing(word string, p portrait, features []string, taken map[string]int) string {
	order := slices.Clone(features)
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(math.Abs(p.over(b)), math.Abs(p.over(a))) })
	for _, feature := range order {
		name := word + " with more " + title(feature)
		if p.over(feature) < 0 {
			name = word + " with fewer " + title(feature)
		}
		if _, ok := taken[name]; !ok {
			return name
		}
	}
	for n := 2; ; n++ {
		name := fmt.Sprintf("%s %d", word, n)
		if _, ok := taken[name]; !ok {
			return name
		}
	}
}
