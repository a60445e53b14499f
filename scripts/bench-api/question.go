package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/synthetic"
)

// question is the same question in many variants, as each of both is asked. No answer may have what the asker has touched.
type question struct {
	name         string
	ours, theirs []request
}

func (q *question) visitor(id string) {
	q.ours = append(q.ours, request{path: "/v1/visitors/" + id + "/recommendations?limit=10"})
	q.theirs = append(q.theirs, request{path: "/api/recommend/" + id + "?n=10"})
}

func (q *question) item(id string) {
	q.ours = append(q.ours, request{path: "/v1/items/" + id + "/similar?limit=10"})
	q.theirs = append(q.theirs, request{path: "/api/item-to-item/neighbors/" + id + "?n=10"})
}

// session asks about up to 5 items, the newest of these.
func (q *question) session(items []string) {
	items = items[max(0, len(items)-5):]
	ours, _ := json.Marshal(map[string]any{"items": items})
	var views []feedback
	for i, item := range items {
		views = append(views, feedback{FeedbackType: event.View, UserId: "somebody", ItemId: item, Timestamp: time.UnixMilli(synthetic.Last + int64(i)*60_000).UTC().Format(time.RFC3339)})
	}
	theirs, _ := json.Marshal(views)
	q.ours = append(q.ours, request{"/v1/sessions/recommendations?limit=10&seen=exclude", string(ours)})
	q.theirs = append(q.theirs, request{"/api/session/recommend?n=10", string(theirs)})
}

// draw draws what is asked: visitors evenly, items as often as they are touched, and the last items of visitors as sessions.
func draw(events []event.Event, dice *rand.Rand) []*question {
	touched := histories(events)
	visitors := slices.Sorted(maps.Keys(touched))
	visitor, item, session := &question{name: "a visitor"}, &question{name: "items like an item"}, &question{name: "a session"}
	for range asking {
		visitor.visitor(visitors[dice.IntN(len(visitors))])
		e := events[dice.IntN(len(events))]
		item.item(e.ItemID)
		session.session(touched[e.VisitorID])
	}
	return []*question{visitor, item, session}
}

// itemsOf reads the items of an answer: Cartwheel's, a list of ids, or Gorse's list of ids with scores.
func itemsOf(answer []byte) (ids []string, err error) {
	if strings.HasPrefix(strings.TrimSpace(string(answer)), "{") {
		var ours struct {
			Items []struct{ ItemID string }
		}
		err = json.Unmarshal(answer, &ours)
		for _, item := range ours.Items {
			ids = append(ids, item.ItemID)
		}
		return ids, err
	}
	if json.Unmarshal(answer, &ids) == nil {
		return ids, nil
	}
	var scored []struct{ Id string }
	err = json.Unmarshal(answer, &scored)
	ids = nil
	for _, item := range scored {
		ids = append(ids, item.Id)
	}
	return ids, err
}

// answers asks everything once, and returns the items of each answer, which must be a success.
func answers(addr string, requests []request) (all [][]string, err error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Conn.Close()
	for _, r := range requests {
		if err := c.roundTrip(r.bytes()); err != nil {
			return nil, fmt.Errorf("%s: %w", r.path, err)
		}
		items, err := itemsOf(c.body)
		if err != nil {
			return nil, fmt.Errorf("%s answered %q: %w", r.path, c.body, err)
		}
		all = append(all, items)
	}
	return all, nil
}

// share is how many of a hundred answers are so.
func share(all [][]string, is func(i int, items []string) bool) float64 {
	n := 0
	for i, items := range all {
		if is(i, items) {
			n++
		}
	}
	return 100 * float64(n) / float64(len(all))
}
