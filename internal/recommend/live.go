package recommend

import (
	"cmp"
	"iter"
	"slices"

	"cartwheel/internal/model"
)

// LiveClick is an event of a visitor that the version does not know of.
type LiveClick struct {
	Click
	At int64 // Unix ms
}

const dayMS = 24 * 60 * 60 * 1000

// VisitorWith answers as Visitor does for a visitor who has done something since the version was trained, oldest first. What is new
// is added to what the version knows: to the pairs that factors are folded in from, and to the history that the blend weighs, as a
// training would have taken it. A visitor whom the version does not know is answered as by Session. Without anything new the answer
// is that of Visitor.
func (r *Recommender) VisitorWith(id string, live []LiveClick, o Options) Answer {
	visitor, known := r.visitors.Number(id)
	if !known && len(live) > 0 {
		return r.Session(clicksOf(live), o)
	}
	s := r.begin(o)
	defer r.scratches.Put(s)
	if !known {
		return r.byPopularity(s, model.PopularAll, o)
	}
	blend := r.blends.VisitorNew
	if o.IncludeSeen {
		blend = r.blends.VisitorAll
	}
	r.weighVisitor(s, visitor, live, blend)
	if !o.IncludeSeen {
		for _, pair := range s.pairs {
			s.skip.Add(pair.Item)
		}
	}
	if s.mixture.silent() {
		return r.byPopularity(s, model.PopularAll, o)
	}
	return r.mix(s, StrategyALS, o)
}

// ScoresWith returns the scores that VisitorWith ranks by when seen items are included, of any items, in the order asked.
func (r *Recommender) ScoresWith(visitorID string, live []LiveClick, itemIDs []string) (strategy string, scores []ItemScore) {
	s := r.begin(Options{})
	defer r.scratches.Put(s)
	if visitor, known := r.visitors.Number(visitorID); known {
		r.weighVisitor(s, visitor, live, r.blends.VisitorAll)
		return r.scored(s, StrategyALS, itemIDs)
	}
	r.weighSession(s, clicksOf(live), r.blends.Session)
	return r.scored(s, StrategySession, itemIDs)
}

// StrangerScores are the scores for somebody of whom nothing is known.
func (r *Recommender) StrangerScores(itemIDs []string) (strategy string, scores []ItemScore) {
	s := r.begin(Options{})
	defer r.scratches.Put(s)
	return r.scored(s, StrategyPopular, itemIDs)
}

func clicksOf(live []LiveClick) []Click {
	clicks := make([]Click, len(live))
	for i, c := range live {
		clicks[i] = c.Click
	}
	return clicks
}

// weighVisitorWith is weighVisitor for the stored history with the new clicks before it. The newest click has the age 0; what is
// stored keeps its ages, for the version's other figures have not aged either.
func (r *Recommender) weighVisitorWith(s *scratch, visitor int32, live []LiveClick, blend model.Blend) {
	stored, strengths := r.seen.Of(visitor)
	ages, habits := r.seen.Ages(visitor), r.seen.Habits(visitor)
	var m merged
	newest := live[len(live)-1].At
	for i := len(live) - 1; i >= 0; i-- { // newest first, as in the version
		c := live[i]
		m.add(r.number(s, c.ItemID), r.weight(c.Event), float32(newest-c.At)/dayMS, c.At/dayMS)
	}
	m.close()
	for i, item := range stored {
		if j := slices.Index(m.items, item); j >= 0 {
			m.strengths[j] += strengths[i]
			m.habits[j] += habits[i]
			continue
		}
		m.items, m.strengths = append(m.items, item), append(m.strengths, strengths[i])
		m.ages, m.habits = append(m.ages, ages[i]), append(m.habits, habits[i])
	}
	for i, item := range m.items {
		if item >= 0 {
			s.pairs = append(s.pairs, pair{item, m.strengths[i]})
		}
	}
	s.mixture.weighVisits(m.items, m.strengths, m.ages, m.habits, blend)
	var query []float32
	if blend.Factors > 0 && r.folder.Fold(s.query, s.pairs) {
		query = s.query
	}
	r.prepare(&s.mixture, query, blend)
}

// merged is a visitor's history as a version has it: items newest first, and their figures.
type merged struct {
	items                   []int32
	strengths, ages, habits []float32
	days                    []int64   // by item: the day that is being weighed
	strongest               []float32 // by item: the strongest event of that day
}

// add adds an event, each no newer than the one before. For the habit, each day counts its strongest event.
func (m *merged) add(item int32, weight, age float32, day int64) {
	i := slices.Index(m.items, item)
	if i < 0 {
		m.items, m.strengths = append(m.items, item), append(m.strengths, weight)
		m.ages, m.habits = append(m.ages, max(0, age)), append(m.habits, 0)
		m.days, m.strongest = append(m.days, day), append(m.strongest, weight)
		return
	}
	m.strengths[i] += weight
	if m.days[i] != day {
		m.habits[i] += m.strongest[i]
		m.days[i], m.strongest[i] = day, 0
	}
	m.strongest[i] = max(m.strongest[i], weight)
}

func (m *merged) close() {
	for i := range m.habits {
		m.habits[i] += m.strongest[i]
	}
}

// Wanted answers with items by scores that somebody else has given them, which come most wanted first, then with the others by popularity,
// their scores 0. Items that the version does not know are among them.
func (r *Recommender) Wanted(ranked iter.Seq2[string, float64], o Options) Answer {
	s := r.begin(o)
	defer r.scratches.Put(s)
	s.best = s.best[:0]
	listed := s.mixture.met
	listed.Clear()
	for id, score := range ranked {
		if len(s.best) == o.Offset+o.Limit && r.rules.boosts == nil {
			break // there may be hundreds of thousands
		}
		item, known := r.items.Number(id)
		switch {
		case known && !s.filter.out(item):
			listed.Add(item)
			s.best = append(s.best, Scored{item, r.rules.boosted(item, score)})
		case !known && r.showsStranger(id, o):
			s.strangers = append(s.strangers, id)
			s.best = append(s.best, Scored{int32(-len(s.strangers)), r.rules.stranger(id, score)})
		}
	}
	slices.SortStableFunc(s.best, func(a, b Scored) int { return cmp.Compare(b.Score, a.Score) })
	for _, item := range r.offered[model.PopularAll].order {
		if len(s.best) >= o.Offset+o.Limit {
			break
		}
		if !listed.Has(item) && !s.filter.out(item) {
			s.best = append(s.best, Scored{Item: item})
		}
	}
	return r.answer(s, StrategyPopular, s.best, o)
}

// showsStranger reports whether a request leaves an item that the version does not know.
func (r *Recommender) showsStranger(id string, o Options) bool {
	return o.Category == "" && r.rules.offers(id) && !slices.Contains(o.Exclude, id) && (o.Only == nil || slices.Contains(o.Only, id))
}
