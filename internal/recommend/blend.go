package recommend

import (
	"math"
	"slices"

	"cartwheel/internal/model"
)

const (
	// nearClicks and ownClicks are how many clicks back a session's items count for their neighbours and for themselves.
	nearClicks, ownClicks = 10, 50
	// historyItems is how many of a visitor's newest items, or of a session's latest clicks, count.
	historyItems = 200
	// margin is how many more items than asked for are looked at before it is checked whether they suffice.
	margin = 8
)

// mixture scores items by several signals at once:
//
//	score(b) = Σ weight_i · signal_i(b) / max signal_i
//
// over the signals that model.Blend names.
type mixture struct {
	blend   model.Blend // weights divided by the signals' maxima; 0 where a signal says nothing
	query   []float32   // nil if there are no factors to go by
	length  float64     // of the query
	most    float64     // what factors can add to a score
	said    []said      // by item: what the history says of it
	round   uint32      // of requests: what is said in another is not said
	touched []int32     // the items of which it says something
	looks   []look      // at each of these, while they are weighed
	history []weighed
	filled  bool // whether what the blend weighs says nothing, but what an answer is filled by does
	met     *set
	top     []Scored
}

// said is what a history says of an item, side by side, for it is used together. Items are met at random all over the catalogue, and
// each look at memory that lies elsewhere costs more than all of the arithmetic.
type said struct {
	signals
	round uint32
}

type signals [3]float32

const (
	saidNear   = iota // Σ weight of x · nearness of the item to x, over the history's items x
	saidRecent        // the same by the recent neighbours
	saidOwn           // its weight, if it is one of the history's
)

// trait is what a score needs of an item whoever asks, side by side for the same reason.
type trait struct {
	popularity float64 // its score in the list of popular items, all kinds of event counted
	length     float32 // the norm of its factors, rounded up; 0 if it has none
	place      int32   // in that list
}

// look is what is found of an item without its factors.
type look struct {
	besides float64 // its score without them
	atMost  float64 // what its score may be with them, its boost included
}

// weighed is an item of a history, and how much it counts for its neighbours and for itself.
type weighed struct {
	item      int32
	near, own float64
}

func newMixture(items int) mixture {
	return mixture{said: make([]said, items), round: 1, met: newSet(items)}
}

func (m *mixture) clear() {
	m.round++
	if m.round == 0 { // after 2³² rounds, what was said in old ones would count again
		clear(m.said)
		m.round = 1
	}
	m.touched, m.history, m.query, m.blend, m.filled = m.touched[:0], m.history[:0], nil, model.Blend{}, false
}

// of is what the history says of an item.
func (m *mixture) of(item int32) signals {
	if m.said[item].round != m.round {
		return signals{}
	}
	return m.said[item].signals
}

// weighVisits fills the history from a visitor's items, newest first, by their ages in days and how much of a habit each is. For
// itself an item counts by the cube root of that: whoever took something on ten days does not come back for it ten times as surely.
func (m *mixture) weighVisits(items []int32, strengths, ages, habits []float32, b model.Blend) {
	for i, item := range items[:min(len(items), historyItems)] {
		m.history = append(m.history, weighed{item, float64(strengths[i]) * math.Pow(b.NeighboursDecay, float64(ages[i])),
			math.Cbrt(float64(habits[i]) * math.Pow(b.OwnDecay, float64(ages[i])))})
	}
}

// weighClicks fills the history from the items of a session and the weights of the clicks on them, oldest first. A click counts by how
// many came after it, and by its kind. For its neighbours an item counts by the click of it that counts most, for itself by all of
// them: whoever keeps coming back to something will again.
func (m *mixture) weighClicks(clicks []int32, kinds []float32, b model.Blend) {
	for back := range min(len(clicks), ownClicks) {
		at := len(clicks) - 1 - back
		w := weighed{item: clicks[at], own: math.Pow(b.OwnDecay, float64(back))}
		if back < nearClicks {
			w.near = math.Pow(b.NeighboursDecay, float64(back))
		}
		if b.Kinds != 0 {
			kind := math.Pow(float64(kinds[at]), b.Kinds)
			w.near, w.own = kind*w.near, kind*w.own
		}
		if i := slices.IndexFunc(m.history, func(h weighed) bool { return h.item == w.item }); i >= 0 {
			m.history[i].near = max(m.history[i].near, w.near)
			m.history[i].own += w.own
			continue
		}
		m.history = append(m.history, w)
	}
}

// prepare computes what scores need: the signals of the history, and every signal's maximum.
func (r *Recommender) prepare(m *mixture, query []float32, b model.Blend) {
	m.query, m.length, m.blend = query, norm(query), b
	var nearMax, recentMax, ownMax float32
	for _, h := range m.history {
		if b.Own > 0 {
			ownMax = max(ownMax, float32(h.own))
		}
		if h.item < 0 {
			continue // it has no neighbours and no factors
		}
		if b.Own > 0 {
			m.touch(h.item)[saidOwn] = float32(h.own)
		}
		if b.Neighbours > 0 {
			nearMax = max(nearMax, m.approach(saidNear, &r.near, h))
		}
		if b.Recent > 0 {
			recentMax = max(recentMax, m.approach(saidRecent, &r.recent, h))
		}
	}
	var factorMax float64
	if query != nil && b.Factors > 0 {
		if m.top = r.index.Top(m.top, query, 1, nil); len(m.top) > 0 {
			factorMax = m.top[0].Score
		}
	}
	var popularMax float64
	if list := r.popular[model.PopularAll]; len(list.scores) > 0 {
		popularMax = list.scores[0]
	}
	m.blend.Neighbours = ratio(b.Neighbours, float64(nearMax))
	m.blend.Recent = ratio(b.Recent, float64(recentMax))
	m.blend.Own = ratio(b.Own, float64(ownMax))
	m.blend.Factors = ratio(b.Factors, factorMax)
	m.most = m.blend.Factors * factorMax
	m.blend.Popular = ratio(b.Popular, popularMax)
}

func ratio(weight, largest float64) float64 {
	if !(largest > 0) {
		return 0
	}
	return weight / largest
}

// approach adds what h gives its neighbours to a signal, and returns the largest value that it left there.
func (m *mixture) approach(signal int, neighbours *model.Neighbours, h weighed) (largest float32) {
	if h.near == 0 {
		return 0
	}
	items, scores := neighbours.Of(h.item)
	near := float32(h.near)
	scores = scores[:len(items)]
	all, touched, round := m.said, m.touched, m.round // which would be looked up for each item: this loop is most of an answer
	for i, item := range items {
		one := &all[item]
		if one.round != round {
			*one = said{round: round}
			touched = append(touched, item)
		}
		sum := one.signals[signal] + near*scores[i]
		one.signals[signal] = sum
		if sum > largest { // max would see to NaN, too
			largest = sum
		}
	}
	m.touched = touched
	return largest
}

func (m *mixture) touch(item int32) *signals {
	s := &m.said[item]
	if s.round != m.round {
		*s = said{round: m.round}
		m.touched = append(m.touched, item)
	}
	return &s.signals
}

// silent reports whether nothing but popularity says anything.
func (m *mixture) silent() bool {
	return !m.filled && m.blend.Neighbours == 0 && m.blend.Recent == 0 && m.blend.Own == 0 && m.blend.Factors == 0
}

// atMost bounds the score of an item, its boost included, by its score besides factors and a look at no more than the length of its
// factors (Cauchy and Schwarz). It errs upwards by more than rounding.
func (r *Recommender) atMost(m *mixture, item int32, besides float64) float64 {
	if m.most > 0 {
		besides += min(m.most, m.blend.Factors*m.length*float64(r.traits[item].length))
	}
	return r.rules.boosted(item, besides) * (1 + 1e-9)
}

// score is an item's score, its boost included.
func (r *Recommender) score(m *mixture, item int32) float64 {
	return r.whole(m, item, r.besidesFactors(m, item))
}

// whole is the score of an item by its score besides factors.
func (r *Recommender) whole(m *mixture, item int32, score float64) float64 {
	if m.blend.Factors > 0 {
		if row := r.index.Vector(item); row != nil {
			score += m.blend.Factors * dot(m.query, row)
		}
	}
	return r.rules.boosted(item, score)
}

func (r *Recommender) besidesFactors(m *mixture, item int32) float64 {
	said := m.of(item)
	score := m.blend.Neighbours*float64(said[saidNear]) + m.blend.Recent*float64(said[saidRecent]) + m.blend.Own*float64(said[saidOwn])
	if m.blend.Popular > 0 {
		score += m.blend.Popular * r.traits[item].popularity
	}
	return score
}

// mix answers with the items of the best scores, exactly. It looks at the items that the history touches, and at the best by factors
// and by popularity; an item that is none of these can score no more than the last of them would. Where that bound is above the
// worst of the answer, it looks further (the threshold algorithm of Fagin, Lotem and Naor 2001). So it does, on lists of their own,
// with the items that a boost raises.
func (r *Recommender) mix(s *scratch, strategy string, o Options) Answer {
	m := &s.mixture
	need := o.Offset + o.Limit
	popular := r.popular[model.PopularAll]
	s.best = s.best[:0]
	consider := func(item int32) {
		if m.said[item].round != m.round {
			m.touch(item)
			r.weigh(s, need, item, r.besidesFactors(m, item))
		}
	}
	r.weighTouched(s, need)
	for _, scored := range r.strange(s, o) {
		s.best = push(s.best, scored, need)
	}
	mostPopular := m.blend.Popular * popular.scored(popular.order[0]).Score
	if items, ok := r.narrow(s, o); ok {
		for _, item := range items {
			// What the history does not touch has factors and popularity alone.
			if len(s.best) < need || r.rules.boosted(item, mostPopular+m.blend.Factors*m.length*r.index.length(item))*(1+1e-9) >= s.best[0].Score {
				consider(item)
			}
		}
		return r.mixed(s, strategy, o)
	}
	// Of the items that a boost raises, none can come in any more once neither what is left by length nor what is left by popularity can.
	for i := range r.rules.raised {
		if len(s.best) == need && r.raisedAtMost(m, i) < s.best[0].Score {
			break
		}
		consider(r.rules.raised[i])
		consider(r.rules.raisedByPopularity[i])
	}
	for reach := need + margin; ; reach *= 4 {
		var bound float64 // of the score of what is not considered
		if m.blend.Factors > 0 {
			// Of the items that the history does not touch, only those can come in that reach the worst of the answer by their factors
			// and at most as much popularity as there is.
			floor := math.Inf(-1)
			if len(s.best) == need {
				floor = (s.best[0].Score - mostPopular) / m.blend.Factors
				floor -= 1e-9 * math.Abs(floor)
			}
			m.top = r.index.above(m.top, m.query, reach, &s.filter, floor)
			for _, scored := range m.top {
				consider(scored.Item)
			}
			switch {
			case len(m.top) == reach:
				bound += m.blend.Factors * max(0, m.top[reach-1].Score)
			case len(s.best) == need:
				bound += m.blend.Factors * max(0, floor)
			}
		}
		passed, place := 0, 0
		for ; place < len(popular.order) && passed < reach; place++ {
			if item := popular.order[place]; !s.filter.out(item) {
				consider(item)
				passed++
			}
		}
		if place == len(popular.order) {
			return r.mixed(s, strategy, o)
		}
		// Nothing else is better than this would be.
		next := Scored{int32(place), bound + m.blend.Popular*popular.scored(popular.order[place]).Score}
		if len(s.best) == need && better(s.best[0], next) < 0 {
			return r.mixed(s, strategy, o)
		}
	}
}

// weighTouched weighs the items that the history touches: first those that are the best without factors, so that most of the others
// need no look at theirs.
func (r *Recommender) weighTouched(s *scratch, need int) {
	m := &s.mixture
	m.looks, m.top = m.looks[:0], m.top[:0]
	for i, item := range m.touched {
		besides := r.besidesFactors(m, item)
		m.looks = append(m.looks, look{besides, r.atMost(m, item, besides)})
		if (len(m.top) < need || besides > m.top[0].Score) && !s.filter.out(item) {
			m.top = push(m.top, Scored{int32(i), besides}, need)
		}
	}
	for _, first := range m.top {
		r.enter(s, need, m.touched[first.Item], first.Score)
		m.looks[first.Item].atMost = math.Inf(-1) // it need not be weighed again
	}
	for i, look := range m.looks {
		worst := -math.MaxFloat64 // anything comes in while there is room
		if len(s.best) == need {
			worst = s.best[0].Score
		}
		if look.atMost >= worst {
			r.enter(s, need, m.touched[i], look.besides)
		}
	}
}

// weigh puts an item among the best if it is one of them and may be shown.
func (r *Recommender) weigh(s *scratch, need int, item int32, besides float64) {
	if len(s.best) < need || r.atMost(&s.mixture, item, besides) >= s.best[0].Score {
		r.enter(s, need, item, besides)
	}
}

func (r *Recommender) enter(s *scratch, need int, item int32, besides float64) {
	if !s.filter.out(item) {
		s.best = push(s.best, Scored{r.traits[item].place, r.whole(&s.mixture, item, besides)}, need)
	}
}

// strange gives the items of a session that are newer than the version, and may be shown all the same: people come back to them.
func (r *Recommender) strange(s *scratch, o Options) (items []Scored) {
	if s.mixture.blend.Own == 0 || !o.IncludeSeen || o.Category != "" {
		return nil
	}
	for _, h := range s.mixture.history {
		if h.item >= 0 {
			continue
		}
		id := s.strangers[-1-h.item]
		if r.rules.offers(id) && !slices.Contains(o.Exclude, id) && (o.Only == nil || slices.Contains(o.Only, id)) {
			items = append(items, Scored{h.item, r.rules.stranger(id, s.mixture.blend.Own*h.own)})
		}
	}
	return items
}

// mixed makes the answer of s.best, in which items stand by their places in the list of popular ones, so that equal scores come by
// popularity.
func (r *Recommender) mixed(s *scratch, strategy string, o Options) Answer {
	slices.SortFunc(s.best, better)
	for i, scored := range s.best {
		if scored.Item >= 0 {
			s.best[i].Item = r.popular[model.PopularAll].order[scored.Item]
		}
	}
	if strategy == StrategySession {
		r.fill(s, o)
	}
	a := r.answer(s, strategy, s.best, o)
	if o.Explain {
		r.explain(s, a.Items)
	}
	return a
}

// carried is what one item of the history adds to another's score, apart from factors.
func (r *Recommender) carried(m *mixture, from, to int32) float64 {
	var sum float64
	for _, h := range m.history {
		if h.item != from {
			continue
		}
		if from == to {
			sum += m.blend.Own * h.own
		}
		for _, by := range []struct {
			weight     float64
			neighbours *model.Neighbours
		}{{m.blend.Neighbours, &r.near}, {m.blend.Recent, &r.recent}} {
			items, scores := by.neighbours.Of(from)
			if i := slices.Index(items, to); i >= 0 {
				sum += by.weight * h.near * float64(scores[i])
			}
		}
	}
	return sum
}
