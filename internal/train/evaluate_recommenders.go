package train

import (
	"math/rand/v2"
	"slices"

	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
)

// answerer is a recommender as the evaluation asks it: it ranks items for a question.
type answerer func(question) []string

// The recommenders that are compared. The blend is what the API serves.
const (
	byBlend      = "blend"
	byALS        = "als"        // the factors alone
	byNeighbours = "neighbours" // item to item: what is seen together with the items of the history, each counting alike
	bySession    = "session"    // what is seen together with the latest clicks, and these themselves; a visitor's latest items are his clicks
	byPopularity = "popular"
	byChance     = "random"
)

// recommenders are those compared, in the order in which they are told.
var recommenders = []string{byBlend, byALS, byNeighbours, bySession, byPopularity, byChance}

// answerers makes the recommenders out of one version. blends are those for the visitors of either half.
func answerers(r *recommend.Recommender, items *model.IDs, blends [2]model.Blends, seed int64) map[string]answerer {
	blended := map[half]*recommend.Recommender{halfA: r.With(blends[0]), halfB: r.With(blends[1])}
	nearness := model.Blend{Neighbours: 1, NeighboursDecay: 1, OwnDecay: 1}
	clicks := defaultBlends.Session
	clicks.Factors, clicks.Popular = 0, 0
	factors, neighbours, sessions := r.With(alike(model.ByFactors)), r.With(alike(nearness)), r.With(alike(clicks))
	return map[string]answerer{
		byBlend:      func(q question) []string { return ask(blended[halfOf(q.visitor)], q) },
		byALS:        func(q question) []string { return ask(factors, q) },
		byNeighbours: func(q question) []string { return ask(neighbours, q) },
		bySession:    func(q question) []string { return askAsSession(sessions, q) },
		byPopularity: func(q question) []string { return askPopular(r, q) },
		byChance:     func(q question) []string { return drawAnswer(items, q, seed) },
	}
}

// alike is the same blend for every kind of question.
func alike(b model.Blend) model.Blends { return model.Blends{Session: b, VisitorNew: b, VisitorAll: b} }

// ask puts a question to a recommender.
func ask(r *recommend.Recommender, q question) []string {
	o := recommend.Options{Limit: answered, IncludeSeen: q.kind != visitorNew}
	if q.kind == session {
		return ids(r.Session(q.clicks, o))
	}
	return ids(r.Visitor(q.visitor, o))
}

// sessionLength is how many of a visitor's latest items make the session that is asked about in his place.
const sessionLength = 50

// askAsSession puts a question to a recommender of sessions.
func askAsSession(r *recommend.Recommender, q question) []string {
	if q.kind == session || q.stranger {
		return ask(r, q)
	}
	var clicks []recommend.Click
	for _, item := range slices.Backward(q.seen[:min(sessionLength, len(q.seen))]) {
		clicks = append(clicks, recommend.Click{ItemID: item})
	}
	o := recommend.Options{Limit: answered, IncludeSeen: q.kind == visitorAll}
	if q.kind == visitorNew {
		o.Exclude = q.seen
	}
	return ids(r.Session(clicks, o))
}

// askPopular answers a question by popularity.
func askPopular(r *recommend.Recommender, q question) []string {
	o := recommend.Options{Limit: answered}
	if q.kind == visitorNew {
		o.Exclude = q.seen
	}
	best, _ := r.Popular(model.PopularAll, o)
	return ids(best)
}

// drawAnswer answers a question with items drawn at random, each as likely as any other, and none twice.
func drawAnswer(items *model.IDs, q question, seed int64) []string {
	draw := rand.New(rand.NewPCG(uint64(seed), uint64(hashOf(q.visitor))<<16+uint64(len(q.clicks))))
	var drawn []string
	for len(drawn) < min(answered, items.Len()) {
		if id := items.Name(int32(draw.IntN(items.Len()))); !slices.Contains(drawn, id) {
			drawn = append(drawn, id)
		}
	}
	return drawn
}

func ids(a recommend.Answer) []string {
	names := make([]string, len(a.Items))
	for i, item := range a.Items {
		names[i] = item.ID
	}
	return names
}
