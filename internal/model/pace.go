package model

import (
	"runtime"
	"sync/atomic"
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

// pace keeps to a Pace what several goroutines do.
type pace struct {
	slots  chan struct{} // held by who works
	gentle bool
	rested atomic.Int64 // when the one who works gently last did nothing, Unix ns
}

// piece is how long is worked gently before a rest of the same length: below what a request takes that asks for much.
const piece = 500 * time.Microsecond

func newPace(p Pace) *pace {
	n := runtime.GOMAXPROCS(0)
	if p == Gently {
		n = 1
	}
	made := &pace{slots: make(chan struct{}, n), gentle: p == Gently}
	made.rested.Store(time.Now().UnixNano())
	return made
}

// group runs the parts of a load.
func (p *pace) group() *errgroup.Group {
	var group errgroup.Group
	group.SetLimit(cap(p.slots))
	return &group
}

// begin waits until there is room for one more that works, and returns what ends its work.
func (p *pace) begin() (end func()) {
	p.slots <- struct{}{}
	return func() { <-p.slots }
}

// rest is called by who works, after each small piece of work.
func (p *pace) rest() {
	if !p.gentle {
		return
	}
	if worked := time.Since(time.Unix(0, p.rested.Load())); worked >= piece {
		time.Sleep(min(worked, 10*time.Millisecond))
		p.rested.Store(time.Now().UnixNano())
	}
}
