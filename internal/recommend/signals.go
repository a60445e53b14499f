package recommend

import (
	"slices"

	"cartwheel/internal/model"
)

// Signals are what a blend weighs, before it weighs it: for the items that may be in an answer, each signal divided by its largest
// value over the catalogue. A training tries blends on them, many times faster than by asking for answers.
type Signals struct {
	Items     []int32  // a negative number -1-i stands for Strangers[i]
	Strangers []string // items of a session that the version does not know
	Factors   []float32
	Popular   []float32
	Near      [][]float32 // one for each way of weighing the history that was asked for
	Recent    [][]float32 // likewise
	Own       [][]float32 // likewise
}

// Weighing is a way to weigh a history's items: the numbers that model.Blend has for that.
type Weighing struct {
	Decay float64 // NeighboursDecay and OwnDecay
	Kinds float64 // of a session only
}

func (w Weighing) blend() model.Blend {
	return model.Blend{Factors: 1, Neighbours: 1, Recent: 1, Own: 1, Popular: 1, NeighboursDecay: w.Decay, OwnDecay: w.Decay, Kinds: w.Kinds}
}

// candidates is how many of the best of each signal are kept.
const candidates = 150

// VisitorSignals gives the signals of a visitor's history; of an unknown visitor, popularity only.
func (r *Recommender) VisitorSignals(id string, weighings []Weighing, includeSeen bool) Signals {
	s := r.begin(Options{})
	defer r.scratches.Put(s)
	visitor, known := r.visitors.Number(id)
	if !known {
		return r.signals(s, weighings, includeSeen, func(model.Blend) {})
	}
	return r.signals(s, weighings, includeSeen, func(b model.Blend) {
		s.pairs = s.pairs[:0]
		r.weighVisitor(s, visitor, nil, b)
	})
}

// SessionSignals gives the signals of a session. The weighings of one Kinds come before those of the next. Where all clicks count alike,
// those of each Kinds come to the same, and share their slices.
func (r *Recommender) SessionSignals(clicks []Click, weighings []Weighing) Signals {
	s := r.begin(Options{})
	defer r.scratches.Put(s)
	different := weighings
	if !slices.ContainsFunc(clicks, func(c Click) bool { return r.weight(c.Event) != r.weight(clicks[0].Event) }) {
		different = slices.DeleteFunc(slices.Clone(weighings), func(w Weighing) bool { return w.Kinds != weighings[0].Kinds })
	}
	out := r.signals(s, different, true, func(b model.Blend) {
		s.pairs, s.clicks, s.kinds, s.strangers = s.pairs[:0], s.clicks[:0], s.kinds[:0], s.strangers[:0]
		r.weighSession(s, clicks, b)
	})
	for _, w := range weighings[len(different):] {
		i := slices.IndexFunc(different, func(d Weighing) bool { return d.Decay == w.Decay })
		out.Near, out.Recent, out.Own = append(out.Near, out.Near[i]), append(out.Recent, out.Recent[i]), append(out.Own, out.Own[i])
	}
	return out
}

// signals weighs the history in each way, with all weights 1, and reads the signals off.
func (r *Recommender) signals(s *scratch, weighings []Weighing, includeSeen bool, weigh func(model.Blend)) Signals {
	m := &s.mixture
	var out Signals
	popular := r.popular[model.PopularAll]
	s.only.Clear()
	add := func(item int32) {
		if !s.only.Has(item) && !s.skip.Has(item) { // the only set serves to meet each item once
			s.only.Add(item)
			out.Items = append(out.Items, item)
		}
	}
	for i, w := range weighings {
		m.clear()
		weigh(w.blend())
		if i == 0 {
			for _, h := range m.history {
				switch {
				case h.item < 0:
					out.Items = append(out.Items, h.item)
				case includeSeen:
					add(h.item)
				default:
					s.skip.Add(h.item)
				}
			}
			out.Strangers = slices.Clone(s.strangers)
			if m.blend.Factors > 0 {
				m.top = r.index.Top(m.top, m.query, candidates, &s.filter)
				for _, scored := range m.top {
					add(scored.Item)
				}
			}
			for _, item := range popular.order[:min(candidates, len(popular.order))] {
				add(item)
			}
		}
		if ends(weighings, i) { // the best neighbours at either end hold those between
			s.best = s.best[:0]
			for _, item := range m.touched {
				said := m.of(item)
				s.best = push(s.best, Scored{item, m.blend.Neighbours*float64(said[saidNear]) + m.blend.Recent*float64(said[saidRecent])}, candidates)
			}
			for _, scored := range s.best {
				add(scored.Item)
			}
		}
	}
	for i, w := range weighings {
		m.clear()
		weigh(w.blend())
		near, recent, own := make([]float32, len(out.Items)), make([]float32, len(out.Items)), make([]float32, len(out.Items))
		for j, item := range out.Items {
			if item < 0 {
				k := slices.IndexFunc(m.history, func(h weighed) bool { return h.item == item })
				own[j] = float32(m.blend.Own * m.history[k].own)
				if i == 0 {
					out.Factors, out.Popular = append(out.Factors, 0), append(out.Popular, 0)
				}
				continue
			}
			said := m.of(item)
			near[j] = float32(m.blend.Neighbours) * said[saidNear]
			recent[j] = float32(m.blend.Recent) * said[saidRecent]
			own[j] = float32(m.blend.Own) * said[saidOwn]
			if i > 0 {
				continue
			}
			var factors float64
			if row := r.index.Vector(item); row != nil && m.blend.Factors > 0 {
				factors = m.blend.Factors * dot(m.query, row)
			}
			out.Factors = append(out.Factors, float32(factors))
			out.Popular = append(out.Popular, float32(m.blend.Popular*popular.scored(item).Score))
		}
		out.Near, out.Recent, out.Own = append(out.Near, near), append(out.Recent, recent), append(out.Own, own)
	}
	return out
}

// ends reports whether a weighing is the first or the last of its Kinds.
func ends(weighings []Weighing, i int) bool {
	return i == 0 || i == len(weighings)-1 || weighings[i-1].Kinds != weighings[i].Kinds || weighings[i+1].Kinds != weighings[i].Kinds
}

// Top writes the numbers of the k best items by a blend that weighs the history for its neighbours in the near-th way that was asked for,
// and for itself in the own-th.
func (sig *Signals) Top(dst []Scored, k int, b model.Blend, near, own int) []Scored {
	dst = dst[:0]
	for i, item := range sig.Items {
		score := b.Factors*float64(sig.Factors[i]) + b.Popular*float64(sig.Popular[i]) +
			b.Neighbours*float64(sig.Near[near][i]) + b.Recent*float64(sig.Recent[near][i]) + b.Own*float64(sig.Own[own][i])
		if len(dst) == k && score < dst[0].Score {
			continue
		}
		dst = push(dst, Scored{item, score}, k)
	}
	slices.SortFunc(dst, better)
	return dst
}
