package recommend_test

import (
	"slices"
	"testing"

	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

func TestSimilarByVisits(t *testing.T) {
	t.Parallel()
	spec := small()
	spec.Near = map[string][]modeltest.Scored{"b1": {{Item: "new1", Score: 0.9}, {Item: "a3", Score: 0.5}, {Item: "a1", Score: 0.1}}, "new2": {{Item: "b2", Score: 1}}}
	r := load(t, spec)
	for name, c := range map[string]struct {
		item     string
		options  recommend.Options
		strategy string
		items    []string
	}{
		"neighbours first, then by factors, then popular": {"b1", recommend.Options{Limit: 10}, "similar", []string{"new1", "a3", "a1", "b2", "a2", "new2"}},
		"page":                           {"b1", recommend.Options{Limit: 2, Offset: 1}, "similar", []string{"a3", "a1"}},
		"page over the seam":             {"b1", recommend.Options{Limit: 2, Offset: 2}, "similar", []string{"a1", "b2"}},
		"excluded":                       {"b1", recommend.Options{Limit: 2, Exclude: []string{"new1"}}, "similar", []string{"a3", "a1"}},
		"only":                           {"b1", recommend.Options{Limit: 9, Only: []string{"b2", "b1", "a1"}}, "similar", []string{"a1", "b2"}},
		"only what is not there":         {"b1", recommend.Options{Limit: 9, Only: []string{"nothing"}}, "similar", nil},
		"neighbours but no factors":      {"new2", recommend.Options{Limit: 2}, "similar", []string{"b2", "a1"}},
		"factors but no neighbours":      {"b2", recommend.Options{Limit: 1}, "similar", []string{"b1"}},
		"neither factors nor neighbours": {"new1", recommend.Options{Limit: 2}, "popular", []string{"new2", "a1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, known := r.SimilarByVisits(c.item, c.options)
			var items []string
			for _, item := range a.Items {
				items = append(items, item.ID)
			}
			if !known || a.Strategy != c.strategy || !slices.Equal(items, c.items) {
				t.Errorf("got %s %v, want %s %v", a.Strategy, a.Items, c.strategy, c.items)
			}
		})
	}
	if _, known := r.SimilarByVisits("nothing", recommend.Options{Limit: 1}); known {
		t.Error("an unknown item has similar ones")
	}
}
