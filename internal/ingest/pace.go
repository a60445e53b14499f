package ingest

import (
	"context"
	"math"
	"time"
)

// pacer holds the reader back so that rows leave at a given rate. It goes by what should have been sent since the start, so that
// small delays do not add up, but does not make up for more than a moment: after a pause of the broker there is no flood.
type pacer struct {
	rate  float64 // rows a second, 0: no limit
	start time.Time
	sent  float64
}

const (
	paceStep = 20 * time.Millisecond // rows are let go in pieces of so much time
	paceSlip = time.Second           // the longest delay that is made up for
)

func newPacer(rate float64) *pacer { return &pacer{rate: rate} }

// rows is how many rows the next piece may have.
func (p *pacer) rows(left int64, limited bool) int {
	n := int64(math.MaxInt)
	if p.rate > 0 {
		n = max(1, int64(p.rate*paceStep.Seconds()))
	}
	if limited {
		n = min(n, left)
	}
	return int(n)
}

// wait returns when so many rows are due, or with an error when ctx is done.
func (p *pacer) wait(ctx context.Context, rows int) error {
	if p.rate <= 0 {
		return nil
	}
	now := time.Now()
	if p.start.IsZero() {
		p.start = now
	}
	due := p.start.Add(time.Duration(p.sent / p.rate * float64(time.Second)))
	if late := now.Sub(due); late > paceSlip {
		p.start = p.start.Add(late)
	} else if late < 0 {
		t := time.NewTimer(-late)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.sent += float64(rows)
	return nil
}
