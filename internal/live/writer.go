package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/tracing"
)

var (
	// ErrAway is wrapped where Kafka does not take events now. Those of the refused request may be in the topic all the same: send
	// them again under the same ids.
	ErrAway = errors.New("events cannot be sent to Kafka now")
	// ErrBusy is wrapped where events come faster than Kafka takes them. Nothing of the refused request was written.
	ErrBusy = errors.New("events come faster than Kafka takes them")
)

const (
	// ackTimeout is how long a batch may wait for its acknowledgement.
	ackTimeout = 5 * time.Second
	// maxWaiting bounds the events that wait for their acknowledgement, in bytes.
	maxWaiting = 16 << 20
	// maxBatch keeps a record batch under the 1 MiB that brokers accept unless told otherwise (message.max.bytes).
	maxBatch = 900 << 10
	// reconnectEvery is how often a broker that is away is asked again.
	reconnectEvery = 500 * time.Millisecond
)

// Writer takes events to a topic, each acknowledged by all in-sync replicas. What comes while a batch is on its way goes into the next
// one, so that many small requests cost no more than a few large ones.
type Writer struct {
	topic   string
	log     *slog.Logger
	waiting atomic.Int64 // bytes
	away    atomic.Bool
	mu      sync.Mutex
	parts   []*part // nil until the topic is known
	Written atomic.Int64
}

// part sends to one partition.
type part struct {
	writer *Writer
	number int
	wake   chan struct{}
	mu     sync.Mutex
	queue  []*letter
	closed error // why nothing is taken any more
}

// letter is one event on its way.
type letter struct {
	key, value, id []byte
	trace          []byte // for the header tracing.Header; may be empty
	done           *sync.WaitGroup
	err            error
}

func (l *letter) bytes() int64 {
	return int64(len(l.key) + len(l.value) + len(l.id) + len(l.trace) + 64)
}

// bytesOf is what the letter of an event will take, about: it has each id once in JSON, two of them once more, and names, a time and
// punctuation beside.
func bytesOf(e *event.Event, trace string) int64 {
	return int64(2*len(e.VisitorID) + len(e.ItemID) + len(e.TransactionID) + 2*len(e.EventID) + len(trace) + 3*64)
}

// newWriter writes to a topic once Run has found it.
func newWriter(topic string, log *slog.Logger) *Writer {
	w := &Writer{topic: topic, log: log}
	w.away.Store(true)
	return w
}

// Write sends events, which bear ids, and waits until all are acknowledged or have failed: then it returns which, by their places, and
// an error that wraps ErrAway or ErrBusy. The events take trace along, a traceparent or nothing.
func (w *Writer) Write(events []event.Event, trace string) (failed []int, err error) {
	all := func(why error) ([]int, error) {
		for i := range events {
			failed = append(failed, i)
		}
		return failed, why
	}
	w.mu.Lock()
	parts := w.parts
	w.mu.Unlock()
	if parts == nil || w.away.Load() {
		return all(fmt.Errorf("%w", ErrAway))
	}
	var bytes int64
	for i := range events {
		bytes += bytesOf(&events[i], trace)
	}
	defer w.waiting.Add(-bytes)
	if w.waiting.Add(bytes) > maxWaiting {
		return all(ErrBusy)
	}
	letters := make([]letter, len(events))
	var done sync.WaitGroup
	for i := range events {
		e := &events[i]
		letters[i] = letter{key: []byte(e.VisitorID), value: event.AppendJSON(nil, e), id: []byte(e.EventID), trace: []byte(trace), done: &done}
	}
	done.Add(len(letters))
	for i := range letters {
		parts[kafka.Partition(letters[i].key, len(parts))].put(&letters[i])
	}
	done.Wait()
	for i := range letters {
		if letters[i].err != nil {
			failed, err = append(failed, i), letters[i].err
		}
	}
	w.Written.Add(int64(len(events) - len(failed)))
	return failed, err
}

// Full reports whether so much waits that a large request would be refused, so that it need not even be read.
func (w *Writer) Full() bool { return w.waiting.Load() > maxWaiting-1<<20 }

// Topic is the topic that is written to.
func (w *Writer) Topic() string { return w.topic }

// Away reports whether Kafka does not take events now.
func (w *Writer) Away() bool { return w.away.Load() }

func (p *part) put(l *letter) {
	p.mu.Lock()
	if p.closed != nil {
		l.err = p.closed
		l.done.Done()
	} else {
		p.queue = append(p.queue, l)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run serves a client's topic, which has that many partitions, until ctx is done. What waits then fails.
func (w *Writer) run(ctx context.Context, client *kafka.Client, partitions int) {
	parts := make([]*part, partitions)
	var group sync.WaitGroup
	for i := range parts {
		parts[i] = &part{writer: w, number: i, wake: make(chan struct{}, 1)}
		group.Go(func() { parts[i].run(ctx, client, partitions) })
	}
	w.mu.Lock()
	w.parts = parts
	w.mu.Unlock()
	w.away.Store(false)
	<-ctx.Done()
	w.away.Store(true)
	w.mu.Lock()
	w.parts = nil
	w.mu.Unlock()
	group.Wait()
	for _, p := range parts {
		p.mu.Lock()
		p.closed = fmt.Errorf("%w: the server is stopping", ErrAway)
		p.mu.Unlock()
		p.fail(p.closed)
	}
}

// run sends what is put until ctx is done. After a failure nothing says whether the batch was appended, and its sequence numbers must
// not be used for another: the producer is given up, and what waits with it.
func (p *part) run(ctx context.Context, client *kafka.Client, partitions int) {
	var producer *kafka.Producer
	var b kafka.Batch
	for {
		for producer == nil {
			opening, cancel := context.WithTimeout(ctx, ackTimeout)
			made, err := client.NewProducer(opening, p.writer.topic, partitions)
			cancel()
			if err == nil {
				producer = made
				if ctx.Err() == nil && p.writer.away.CompareAndSwap(true, false) {
					p.writer.log.Info("Kafka takes events again", "topic", p.writer.topic)
				}
				break
			}
			p.writer.away.Store(true)
			p.fail(fmt.Errorf("%w: %w", ErrAway, err))
			select {
			case <-ctx.Done():
				return
			case <-time.After(reconnectEvery):
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		for letters := p.take(); len(letters) > 0; letters = p.take() {
			err := p.send(ctx, producer, &b, letters)
			for _, l := range letters {
				l.err = err
				l.done.Done()
			}
			if err != nil {
				p.writer.log.Warn("events not acknowledged; posts are refused until Kafka answers", "topic", p.writer.topic, "partition", p.number, "events", len(letters), "error", err)
				p.writer.away.Store(true)
				p.fail(err)
				producer = nil
				break
			}
		}
	}
}

func (p *part) send(ctx context.Context, producer *kafka.Producer, b *kafka.Batch, letters []*letter) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	b.Reset()
	now := time.Now().UnixMilli()
	headers := []kafka.Header{{Key: "eventid"}, {Key: "schema", Value: []byte(event.SchemaName)}, {Key: "content-type", Value: []byte(event.ContentType)}, {Key: tracing.Header}}
	for _, l := range letters {
		headers[0].Value, headers[3].Value = l.id, l.trace
		if len(l.trace) > 0 {
			b.Append(now, l.key, l.value, headers...)
		} else {
			b.Append(now, l.key, l.value, headers[:3]...)
		}
	}
	err := b.Seal(0)
	if err == nil {
		err = producer.Send(ctx, p.number, b)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// take returns what goes into the next batch.
func (p *part) take() []*letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	var bytes int64
	n := 0
	for n < len(p.queue) && (n == 0 || bytes+p.queue[n].bytes() < maxBatch) {
		bytes += p.queue[n].bytes()
		n++
	}
	taken := p.queue[:n:n]
	p.queue = p.queue[n:]
	return taken
}

// fail lets everything that waits fail.
func (p *part) fail(err error) {
	p.mu.Lock()
	letters := p.queue
	p.queue = nil
	p.mu.Unlock()
	for _, l := range letters {
		l.err = err
		l.done.Done()
	}
}
