package batch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

// DeadLetterSuffix follows a topic's name to name the topic that takes what cannot be understood.
const DeadLetterSuffix = ".dlq"

// Headers of a dead letter. The record's own key, value and headers are kept as they were.
const (
	HeaderReason    = "dlq.reason"    // the rule that was broken, in words
	HeaderTopic     = "dlq.topic"     // where the record came from
	HeaderPartition = "dlq.partition" //
	HeaderOffset    = "dlq.offset"    //
	HeaderCut       = "dlq.cut-from"  // bytes that the value had, if it was cut to fit into a message
)

const (
	deadBatchBytes = 512 << 10 // gathered before they are sent
	deadValueBytes = 512 << 10 // kept of a value that the dead-letter topic refuses for its size
	deadMaxMessage = 16 << 20  // that the dead-letter topic accepts if it is made here
)

// deadTopic is the dead-letter topic, opened when it is first needed.
type deadTopic struct {
	client     *kafka.Client
	name       string
	mu         sync.Mutex
	producer   *kafka.Producer
	partitions int
}

func (d *deadTopic) open(ctx context.Context) (*kafka.Producer, int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.producer != nil {
		return d.producer, d.partitions, nil
	}
	n, err := d.client.Partitions(ctx, d.name)
	if errors.Is(err, kafka.ErrNoTopic) {
		err = d.client.CreateTopic(ctx, d.name, 1, -1, kafka.TopicSetting{Name: "max.message.bytes", Value: strconv.Itoa(deadMaxMessage)})
		if err == nil {
			n, err = d.client.Partitions(ctx, d.name)
		}
	}
	if err == nil {
		d.producer, err = d.client.NewProducer(ctx, d.name, n)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("opening the dead-letter topic: %w", err)
	}
	d.partitions = n
	return d.producer, n, nil
}

// deadLetters sends what one partition holds that is no event. add only gathers: flush must have returned before a batch file
// that passes the records by is published.
type deadLetters struct {
	topic  *deadTopic
	source string
	id     int
	stats  *Stats
	batch  kafka.Batch
	last   letter // kept for sending again, shorter, if it is refused
}

type letter struct {
	key, value []byte
	headers    []kafka.Header
}

func (d *deadLetters) add(ctx context.Context, r *kafka.Record, reason error) error {
	headers := append(r.Headers(),
		kafka.Header{Key: HeaderReason, Value: []byte(reason.Error())},
		kafka.Header{Key: HeaderTopic, Value: []byte(d.source)},
		kafka.Header{Key: HeaderPartition, Value: strconv.AppendInt(nil, int64(d.id), 10)},
		kafka.Header{Key: HeaderOffset, Value: strconv.AppendInt(nil, r.Offset, 10)})
	d.stats.dead(event.Rule(reason))
	if d.batch.Count() > 0 && d.batch.Bytes()+len(r.Value) > deadBatchBytes {
		if err := d.flush(ctx); err != nil {
			return err
		}
	}
	d.last = letter{bytes.Clone(r.Key), bytes.Clone(r.Value), headers} // the record's own memory is soon another answer's
	d.batch.Append(time.Now().UnixMilli(), r.Key, r.Value, headers...)
	if d.batch.Bytes() > deadBatchBytes {
		return d.flush(ctx)
	}
	return nil
}

func (d *deadLetters) flush(ctx context.Context) error {
	if d.batch.Count() == 0 {
		return nil
	}
	producer, n, err := d.topic.open(ctx)
	if err != nil {
		return err
	}
	if err := d.batch.Seal(0); err != nil {
		return err
	}
	err = producer.Send(ctx, d.id%n, &d.batch)
	if kafka.IsTooLarge(err) && d.batch.Count() == 1 {
		// The topic takes no message so long. Its beginning tells what it was, and its headers where the whole of it is.
		cut := append(d.last.headers, kafka.Header{Key: HeaderCut, Value: strconv.AppendInt(nil, int64(len(d.last.value)), 10)})
		d.batch.Reset()
		d.batch.Append(time.Now().UnixMilli(), d.last.key, d.last.value[:min(len(d.last.value), deadValueBytes)], cut...)
		if err := d.batch.Seal(0); err != nil {
			return err
		}
		err = producer.Send(ctx, d.id%n, &d.batch)
	}
	if err != nil {
		return fmt.Errorf("sending to the dead-letter topic: %w", err)
	}
	d.batch.Reset()
	return nil
}
