package segment

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/model"
)

// segmentsOf makes segments with the means that are given, all else like the population.
func segmentsOf(population map[string]float64, means ...map[string]float64) *model.Segments {
	m := &model.Segments{Features: names}
	for _, name := range names {
		m.Population = append(m.Population, population[name])
	}
	for _, of := range means {
		s := model.Segment{Visitors: 10}
		for _, name := range names {
			v, told := of[name]
			if !told {
				v = population[name]
			}
			s.Means, s.Centre = append(s.Means, v), append(s.Centre, v)
		}
		m.Segments = append(m.Segments, s)
	}
	return m
}

var crowd = map[string]float64{"views": 2, "addtocarts": 0.06, "transactions": 0.02, "items": 1.6, "sessions": 1.2, "recency_days": 60, "tenure_days": 65,
	"events_per_session": 1.6, "view_to_cart": 0.02, "cart_to_buy": 0.01}

func TestNamesFollowTheProfileAndNotTheNumber(t *testing.T) {
	t.Parallel()
	means := map[string]map[string]float64{
		"one-time visitors":  {"views": 1.1, "items": 1, "sessions": 1, "addtocarts": 0, "transactions": 0},
		"window shoppers":    {"views": 7, "items": 6, "sessions": 1.4, "addtocarts": 0.02, "transactions": 0},
		"returning browsers": {"views": 6, "items": 1.8, "sessions": 4, "addtocarts": 0.02, "transactions": 0},
		"cart abandoners":    {"views": 3, "addtocarts": 1.3, "cart_to_buy": 0.02, "transactions": 0.01},
		"frequent buyers":    {"views": 30, "items": 15, "addtocarts": 6, "transactions": 5, "sessions": 9, "cart_to_buy": 0.8},
		"one-time buyers":    {"views": 3, "addtocarts": 1, "transactions": 1.1, "sessions": 1.1, "cart_to_buy": 0.9},
	}
	var want []string
	for name := range means {
		want = append(want, name)
	}
	slices.Sort(want)
	draw := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		order := slices.Clone(want)
		draw.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
		var given []map[string]float64
		for _, name := range order {
			given = append(given, means[name])
		}
		m := segmentsOf(crowd, given...)
		nameAll(m)
		for i, name := range order {
			if m.Segments[i].Name != name {
				t.Fatalf("in the order %v the segment %v is called %q, not %q", order, given[i], m.Segments[i].Name, name)
			}
		}
	}
}

func TestNoNameComesTwice(t *testing.T) {
	t.Parallel()
	alike := make([]map[string]float64, 50)
	m := segmentsOf(crowd, alike...)
	m.Segments[3].Visitors = 0
	nameAll(m)
	if err := m.Check(); err != nil {
		t.Error(err)
	}
	m.Segments[4].Name = m.Segments[5].Name
	if err := m.Check(); err == nil || !strings.Contains(err.Error(), "another's") {
		t.Errorf("a name twice: %v", err)
	}
}
