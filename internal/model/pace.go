package model

import (
	"cmp"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// Pace is how a version is loaded: with all that the machine has, or beside something more urgent.
type Pace int

const (
	// AtOnce takes every processor: nothing else is to be done before the version is there.
	AtOnce Pace = iota
	// Gently does one thing at a time, in small pieces with rests between, for requests are answered meanwhile.
	Gently
)

// pace keeps a load to a Pace. What is loaded gently is so in the goroutine that asked for it alone, whose thread may have a priority of
// its own.
type pace struct {
	slots  chan struct{} // held by who works
	gentle bool
	rested time.Time // when the one who works gently last did nothing
}

// piece is how long is worked gently before a rest of the same length: below what a request takes that asks for much.
const piece = 500 * time.Microsecond

func newPace(p Pace) *pace {
	n := min(runtime.GOMAXPROCS(0), runtime.NumCPU()) // more would only take more memory at once
	return &pace{slots: make(chan struct{}, n), gentle: p == Gently, rested: time.Now()}
}

// group runs parts of a load.
type group struct {
	errgroup.Group
	gentle bool
	failed error
}

func (p *pace) group() *group {
	g := &group{gentle: p.gentle}
	g.SetLimit(cap(p.slots))
	return g
}

// Go runs a part, gently before it returns, unless one before has failed.
func (g *group) Go(part func() error) {
	switch {
	case !g.gentle:
		g.Group.Go(part)
	case g.failed == nil:
		g.failed = part()
	}
}

// Wait waits for all parts and returns the first error.
func (g *group) Wait() error { return cmp.Or(g.Group.Wait(), g.failed) }

// begin waits until there is room for one more that works, and returns what ends its work.
func (p *pace) begin() (end func()) {
	p.slots <- struct{}{}
	return func() { <-p.slots }
}

// rest is called by who works, after each small piece of work.
func (p *pace) rest() {
	if p == nil || !p.gentle { // none is that of what was not loaded
		return
	}
	if worked := time.Since(p.rested); worked >= piece {
		time.Sleep(min(worked, 10*time.Millisecond))
		p.rested = time.Now()
	}
}
