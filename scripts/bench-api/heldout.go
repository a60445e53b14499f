package main

import (
	"maps"
	"math/rand/v2"
	"slices"

	"cartwheel/internal/event"
)

// heldOut is a visitor whose last new item, and all that he did afterwards, is kept from those who are to foretell it.
type heldOut struct {
	visitor string
	before  []string // items that he had touched, in the order of the first time
	target  string
}

// holdOut draws up to n visitors who touched at least three items, and returns the other events and who was drawn.
func holdOut(events []event.Event, n int, dice *rand.Rand) (rest []event.Event, cases []heldOut) {
	touched := histories(events)
	for _, visitor := range slices.Sorted(maps.Keys(touched)) {
		if items := touched[visitor]; len(items) >= 3 {
			cases = append(cases, heldOut{visitor, items[:len(items)-1], items[len(items)-1]})
		}
	}
	dice.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	cases = cases[:min(n, len(cases))]
	targets, over := map[string]string{}, map[string]bool{}
	for _, c := range cases {
		targets[c.visitor] = c.target
	}
	for _, e := range events {
		if e.ItemID == targets[e.VisitorID] {
			over[e.VisitorID] = true
		}
		if !over[e.VisitorID] {
			rest = append(rest, e)
		}
	}
	return rest, cases
}

// histories are the items that each visitor touched, in the order of the first time.
func histories(events []event.Event) map[string][]string {
	touched, met := map[string][]string{}, map[[2]string]bool{}
	for _, e := range events {
		if pair := [2]string{e.VisitorID, e.ItemID}; !met[pair] {
			met[pair] = true
			touched[e.VisitorID] = append(touched[e.VisitorID], e.ItemID)
		}
	}
	return touched
}
