package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/segmentio/kafka-go/compress"
)

const (
	attrCodec         = 0x07
	attrTransactional = 0x10
	attrControl       = 0x20

	maxBatchBytes = 256 << 20 // decompressed; nothing sound is larger
)

// Record is one record of an answer. Its slices hold until the next call of Next.
type Record struct {
	Offset  int64
	Time    int64 // Unix milliseconds
	Key     []byte
	Value   []byte
	headers []byte // encoded
	count   int
}

// Header returns the value of the first header of that name, or nil. It is valid as long as the record.
func (r *Record) Header(name string) []byte {
	b := reader{b: r.headers}
	for range r.count {
		key, value := b.bytes(), b.bytes()
		if !b.ok() {
			return nil
		}
		if string(key) == name {
			return value
		}
	}
	return nil
}

// Headers decodes the record's headers.
func (r *Record) Headers() []Header {
	b := reader{b: r.headers}
	var list []Header
	for range r.count {
		h := Header{Key: string(b.bytes()), Value: bytes.Clone(b.bytes())}
		if !b.ok() {
			break
		}
		list = append(list, h)
	}
	return list
}

// Fetched is the answer to a Fetch, read record by record.
type Fetched struct {
	HighWatermark int64 // the offset that the next record will get
	StableEnd     int64 // the same for readers of committed records
	LogStart      int64 // the first offset that is still held

	buf      []byte // the whole answer
	rest     []byte // batches not yet begun
	aborted  []abortedTransaction
	dropping map[int64]bool // producers whose current transaction was aborted

	from  int64 // the offset asked for
	next  int64 // the offset that follows everything read so far
	batch struct {
		records   reader
		left      int
		base      int64
		firstTime int64
		end       int64 // the offset after the batch
	}
	plain bytes.Buffer // a decompressed batch
}

type abortedTransaction struct{ producer, first int64 }

func (f *Fetched) reset(offset int64) {
	f.rest, f.aborted, f.dropping = nil, f.aborted[:0], nil
	f.from, f.next = offset, offset
	f.batch.left, f.batch.end = 0, offset
	f.HighWatermark, f.StableEnd, f.LogStart = -1, -1, -1
}

// NextOffset is where reading goes on after what has been read so far. Once Next has returned false it lies behind everything in the
// answer, offsets that hold no record included.
func (f *Fetched) NextOffset() int64 { return f.next }

// End is what NextOffset will be once everything has been read.
func (f *Fetched) End() int64 {
	end := f.next
	for h := f.rest; len(h) >= batchHeader; {
		length := posEpoch + int(binary.BigEndian.Uint32(h[posLength:]))
		if length > len(h) || length < batchHeader {
			break
		}
		end = max(end, int64(binary.BigEndian.Uint64(h[posBaseOffset:]))+int64(int32(binary.BigEndian.Uint32(h[posLastDelta:])))+1)
		h = h[length:]
	}
	return end
}

// Next reads the next record into r, and returns false after the last. Records of aborted transactions and control records are
// passed over, and so are those before the offset asked for, which the broker sends because it sends whole batches.
func (f *Fetched) Next(r *Record) (bool, error) {
	for {
		for f.batch.left > 0 {
			f.batch.left--
			if err := f.record(r); err != nil {
				return false, err
			}
			if r.Offset >= f.from {
				f.next = max(f.next, r.Offset+1)
				return true, nil
			}
		}
		f.next = max(f.next, f.batch.end)
		more, err := f.open()
		if err != nil || !more {
			return false, err
		}
	}
}

// open begins the next batch that holds records for us.
func (f *Fetched) open() (bool, error) {
	h := f.rest
	if len(h) < batchHeader {
		return false, nil // the broker cuts its answer off where the limit falls
	}
	length := posEpoch + int(binary.BigEndian.Uint32(h[posLength:]))
	if length > len(h) {
		return false, nil
	}
	base := int64(binary.BigEndian.Uint64(h[posBaseOffset:]))
	if length < batchHeader || h[posMagic] != 2 {
		return false, fmt.Errorf("%w: the batch at offset %d has message format %d, only 2 is understood", errCorrupt, base, h[posMagic])
	}
	h, f.rest = h[:length], f.rest[length:]
	if got, want := crc32.Checksum(h[posAttributes:], castagnoli), binary.BigEndian.Uint32(h[posCRC:]); got != want {
		return false, fmt.Errorf("%w: the batch at offset %d has checksum %08x instead of %08x", errCorrupt, base, got, want)
	}
	attributes := binary.BigEndian.Uint16(h[posAttributes:])
	producer := int64(binary.BigEndian.Uint64(h[posProducerID:]))
	f.batch.base = base
	f.batch.end = base + int64(int32(binary.BigEndian.Uint32(h[posLastDelta:]))) + 1
	f.batch.firstTime = int64(binary.BigEndian.Uint64(h[posFirstTime:]))
	f.batch.left = int(int32(binary.BigEndian.Uint32(h[posCount:])))
	records := h[batchHeader:]
	if codec := attributes & attrCodec; codec != 0 {
		plain, err := f.decompress(compress.Compression(codec), records)
		if err != nil {
			return false, fmt.Errorf("%w: decompressing the batch at offset %d: %w", errCorrupt, base, err)
		}
		records = plain
	}
	f.batch.records = reader{b: records}
	if !f.wanted(attributes, producer, records) {
		f.batch.left = 0
	}
	return true, nil
}

// wanted follows the transactions of an answer, as every reader of committed records has to: the broker sends the records of aborted
// transactions too, and a list of them.
func (f *Fetched) wanted(attributes uint16, producer int64, records []byte) bool {
	kept := f.aborted[:0]
	for _, a := range f.aborted {
		if a.first < f.batch.end {
			if f.dropping == nil {
				f.dropping = map[int64]bool{}
			}
			f.dropping[a.producer] = true
			continue
		}
		kept = append(kept, a)
	}
	f.aborted = kept
	if attributes&attrControl != 0 {
		if controlType(records) == 0 {
			delete(f.dropping, producer)
		}
		return false
	}
	return attributes&attrTransactional == 0 || !f.dropping[producer]
}

// controlType is 0 for the end of an aborted transaction, 1 for that of a committed one, -1 if unknown.
func controlType(records []byte) int16 {
	b := reader{b: records}
	b.varint() // length
	b.skip(1)
	b.varint() // time
	b.varint() // offset
	key := reader{b: b.bytes()}
	key.skip(2)
	if t := key.int16(); key.ok() {
		return t
	}
	return -1
}

func (f *Fetched) record(r *Record) error {
	all := &f.batch.records
	b := reader{b: all.bytes()}
	b.skip(1) // attributes, unused
	r.Time = f.batch.firstTime + b.varint()
	r.Offset = f.batch.base + b.varint()
	r.Key = b.bytes()
	r.Value = b.bytes()
	r.count = int(b.varint())
	r.headers = b.b
	if !b.ok() || !all.ok() {
		return fmt.Errorf("%w: the batch at offset %d ends inside a record", errCorrupt, f.batch.base)
	}
	return nil
}

func (f *Fetched) decompress(c compress.Compression, b []byte) ([]byte, error) {
	codec := c.Codec()
	if codec == nil {
		return nil, fmt.Errorf("unknown compression %d", c)
	}
	r := codec.NewReader(bytes.NewReader(b))
	defer r.Close()
	f.plain.Reset()
	n, err := io.Copy(&f.plain, io.LimitReader(r, maxBatchBytes+1))
	if err != nil {
		return nil, err
	}
	if n > maxBatchBytes {
		return nil, fmt.Errorf("more than %d bytes", maxBatchBytes)
	}
	return f.plain.Bytes(), nil
}
