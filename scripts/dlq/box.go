package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

// box is a topic's dead letters.
type box struct {
	client *kafka.Client
	topic  string
	dead   string
	all    bool
}

// letter is one message that was set aside. Its place in the original topic names it: a consumer that was killed may have set the
// same message aside twice.
type letter struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
	Reason    string `json:"reason"`
	Cut       string `json:"cut_from,omitempty"` // bytes that the value had before it was cut
	Value     string `json:"value"`
}

type place struct {
	topic     string
	partition int
	offset    int64
}

// group is under whose name the box remembers what has been sent back.
func (b *box) group() string { return b.dead + ".resubmitted" }

// read returns the letters, each once, and the offsets behind them.
func (b *box) read(ctx context.Context) (letters []letter, next map[int]int64, err error) {
	var from map[int]int64
	if !b.all {
		if from, err = b.client.Committed(ctx, b.group(), b.dead); errors.Is(err, kafka.ErrNoTopic) {
			return nil, nil, nil // nothing has ever been set aside
		}
		if err != nil {
			return nil, nil, err
		}
	}
	seen := map[place]bool{}
	next, err = b.client.Scan(ctx, b.dead, from, func(_ int, r *kafka.Record) error {
		l := letter{Value: string(r.Value), Partition: -1, Offset: -1}
		for _, h := range r.Headers() {
			switch h.Key {
			case batch.HeaderReason:
				l.Reason = string(h.Value)
			case batch.HeaderTopic:
				l.Topic = string(h.Value)
			case batch.HeaderPartition:
				l.Partition, _ = strconv.Atoi(string(h.Value))
			case batch.HeaderOffset:
				l.Offset, _ = strconv.ParseInt(string(h.Value), 10, 64)
			case batch.HeaderCut:
				l.Cut = string(h.Value)
			}
		}
		if at := (place{l.Topic, l.Partition, l.Offset}); !seen[at] {
			seen[at] = true
			letters = append(letters, l)
		}
		return nil
	})
	if errors.Is(err, kafka.ErrNoTopic) {
		return nil, nil, nil
	}
	return letters, next, err
}

func (b *box) list(ctx context.Context, out io.Writer) error {
	letters, _, err := b.read(ctx)
	if err != nil {
		return err
	}
	reasons := map[string]int{}
	for _, l := range letters {
		fmt.Fprintf(out, "%s/%d offset %d: %s\n", l.Topic, l.Partition, l.Offset, l.Reason)
		if l.Cut != "" {
			fmt.Fprintf(out, "    the message had %s bytes and was cut; the whole of it is at that offset, as long as Kafka keeps it\n", l.Cut)
		}
		fmt.Fprintf(out, "    %q\n", l.Value[:min(len(l.Value), 120)])
		reasons[event.Rule(errors.New(l.Reason))]++
	}
	fmt.Fprintf(out, "%d set aside", len(letters))
	for _, r := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(out, ", %d for %s", reasons[r], r)
	}
	fmt.Fprintln(out)
	return nil
}

func (b *box) export(ctx context.Context, out io.Writer) error {
	letters, _, err := b.read(ctx)
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, l := range letters {
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// resubmit sends back what is valid as it is, which it may be since the programs have become more tolerant.
func (b *box) resubmit(ctx context.Context, out io.Writer) error {
	letters, next, err := b.read(ctx)
	if err != nil {
		return err
	}
	if err := b.send(ctx, letters, out); err != nil {
		return err
	}
	if len(letters) == 0 {
		return nil
	}
	return b.client.Commit(ctx, b.group(), b.dead, next)
}

// send sends the valid letters to the topic. If one is not valid, none is sent: half a box sent back would have to be told from the
// other half by hand.
func (b *box) send(ctx context.Context, letters []letter, out io.Writer) error {
	events := make([]event.Event, len(letters))
	var wrong []error
	for i, l := range letters {
		if err := event.ParseJSON([]byte(l.Value), &events[i]); err != nil {
			wrong = append(wrong, fmt.Errorf("%s/%d offset %d: %w", l.Topic, l.Partition, l.Offset, err))
		}
		if events[i].EventID == "" { // it follows from the original place, so that sending it again changes nothing
			sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", l.Topic, l.Partition, l.Offset))
			events[i].EventID = hex.EncodeToString(sum[:event.IDBytes/2])
		}
	}
	if len(wrong) > 0 {
		most := min(len(wrong), 10)
		return fmt.Errorf("nothing was sent: %d of %d are still not valid; dlq export > FILE, correct or delete them there, dlq resubmit --from FILE\n%w",
			len(wrong), len(letters), errors.Join(wrong[:most]...))
	}
	if err := b.produce(ctx, events); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d sent back to %s\n", len(events), b.topic)
	return nil
}

func (b *box) produce(ctx context.Context, events []event.Event) error {
	n, err := b.client.Partitions(ctx, b.topic)
	if err != nil {
		return err
	}
	p, err := b.client.NewProducer(ctx, b.topic, n)
	if err != nil {
		return err
	}
	batches := make([]kafka.Batch, n)
	flush := func(i int) error {
		if batches[i].Count() == 0 {
			return nil
		}
		defer batches[i].Reset()
		if err := batches[i].Seal(0); err != nil {
			return err
		}
		return p.Send(ctx, i, &batches[i])
	}
	for i := range events {
		e := &events[i]
		to := kafka.Partition([]byte(e.VisitorID), n)
		batches[to].Append(time.Now().UnixMilli(), []byte(e.VisitorID), event.AppendJSON(nil, e), kafka.Header{Key: "eventid", Value: []byte(e.EventID)},
			kafka.Header{Key: "schema", Value: []byte(event.SchemaName)}, kafka.Header{Key: "content-type", Value: []byte(event.ContentType)})
		if batches[to].Bytes() > 512<<10 {
			if err := flush(to); err != nil {
				return err
			}
		}
	}
	for i := range batches {
		if err := flush(i); err != nil {
			return err
		}
	}
	return nil
}

// decodeLetters reads what export wrote.
func decodeLetters(data []byte) (letters []letter, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	for d.More() {
		var l letter
		if err := d.Decode(&l); err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(letters)+1, err)
		}
		letters = append(letters, l)
	}
	return letters, nil
}
