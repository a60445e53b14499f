package train

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"slices"
	"strings"

	"cartwheel/internal/model"
	"cartwheel/internal/recommend"

	"github.com/parquet-go/parquet-go"
)

// heldOut is an event that the measured model has not seen.
type heldOut struct {
	VisitorID string `parquet:"visitorid"`
	ItemID    string `parquet:"itemid"`
	Event     string `parquet:"event"`
	Timestamp int64  `parquet:"timestamp"`
}

// The kinds of question that a version is asked, and a blend is chosen for.
const (
	visitorNew = "visitor, new items"
	visitorAll = "visitor, all items"
	session    = "session, next item"
)

var kinds = []string{visitorNew, visitorAll, session}

// question is one case: what is known, and what was then chosen.
type question struct {
	kind     string
	visitor  string
	warm     bool              // whether the model has factors of the visitor's own
	stranger bool              // whether it does not know him at all, and is asked about him as a visitor all the same
	seen     []string          // of a visitor whom the model knows: his items, newest first
	clicks   []recommend.Click // of a session, oldest first
	targets  []string
}

// questions turns held-out events into cases. A visitor whom the model knows is asked about by his history, once for the held-out
// items that are new to him and once for all of them. Every session is asked about as a stranger's, after each of its clicks, for
// the next item.
func questions(events []heldOut, v *model.Version) []question {
	var all []question
	for _, own := range ofEachVisitor(events) {
		number, known := v.Visitors.Number(own[0].VisitorID)
		warm := known && hasFactors(v, number)
		if known {
			all = append(all, visitorQuestions(own, historyOf(v, number), warm)...)
		}
		all = append(all, sessionQuestions(own, warm)...)
	}
	return all
}

// strangers are the cases of visitors whom the model does not know, asked about as visitors.
func strangers(events []heldOut, v *model.Version) []question {
	var all []question
	for _, own := range ofEachVisitor(events) {
		if _, known := v.Visitors.Number(own[0].VisitorID); known {
			continue
		}
		for _, q := range visitorQuestions(own, nil, false) {
			q.stranger = true
			all = append(all, q)
		}
	}
	return all
}

// ofEachVisitor sorts the events by visitor and time, and parts them by visitor.
func ofEachVisitor(events []heldOut) (parts [][]heldOut) {
	slices.SortStableFunc(events, func(a, b heldOut) int {
		return cmp.Or(strings.Compare(a.VisitorID, b.VisitorID), cmp.Compare(a.Timestamp, b.Timestamp), strings.Compare(a.ItemID, b.ItemID))
	})
	for start := 0; start < len(events); {
		end := start
		for end < len(events) && events[end].VisitorID == events[start].VisitorID {
			end++
		}
		parts = append(parts, events[start:end])
		start = end
	}
	return parts
}

func hasFactors(v *model.Version, visitor int32) bool {
	return v.Factors.Visitors.Of(visitor) != nil
}

func historyOf(v *model.Version, visitor int32) (items []string) {
	numbers, _ := v.Seen.Of(visitor)
	for _, item := range numbers {
		items = append(items, v.Items.Name(item))
	}
	return items
}

func visitorQuestions(events []heldOut, seen []string, warm bool) (asked []question) {
	before := map[string]bool{}
	for _, item := range seen {
		before[item] = true
	}
	var fresh, all []string
	met := map[string]bool{}
	for _, e := range events {
		if met[e.ItemID] {
			continue
		}
		met[e.ItemID] = true
		all = append(all, e.ItemID)
		if !before[e.ItemID] {
			fresh = append(fresh, e.ItemID)
		}
	}
	q := question{visitor: events[0].VisitorID, warm: warm, seen: seen}
	if len(fresh) > 0 {
		q.kind, q.targets = visitorNew, fresh
		asked = append(asked, q)
	}
	q.kind, q.targets = visitorAll, all
	return append(asked, q)
}

func sessionQuestions(events []heldOut, warm bool) (asked []question) {
	var clicks []recommend.Click
	for i, e := range events {
		if i > 0 && e.Timestamp-events[i-1].Timestamp > sessionPause.Milliseconds() {
			clicks = nil
		}
		if len(clicks) > 0 {
			asked = append(asked, question{kind: session, visitor: e.VisitorID, warm: warm, clicks: slices.Clip(clicks), targets: []string{e.ItemID}})
		}
		clicks = append(clicks, recommend.Click{ItemID: e.ItemID, Event: e.Event})
	}
	return asked
}

// askedAtMost is how many questions of a kind are asked, which bounds the time of an evaluation.
const askedAtMost = 20_000

// bounded draws, if there are more than most questions of a kind, so many of them: all those of a visitor or none. Which visitors are
// drawn follows from their ids, so that two trainings ask about the same ones.
func bounded(asked []question, most int) []question {
	count := map[string]int{}
	for _, q := range asked {
		count[q.kind]++
	}
	return slices.DeleteFunc(slices.Clone(asked), func(q question) bool {
		const parts = 1 << 16
		share := float64(most) / float64(count[q.kind])
		return float64(hashOf(q.visitor)>>1%parts) >= share*parts // the lowest bit parts the halves
	})
}

// half is a set of visitors: those of one half, of the other, or both.
type half int

const (
	halfA half = 1 << iota
	halfB
)

// halfOf parts visitors by their ids.
func halfOf(visitor string) half { return halfA << (hashOf(visitor) % 2) }

func hashOf(visitor string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(visitor))
	return h.Sum32()
}

func readHeldOut(dir string) ([]heldOut, error) {
	parts, err := filepath.Glob(filepath.Join(dir, "part-*.parquet"))
	if err != nil {
		return nil, fmt.Errorf("listing the held-out events: %w", err)
	}
	var all []heldOut
	for _, part := range parts {
		rows, err := parquet.ReadFile[heldOut](part)
		if err != nil {
			return nil, fmt.Errorf("reading held-out events from %s: %w", part, err)
		}
		all = append(all, rows...)
	}
	return all, nil
}
