package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// errCorrupt is wrapped by errors that say a broker's answer cannot be what it wrote.
var errCorrupt = errors.New("corrupt answer from Kafka")

const (
	fetchBytes    = 2 << 20   // of one answer; a larger batch still comes whole
	maxFetchBytes = 512 << 20 // no sound answer is larger, so do not try to allocate it
	fetchWait     = 250 * time.Millisecond
)

// Fetch reads records of one partition from an offset on, committed ones only. It waits a moment if there are none yet, and then
// returns an answer without records. The answer reuses into's memory, which may be nil.
func (c *Client) Fetch(ctx context.Context, topic string, partition int, offset int64, into *Fetched) (*Fetched, error) {
	if into == nil {
		into = &Fetched{}
	}
	into.reset(offset)
	req := &rawFetch{into: into, Request: fetch.Request{
		ReplicaID: -1, MaxWaitTime: int32(fetchWait.Milliseconds()), MinBytes: 1, MaxBytes: fetchBytes, IsolationLevel: 1, SessionID: 0, SessionEpoch: -1,
		Topics: []fetch.RequestTopic{{Topic: topic, Partitions: []fetch.RequestPartition{{
			Partition: int32(partition), CurrentLeaderEpoch: -1, FetchOffset: offset, LogStartOffset: -1, PartitionMaxBytes: fetchBytes,
		}}}},
	}}
	ctx, cancel := context.WithTimeout(ctx, fetchWait+requestTimeout)
	defer cancel()
	if _, err := c.transport.RoundTrip(ctx, c.kafka.Addr, req); err != nil {
		return nil, fmt.Errorf("fetching %s/%d at offset %d: %w", topic, partition, offset, err)
	}
	if err := into.parse(req.version); err != nil {
		return nil, fmt.Errorf("fetching %s/%d at offset %d: %w", topic, partition, offset, err)
	}
	return into, nil
}

// rawFetch is a fetch request whose answer is taken as bytes: kafka-go would build several objects for every record, which costs
// more than all the rest of reading it.
type rawFetch struct {
	fetch.Request
	into    *Fetched
	version int16
}

type rawFetchResponse struct{ fetch.Response }

// Required is asked by the transport before each exchange, with what the broker and the library both speak.
func (r *rawFetch) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Fetch]
	return true
}

// RawExchange writes the request and reads the whole answer.
func (r *rawFetch) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if r.version < 4 {
		return nil, fmt.Errorf("%w: the broker speaks only version %d of Fetch, 4 or later is needed (Kafka 0.11)", errCorrupt, r.version)
	}
	const correlation = 1
	if err := protocol.WriteRequest(rw, r.version, correlation, "cartwheel", &r.Request); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(head[:])) - 4
	if id := binary.BigEndian.Uint32(head[4:]); id != correlation || size < 0 || size > maxFetchBytes {
		return nil, fmt.Errorf("%w: %d bytes with correlation id %d", errCorrupt, size, id)
	}
	if cap(r.into.buf) < size {
		r.into.buf = make([]byte, size+size/8)
	}
	r.into.buf = r.into.buf[:size]
	if _, err := io.ReadFull(rw, r.into.buf); err != nil {
		return nil, err
	}
	return &rawFetchResponse{}, nil
}

// parse reads everything before the record set.
func (f *Fetched) parse(version int16) error {
	b := reader{b: f.buf}
	b.skip(4) // throttle time
	if version >= 7 {
		if code := b.int16(); code != 0 {
			return kafkago.Error(code)
		}
		b.skip(4) // session id
	}
	if topics := b.int32(); topics != 1 && b.ok() {
		return fmt.Errorf("%w: %d topics instead of one", errCorrupt, topics)
	}
	b.skip(int(b.int16())) // topic
	if partitions := b.int32(); partitions != 1 && b.ok() {
		return fmt.Errorf("%w: %d partitions instead of one", errCorrupt, partitions)
	}
	b.skip(4) // partition
	code := b.int16()
	f.HighWatermark = b.int64()
	f.StableEnd = b.int64()
	if version >= 5 {
		f.LogStart = b.int64()
	}
	for n := b.int32(); n > 0 && b.ok(); n-- {
		f.aborted = append(f.aborted, abortedTransaction{producer: b.int64(), first: b.int64()})
	}
	if version >= 11 {
		b.skip(4) // preferred read replica
	}
	size := int(b.int32())
	if code != 0 {
		return kafkago.Error(code)
	}
	if !b.ok() || size > len(b.b) {
		return fmt.Errorf("%w: cut short", errCorrupt)
	}
	f.rest = b.b[:max(size, 0)]
	return nil
}

// reader takes big-endian numbers off a slice; after running past the end it gives zeros and is not ok.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) ok() bool { return !r.bad }

func (r *reader) skip(n int) []byte {
	if n < 0 {
		n = 0
	}
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) int16() int16 {
	if b := r.skip(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.skip(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.skip(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// bytes takes a length and that many bytes; a negative length is nil.
func (r *reader) bytes() []byte {
	n := r.varint()
	if n < 0 {
		return nil
	}
	if n > int64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	return r.skip(int(n))
}
