package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

// partition brings one partition's records into batch files for as long as one generation of the group lasts.
type partition struct {
	*Consumer
	id     int
	commit func(partition int, next int64)

	claim    *claim
	next     int64 // offset of the next record to take
	from     int64 // first offset that no finished file covers
	file     *file // under way; nil if no record waits
	started  time.Time
	end      int64 // last offset that the file under way may cover
	finished chan finished
	spare    chan []byte
	dead     *deadLetters
	caughtUp *atomic.Bool
}

// finished is a file with all its rows, on its way to disk.
type finished struct {
	file *file
	last int64
}

// run ends with nil when stop is done and everything read is published, or when ctx is done, and then what is unfinished is dropped:
// the next owner reads it again.
func (p *partition) run(ctx, stop context.Context) error {
	var err error
	if p.claim, err = newClaim(p.folder, p.id); err != nil {
		return err
	}
	defer p.claim.release()
	if p.next, err = p.position(ctx); err != nil {
		return err
	}
	p.from = p.next
	p.step(StepClaimed)
	p.commit(p.id, p.next)

	g, ctx := errgroup.WithContext(ctx)
	p.finished = make(chan finished, 1)
	p.spare = make(chan []byte, 2)
	fetched := make(chan *kafka.Fetched)
	used := make(chan *kafka.Fetched, 2)
	used <- &kafka.Fetched{}
	used <- &kafka.Fetched{}
	reading, cancel := context.WithCancel(ctx)
	release := context.AfterFunc(stop, cancel)
	defer release()
	defer cancel()
	g.Go(func() error { defer close(fetched); return p.fetch(reading, p.next, used, fetched) })
	g.Go(func() error { defer close(p.finished); return p.write(ctx, stop, fetched, used) })
	g.Go(func() error { return p.publish() })
	err = g.Wait()
	for f := range p.finished {
		f.file.abort()
	}
	if p.file != nil {
		p.file.abort()
	}
	return err
}

// position is where reading goes on, from the names of the files, after checks that they belong to this topic.
func (p *partition) position(ctx context.Context) (int64, error) {
	names, err := List(p.folder, p.id)
	if err != nil {
		return 0, err
	}
	bounds, err := retry(ctx, p, func() (kafka.Offsets, error) { return p.client.Offsets(ctx, p.topic, p.id) })
	if err != nil {
		return 0, err
	}
	if len(names) == 0 {
		return bounds.Start, nil
	}
	last := names[len(names)-1]
	const cure = "Move the batch files of the old topic into another folder, or choose another --data-dir, and start again"
	switch {
	case last.Last >= bounds.End:
		return 0, fmt.Errorf("%w: %s goes up to offset %d, but partition %d of topic %s ends before %d: the topic was made anew or is another cluster's. %s",
			ErrFolder, last, last.Last, p.id, p.topic, bounds.End, cure)
	case last.Last+1 < bounds.Start:
		return 0, fmt.Errorf("%w: the last file is %s, but partition %d of topic %s begins at offset %d: Kafka has deleted the events %d to %d before they were read. %s",
			ErrFolder, last, p.id, p.topic, bounds.Start, last.Last+1, bounds.Start-1, cure)
	case last.Last < bounds.Start:
		return last.Last + 1, nil // the record itself is no longer held, so there is nothing to compare
	}
	id, err := lastEventID(filepath.Join(p.folder, last.String()))
	if err != nil {
		return 0, err
	}
	f, err := retry(ctx, p, func() (*kafka.Fetched, error) { return p.client.Fetch(ctx, p.topic, p.id, last.Last, nil) })
	if err != nil {
		return 0, err
	}
	var r kafka.Record
	var e event.Event
	if ok, err := f.Next(&r); err != nil {
		return 0, err
	} else if ok && r.Offset == last.Last && event.ParseJSON(r.Value, &e) == nil && p.identify(&e, r.Offset) != id {
		return 0, fmt.Errorf("%w: the last row of %s has eventid %q, but offset %d of %s/%d holds event %q: the topic was made anew or is another cluster's. %s",
			ErrFolder, last, id, last.Last, p.topic, p.id, e.EventID, cure)
	}
	return last.Last + 1, nil
}

// identify gives an event that came without an id one that follows from its place in the topic.
func (p *partition) identify(e *event.Event, offset int64) string {
	if e.EventID == "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", p.topic, p.id, offset))
		e.EventID = hex.EncodeToString(sum[:event.IDBytes/2])
	}
	return e.EventID
}

// fetch keeps one answer ahead of the writer.
func (p *partition) fetch(ctx context.Context, offset int64, used <-chan *kafka.Fetched, out chan<- *kafka.Fetched) error {
	for {
		var f *kafka.Fetched
		select {
		case f = <-used:
		case <-ctx.Done():
			return nil
		}
		answer, err := retry(ctx, p, func() (*kafka.Fetched, error) { return p.client.Fetch(ctx, p.topic, p.id, offset, f) })
		switch {
		case ctx.Err() != nil:
			return nil
		case kafka.IsOffsetOutOfRange(err):
			return fmt.Errorf("%w: offset %d of %s/%d is no longer there: Kafka deleted it before it was read (retention), or the topic was made anew: %w", ErrFolder, offset, p.topic, p.id, err)
		case err != nil:
			return err
		}
		offset = answer.End()
		select {
		case out <- answer:
		case <-ctx.Done():
			return nil
		}
	}
}

// write turns answers into files, and publishes early what has waited too long.
func (p *partition) write(ctx, stop context.Context, in <-chan *kafka.Fetched, used chan<- *kafka.Fetched) error {
	for f := range in {
		if err := p.take(ctx, f); err != nil {
			return err
		}
		if f.StableEnd >= 0 {
			p.stats.lag(p.id, f.StableEnd-p.next)
			p.caughtUp.Store(p.next >= f.StableEnd)
		}
		used <- f
		if p.file != nil && p.flushInterval > 0 && time.Since(p.started) >= p.flushInterval {
			if err := p.finish(ctx, p.next-1); err != nil {
				return err
			}
		}
	}
	if stop.Err() != nil && p.file != nil {
		return p.finish(ctx, p.next-1)
	}
	return nil
}

// take adds the records of one answer.
func (p *partition) take(ctx context.Context, f *kafka.Fetched) error {
	var r kafka.Record
	var e event.Event
	n, size := 0, 0
	for {
		ok, err := f.Next(&r)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := p.open(ctx, r.Offset); err != nil {
			return err
		}
		if p.traces != nil {
			p.file.origins.add(&r)
		}
		n++
		size += len(r.Value)
		if err := event.ParseJSON(r.Value, &e); err != nil {
			if err := p.dead.add(ctx, &r, err); err != nil {
				return err
			}
		} else {
			p.identify(&e, r.Offset)
			if err := p.file.add(&e); err != nil {
				return err
			}
		}
		p.next = r.Offset + 1
		if r.Offset == p.end {
			if err := p.finish(ctx, p.end); err != nil {
				return err
			}
		}
	}
	if n > 0 {
		p.active()
		p.stats.read(n, size)
	}
	if next := f.NextOffset(); next > p.next { // offsets without records at the end
		if p.file != nil && next > p.end {
			if err := p.finish(ctx, p.end); err != nil {
				return err
			}
		}
		p.next = next
	}
	return nil
}

// open makes sure that the file under way is the one that the offset belongs in. Files end at multiples of the batch size; offsets
// that hold no record count, so that a file's bounds depend on nothing but the topic.
func (p *partition) open(ctx context.Context, offset int64) error {
	if p.file != nil && offset > p.end {
		if err := p.finish(ctx, p.end); err != nil {
			return err
		}
	}
	if p.file == nil {
		var buf []byte
		select {
		case buf = <-p.spare:
		default:
		}
		p.file = p.claim.begin(p.from, buf)
		p.started = time.Now()
		p.file.origins.begun = p.started
		p.end = offset - offset%p.batchSize + p.batchSize - 1
	}
	return nil
}

// finish hands the file under way to the publisher, after what was unreadable in it is safe in the dead-letter topic.
func (p *partition) finish(ctx context.Context, last int64) error {
	if err := p.dead.flush(ctx); err != nil {
		return err
	}
	f := finished{p.file, last}
	p.file = nil
	p.from = last + 1
	select {
	case p.finished <- f:
		return nil
	case <-ctx.Done():
		f.file.abort()
		return ctx.Err()
	}
}

// publish writes finished files out in order while the next ones are filled.
func (p *partition) publish() error {
	for f := range p.finished {
		name, err := f.file.publish(f.last, p.step)
		if err != nil {
			f.file.abort()
			return err
		}
		p.stats.published(f.file.rows)
		if p.traces != nil {
			f.file.origins.tell(p.traces, p.topic, name, f.file.rows)
		}
		p.commit(p.id, name.Last+1)
		select {
		case p.spare <- f.file.buf:
		default:
		}
	}
	return nil
}

// retry repeats what fails for a reason that may pass, for as long as ctx allows. Once ctx is done, its error says so, whatever else
// went wrong: a generation that has ended is no failure.
func retry[T any](ctx context.Context, p *partition, call func() (T, error)) (T, error) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		v, err := call()
		if err == nil {
			p.fine()
			return v, nil
		}
		if ctx.Err() == nil && !kafka.Temporary(err) {
			return v, err
		}
		p.caughtUp.Store(false)
		if ctx.Err() == nil {
			p.troubled("reading", err)
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return v, errors.Join(ctx.Err(), err)
		}
	}
}
