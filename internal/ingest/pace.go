package ingest

import (
	"context"
	"time"

	"cartwheel/internal/event"
)

// pacer decides when rows leave: as fast as possible, so many a second, or by their own clock played faster. Each piece's time is
// reckoned from the start, so that small delays do not add up; but a delay of more than a moment, such as a pause of the broker,
// moves everything after it instead of being made up for by a flood.
type pacer struct {
	rate   float64
	speed  float64
	layout *event.Layout

	start time.Time // when the first row left
	sent  float64   // rows let go, for rate
	first int64     // time of the first row, for speed

	// the piece that is being put together
	left int64     // rows that it may still have
	due  time.Time // when it may leave
	rows int
}

const (
	paceStep = 20 * time.Millisecond // rows that are due within so much time leave together
	paceSlip = time.Second           // the longest delay that is made up for
)

func newPacer(rate, speed float64, layout *event.Layout) *pacer {
	return &pacer{rate: rate, speed: speed, layout: layout}
}

// begin starts a piece of at most left rows, if limited.
func (p *pacer) begin(left int64, limited bool) {
	if !limited {
		left = 1<<63 - 1
	}
	if p.rate > 0 {
		left = min(left, max(1, int64(p.rate*paceStep.Seconds())))
	}
	p.left, p.rows = left, 0
	p.due = time.Time{}
}

// admit tells whether the row belongs to the piece.
func (p *pacer) admit(row []byte) bool {
	if p.left <= 0 {
		return false
	}
	if p.speed > 0 && !p.admitByClock(row) {
		return false
	}
	p.left--
	p.rows++
	return true
}

func (p *pacer) admitByClock(row []byte) bool {
	ts, ok := p.layout.ParseTimestamp(row)
	if !ok {
		return true // it will be rejected; it has no time to wait for
	}
	if p.start.IsZero() {
		p.start, p.first = time.Now(), ts
	}
	due := p.start.Add(time.Duration(float64(ts-p.first) * float64(time.Millisecond) / p.speed))
	if p.due.IsZero() {
		p.due = due
		return true
	}
	return !due.After(later(p.due.Add(paceStep), time.Now()))
}

// wait returns when the piece is due, or with an error when ctx is done.
func (p *pacer) wait(ctx context.Context) error {
	now := time.Now()
	if p.rate > 0 {
		if p.start.IsZero() {
			p.start = now
		}
		p.due = later(p.due, p.start.Add(time.Duration(p.sent/p.rate*float64(time.Second))))
		p.sent += float64(p.rows)
	}
	if p.due.IsZero() {
		return nil
	}
	late := now.Sub(p.due)
	if late > paceSlip {
		p.start = p.start.Add(late)
	}
	if late >= 0 {
		return nil
	}
	t := time.NewTimer(-late)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
