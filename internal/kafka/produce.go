package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// deliveryTimeout is how long a Producer goes on trying to deliver a batch, as delivery.timeout.ms is in Kafka's own clients.
const deliveryTimeout = 2 * time.Minute

// Producer sends batches to one topic so that each is appended once, even where an acknowledgement is lost: it numbers batches as
// Kafka's idempotent producer does, and the broker drops what it has already appended. That memory does not outlive the Producer.
type Producer struct {
	client *Client
	topic  string
	parts  []producerPartition
	// OnRetry, if set, hears of every failed attempt that will be repeated, and how long its batch has been waiting.
	OnRetry func(partition int, waited time.Duration, err error)
}

type producerPartition struct {
	sync.Mutex
	id       int64
	epoch    int16
	sequence int32
}

// NewProducer begins to produce to a topic with that many partitions.
func (c *Client) NewProducer(ctx context.Context, topic string, partitions int) (*Producer, error) {
	p := &Producer{client: c, topic: topic, parts: make([]producerPartition, partitions)}
	id, epoch, err := p.identify(ctx)
	if err != nil {
		return nil, err
	}
	for i := range p.parts {
		p.parts[i].id, p.parts[i].epoch = id, epoch
	}
	return p, nil
}

func (p *Producer) identify(ctx context.Context) (int64, int16, error) {
	var last error
	for range 40 { // a coordinator that is just being elected says so
		res, err := p.client.kafka.InitProducerID(ctx, &kafkago.InitProducerIDRequest{})
		if err == nil {
			err = res.Error
		}
		if err == nil {
			return int64(res.Producer.ProducerID), int16(res.Producer.ProducerEpoch), nil
		}
		last = err
		if !Temporary(err) || pause(ctx, retryEvery) != nil {
			break
		}
	}
	return 0, 0, fmt.Errorf("asking Kafka for a producer id: %w", last)
}

// Send appends a sealed batch to a partition with acks=all. Batches of one partition are appended in the order of the calls, which
// must not overlap. Failures that may pass are repeated for two minutes (deliveryTimeout).
func (p *Producer) Send(ctx context.Context, partition int, b *Batch) error {
	part := &p.parts[partition]
	part.Lock()
	defer part.Unlock()
	begun, wait := time.Now(), 20*time.Millisecond
	for {
		b.sign(part.id, part.epoch, part.sequence)
		err := p.attempt(ctx, partition, b)
		switch {
		case err == nil, errors.Is(err, kafkago.DuplicateSequenceNumber):
			part.sequence += int32(b.count)
			if part.sequence < 0 { // Kafka's sequence numbers go back to 0 after 2^31-1
				part.sequence += -1 << 31
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, kafkago.OutOfOrderSequenceNumber), errors.Is(err, kafkago.UnknownProducerId), errors.Is(err, kafkago.InvalidProducerEpoch):
			// The broker has forgotten this producer. Nothing says whether the batch was appended before: it may now be there twice,
			// under the same event ids.
			if part.id, part.epoch, err = p.identify(ctx); err != nil {
				return err
			}
			part.sequence = 0
		case !Temporary(err), time.Since(begun) > deliveryTimeout:
			return fmt.Errorf("sending to %s/%d: not acknowledged after %s: %w", p.topic, partition, time.Since(begun).Round(time.Second), err)
		}
		if p.OnRetry != nil {
			p.OnRetry(partition, time.Since(begun), err)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, time.Second)
	}
}

func (p *Producer) attempt(ctx context.Context, partition int, b *Batch) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := p.client.kafka.RawProduce(ctx, &kafkago.RawProduceRequest{
		Topic: p.topic, Partition: partition, RequiredAcks: kafkago.RequireAll,
		RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(b.buf)},
	})
	if err != nil {
		return err
	}
	return res.Error
}
