// Package recommend answers what to show: the best items for a visitor, for a session and beside an item, out of one model version.
//
// Answers are exact: an item's place follows from its score over the whole catalogue, and nothing is searched approximately. Items
// that the model knows no factors of have score 0, as their inner product would, and come in the order of their popularity. So an
// answer is as long as was asked for whenever that many items are eligible, whatever is filtered out.
//
// The package reads nothing and waits for nothing. A Recommender is made once for each version and shared by all requests.
package recommend

import (
	"iter"
	"math"
	"slices"
	"sync"

	"cartwheel/internal/model"
)

// How the items of an answer were found.
const (
	StrategyALS     = "als"     // by the visitor's factors, learned or folded in
	StrategySession = "session" // by the items of a session
	StrategySimilar = "similar" // by their likeness to an item
	StrategyPopular = "popular" // by what everybody wants
)

// Recommender answers from one version.
type Recommender struct {
	visitors       *model.IDs
	items          *model.IDs
	visitorFactors model.Rows
	seen           model.Seen
	near           model.Neighbours
	recent         model.Neighbours
	blends         model.Blends
	weights        map[string]float64
	index          *index
	folder         *folder
	popular        map[string]ranking
	offered        map[string]ranking // popular, with boosts
	trending       *wanted            // nil if the version has none
	traits         []trait            // by item
	factorless     []int32            // items without factors, most popular first
	categories     *model.Categories
	rules          *rules
	scratches      *sync.Pool
}

// Options narrow and cut an answer.
type Options struct {
	Limit       int      // how many items
	Offset      int      // how many of the best to pass over
	IncludeSeen bool     // whether items that the visitor or session has touched may be shown
	Exclude     []string // items that may not be shown; ids that do not exist are passed over
	Only        []string // the only items that may be shown, if not nil
	Category    string   // a category that items must be in or below, if not empty; where there is none of that id, no item is
	Explain     bool     // whether each item is to say what carries its score
}

// Item is one recommended item.
type Item struct {
	ID      string
	Score   float64
	Because []Share // only if an explanation was asked for and there is one

	Categories []string // likewise
}

// Answer is a list of items, best first.
type Answer struct {
	Strategy string
	Items    []Item
}

// Click is one event of a session.
type Click struct {
	ItemID string
	Event  string // a kind of event; what the version has no weight for counts as 1
}

// scratch is what a request needs while it is worked on.
type scratch struct {
	filter    filter
	skip      *set    // the filter's
	only      *set    // likewise
	list      []int32 // items that a request names
	kept      []int32 // those of few that may be shown
	query     []float32
	pairs     []pair
	best      []Scored
	clicks    []int32   // a negative number -1-i stands for strangers[i]
	kinds     []float32 // by click: the weight of its kind of event
	strangers []string  // items of the session that the version does not know
	mixture   mixture

	categories []int32  // of the session's items
	near       []Scored // by factors, where the blend has no weight for them
}

// New prepares to answer from a version. It copies the items' factors into the order of search, so that the version may be let go.
func New(v *model.Version) *Recommender {
	p, categories := v.Manifest.Parameters, v.Categories // copied, for a pointer into the version would keep all of it
	r := &Recommender{visitors: v.Visitors, items: v.Items, visitorFactors: v.Factors.Visitors, seen: v.Seen, near: v.Near, recent: v.Recent, weights: p.EventWeights,
		index: newIndex(v.Items.Len(), v.Factors.Rank, v.Factors.Items.Of, v.Rest), popular: map[string]ranking{}, categories: &categories, rules: &rules{}}
	r.blends = model.Blends{Session: p.Blends.Session.Or(model.ByFactors), VisitorNew: p.Blends.VisitorNew.Or(model.ByFactors),
		VisitorAll: p.Blends.VisitorAll.Or(model.ByFactors)}
	r.folder = newFolder(r.index, p.Alpha, p.RegParam, v.Rest)
	for event, list := range v.Popular {
		r.popular[event] = newRanking(list, v.Items.Len())
	}
	for _, item := range r.popular[model.PopularAll].order {
		if r.index.Vector(item) == nil {
			r.factorless = append(r.factorless, item)
		}
	}
	if v.Trending != nil {
		r.trending = &wanted{scores: v.Trending.Scores}
		for _, item := range v.Trending.Items {
			r.trending.ids = append(r.trending.ids, r.items.Name(item))
		}
	}
	r.offered, r.traits = r.popular, make([]trait, r.items.Len())
	for i, all := int32(0), r.popular[model.PopularAll]; int(i) < len(r.traits); i++ {
		r.traits[i] = trait{all.scored(i).Score, roundUp(r.index.length(i)), all.place[i]}
	}
	r.scratches = &sync.Pool{New: func() any {
		return &scratch{skip: newSet(r.items.Len()), only: newSet(r.items.Len()), query: make([]float32, r.index.rank), mixture: newMixture(r.items.Len())}
	}}
	return r
}

// Touched are the items that the version knows a visitor to have touched, newest first, and how many days before the end of its data.
func (r *Recommender) Touched(id string) iter.Seq2[string, float32] {
	return func(yield func(string, float32) bool) {
		visitor, known := r.visitors.Number(id)
		if !known {
			return
		}
		items, _ := r.seen.Of(visitor)
		ages := r.seen.Ages(visitor)
		for i, item := range items {
			if !yield(r.items.Name(item), ages[i]) {
				return
			}
		}
	}
}

// With returns a recommender that differs only in its blends.
func (r *Recommender) With(b model.Blends) *Recommender {
	other := *r
	other.blends = b
	return &other
}

// Visitor answers for a visitor by his history: by factors, learned or folded in, and by what else the version's blend weighs; for
// one without a history by popularity.
func (r *Recommender) Visitor(id string, o Options) Answer { return r.VisitorWith(id, nil, o) }

// weighVisitor fills s.pairs and the mixture from what the visitor has touched.
func (r *Recommender) weighVisitor(s *scratch, visitor int32, live []LiveClick, blend model.Blend) {
	if len(live) > 0 {
		r.weighVisitorWith(s, visitor, live, blend)
		return
	}
	items, strengths := r.seen.Of(visitor)
	for i, item := range items {
		s.pairs = append(s.pairs, pair{item, strengths[i]})
	}
	s.mixture.weighVisits(items, strengths, r.seen.Ages(visitor), r.seen.Habits(visitor), blend)
	var query []float32
	if blend.Factors > 0 {
		query = r.taste(s, visitor)
	}
	r.prepare(&s.mixture, query, blend)
}

// taste returns a known visitor's factors, learned or folded in from s.pairs, or nil if there is nothing to go by.
func (r *Recommender) taste(s *scratch, visitor int32) []float32 {
	if row := r.visitorFactors.Of(visitor); row != nil {
		return row
	}
	if r.folder.Fold(s.query, s.pairs) {
		return s.query
	}
	return nil
}

// Session answers for somebody of whom only the clicks of a session are known, oldest first. An item that the version does
// not know yet can only be shown itself; if the version knows none of them and that is not wanted, the answer goes by popularity. When
// the items run out that the blend gives a score, others follow with score 0: by factors, then those popular in the categories of the
// session's items, then by popularity.
func (r *Recommender) Session(clicks []Click, o Options) Answer {
	s := r.begin(o)
	defer r.scratches.Put(s)
	r.weighSession(s, clicks, r.blends.Session)
	if !o.IncludeSeen {
		for _, click := range clicks {
			if item, known := r.items.Number(click.ItemID); known {
				s.skip.Add(item)
			}
		}
	}
	if s.mixture.silent() {
		return r.byPopularity(s, model.PopularAll, o)
	}
	return r.mix(s, StrategySession, o)
}

// weighSession fills s.clicks, s.kinds, s.strangers, s.pairs and the mixture from the latest clicks: a session of thousands is a robot's, and
// must not cost the square of its length.
func (r *Recommender) weighSession(s *scratch, clicks []Click, blend model.Blend) {
	for _, click := range clicks[max(0, len(clicks)-historyItems):] {
		item := r.number(s, click.ItemID)
		weight := r.weight(click.Event)
		s.clicks, s.kinds = append(s.clicks, item), append(s.kinds, weight)
		if item < 0 {
			continue
		}
		// Clicks on one item add up, as they do in training.
		if i := slices.IndexFunc(s.pairs, func(p pair) bool { return p.Item == item }); i >= 0 {
			s.pairs[i].Strength += weight
		} else {
			s.pairs = append(s.pairs, pair{item, weight})
		}
	}
	var query []float32
	if blend.Factors > 0 && r.folder.Fold(s.query, s.pairs) {
		query = s.query
	}
	s.mixture.weighClicks(s.clicks, s.kinds, blend)
	r.prepare(&s.mixture, query, blend)
	if s.mixture.silent() && r.hints(s) {
		s.mixture.filled, s.mixture.blend.Popular = true, 0
	}
}

// number is an item's number, or for one that the version does not know -1-i, where it is s.strangers[i].
func (r *Recommender) number(s *scratch, id string) int32 {
	if item, known := r.items.Number(id); known {
		return item
	}
	i := slices.Index(s.strangers, id)
	if i < 0 {
		i = len(s.strangers)
		s.strangers = append(s.strangers, id)
	}
	return int32(-1 - i)
}

// weight is how strongly an event counts: 1 for a kind that the version has no weight for.
func (r *Recommender) weight(event string) float32 {
	if weight, ok := r.weights[event]; ok {
		return float32(weight)
	}
	return 1
}

// Similar answers with the items whose factors have the largest cosine with an item's; for an item without factors, by popularity.
// It reports false if there is no such item.
func (r *Recommender) Similar(id string, o Options) (Answer, bool) {
	item, known := r.items.Number(id)
	if !known {
		return Answer{}, false
	}
	s := r.begin(o)
	defer r.scratches.Put(s)
	s.skip.Add(item)
	query := r.index.Vector(item)
	if query == nil {
		return r.byPopularity(s, model.PopularAll, o), true
	}
	return r.byCosine(s, query, o), true
}

// Popular answers with what everybody wants, counting one kind of event or model.PopularAll. It reports false if the version has
// no such list.
func (r *Recommender) Popular(event string, o Options) (Answer, bool) {
	if _, ok := r.popular[event]; !ok {
		return Answer{}, false
	}
	s := r.begin(o)
	defer r.scratches.Put(s)
	return r.byPopularity(s, event, o), true
}

// Trending answers with what the version has found to be wanted more than before, then with the others by popularity, their scores 0. It
// reports false if the version has no such list.
func (r *Recommender) Trending(o Options) (Answer, bool) {
	if r.trending == nil {
		return Answer{}, false
	}
	return r.Wanted(r.trending.ranked, o), true
}

// wanted is a list for Wanted.
type wanted struct {
	ids    []string
	scores []float64
}

func (w *wanted) ranked(yield func(string, float64) bool) {
	for i, id := range w.ids {
		if !yield(id, w.scores[i]) {
			return
		}
	}
}

// HasPopular reports whether the version has a list of popular items for a kind of event.
func (r *Recommender) HasPopular(event string) bool {
	_, ok := r.popular[event]
	return ok
}

// Visitors and Items return how many the version knows.
func (r *Recommender) Visitors() int { return r.visitors.Len() }
func (r *Recommender) Items() int    { return r.items.Len() }

// begin takes room for a request and sets up its filter.
func (r *Recommender) begin(o Options) *scratch {
	s := r.scratches.Get().(*scratch)
	s.pairs, s.clicks, s.kinds, s.strangers = s.pairs[:0], s.clicks[:0], s.kinds[:0], s.strangers[:0]
	s.mixture.clear()
	r.filter(s, o)
	return s
}

// byPopularity ranks by a list of popular items, then by number.
func (r *Recommender) byPopularity(s *scratch, event string, o Options) Answer {
	list := r.offered[event]
	need := o.Offset + o.Limit
	s.best = s.best[:0]
	if items, ok := r.listed(s, o); ok {
		slices.SortFunc(items, func(a, b int32) int { return int(list.place[a]) - int(list.place[b]) })
		for _, item := range items {
			s.best = append(s.best, list.scored(item))
		}
		return r.answer(s, StrategyPopular, s.best, o)
	}
	for _, item := range list.order {
		if len(s.best) == need {
			break
		}
		if !s.filter.out(item) {
			s.best = append(s.best, list.scored(item))
		}
	}
	return r.answer(s, StrategyPopular, s.best, o)
}

// answer cuts the page out of the ranked items and names them.
func (r *Recommender) answer(s *scratch, strategy string, ranked []Scored, o Options) Answer {
	ranked = ranked[min(o.Offset, len(ranked)):min(o.Offset+o.Limit, len(ranked))]
	a := Answer{Strategy: strategy, Items: make([]Item, len(ranked))}
	for i, scored := range ranked {
		a.Items[i].Score = scored.Score
		if scored.Item < 0 {
			a.Items[i].ID = s.strangers[-1-scored.Item]
		} else {
			a.Items[i].ID = r.items.Name(scored.Item)
			if o.Explain {
				for _, category := range r.categories.Of(scored.Item) {
					a.Items[i].Categories = append(a.Items[i].Categories, r.categories.Name(category))
				}
			}
		}
	}
	return a
}

// ranking is a list of popular items made as long as the catalogue: the items that are not on it follow with score 0.
type ranking struct {
	order  []int32
	place  []int32 // by item: where it stands in order
	scores []float64
}

func newRanking(list model.Popular, items int) ranking {
	l := ranking{order: slices.Grow(slices.Clone(list.Items), items-len(list.Items)), place: make([]int32, items), scores: list.Scores}
	for i := range l.place {
		l.place[i] = math.MaxInt32
	}
	for i, item := range list.Items {
		l.place[item] = int32(i)
	}
	for item := range l.place {
		if l.place[item] == math.MaxInt32 {
			l.place[item] = int32(len(l.order))
			l.order = append(l.order, int32(item))
		}
	}
	return l
}

func (l ranking) scored(item int32) Scored {
	if place := l.place[item]; int(place) < len(l.scores) {
		return Scored{item, l.scores[place]}
	}
	return Scored{Item: item}
}

func roundUp(x float64) float32 {
	y := float32(x)
	if float64(y) < x {
		y = math.Nextafter32(y, float32(math.Inf(1)))
	}
	return y
}
