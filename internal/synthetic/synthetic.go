// Package synthetic is the model of a shop that never was: it invents visitors, items and what the ones did to the others, in the
// schema of the RetailRocket data set and after its published figures, so that everything can be tried without that data.
//
// It promises: the same bytes for the same Settings on every 64-bit machine (integer arithmetic and one PCG stream, no floating point, no
// map order); rows written as they are made, with about 8 bytes of memory a visitor, 20 an item, and 150 for each visitor who will come
// back; exactly as many events, visitors, items and duplicate rows as Sizes says. It has structure worth learning: visitors have
// tastes, sessions stay among related items, people return to what they saw, views lead to carts and carts to orders, items appear
// and fade. Where it ends: items have a category and nothing else, there is no season beyond the day and the week, and no robots.
package synthetic

import (
	"context"
	"io"
	"math/rand/v2"
)

// Version changes whenever the same Settings would give other bytes.
const Version = 1

// First and Last are the times of the first and the last event in Unix milliseconds: those of the real file.
const (
	First int64 = 1430622004384 // 2015-05-03 03:00:04.384 UTC
	Last  int64 = 1442545187788 // 2015-09-18 02:59:47.788 UTC
)

// The real file's figures. Everything else is in proportion to them.
const (
	realEvents     = 2756101
	realVisitors   = 1407580
	realItems      = 235061
	realMaxItem    = 466866 // ids have gaps: about half of the numbers up to this one are in use
	realCarts      = 69332
	realOrderLines = 22457
	realDuplicates = 460
	realLeaves     = 1307 // categories that have no children
)

// MaxEvents bounds Settings.Events: ids and counts are 32-bit numbers.
const MaxEvents = 1_000_000_000

// Settings name a data set: equal settings give equal bytes.
type Settings struct {
	Events int // rows in all, duplicates included, 1 to MaxEvents
	Seed   uint64
}

// Sizes are the numbers that a data set of so many events has.
type Sizes struct {
	Events, Visitors, Items, Duplicates int
}

// Sizes scales the real file's figures to s.Events. Items are in proportion too, so that a small set has as many events an item
// (11.7) as the real file: a random sample of the real file would have fewer, and hardly anything to learn from.
func (s Settings) Sizes() Sizes {
	n := uint64(s.Events)
	return Sizes{
		Events:     s.Events,
		Visitors:   int(max(1, mulDiv(n, realVisitors, realEvents))),
		Items:      int(max(1, mulDiv(n, realItems, realEvents))),
		Duplicates: int(mulDiv(n, realDuplicates, realEvents)),
	}
}

// Counts says what WriteEvents wrote.
type Counts struct {
	Rows       int `json:"-"` // in all, duplicates included; the other counts are without them
	Views      int `json:"views"`
	Carts      int `json:"addtocarts"`
	OrderLines int `json:"transactions"`
	Orders     int `json:"orders"`
	Visitors   int `json:"visitors"`
	Items      int `json:"items"`
	Duplicates int `json:"duplicate_rows"`
}

// Shop is one data set about to be written. It can be written once: the three Write methods in any order, not at the same time.
type Shop struct {
	sizes     Sizes
	dice      dice
	clock     clock
	catalogue *catalogue
	crowd     crowd
}

// New plans the shop: who comes, how often, and what is on the shelves. s.Events must lie within 1 and MaxEvents.
func New(s Settings) *Shop {
	sizes := s.Sizes()
	d := dice{rand.NewPCG(s.Seed, 0xca27_3e11)}
	return &Shop{
		sizes:     sizes,
		dice:      d,
		clock:     newClock(),
		catalogue: newCatalogue(d, sizes),
		crowd:     newCrowd(d, sizes.Visitors, sizes.Events-sizes.Duplicates),
	}
}

// WriteEvents writes events.csv. It stops at the first error of w, or when ctx ends. progress, if not nil, is told from time to time how
// many rows have been written.
func (s *Shop) WriteEvents(ctx context.Context, w io.Writer, progress func(rows int)) (Counts, error) {
	j := newJournal(ctx, w, progress)
	t := newTrade(s, j)
	t.run()
	t.counts.Rows, t.counts.Visitors = j.rows, s.sizes.Visitors
	t.counts.Items = s.sizes.Items - s.catalogue.unseen
	return t.counts, j.close()
}
