package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/segmentio/kafka-go/compress"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Positions in a record batch, message format 2: https://kafka.apache.org/documentation/#recordbatch
const (
	posBaseOffset = 0
	posLength     = 8
	posEpoch      = 12
	posMagic      = 16
	posCRC        = 17
	posAttributes = 21 // what the checksum covers begins here
	posLastDelta  = 23
	posFirstTime  = 27
	posMaxTime    = 35
	posProducerID = 43
	posProdEpoch  = 51
	posSequence   = 53
	posCount      = 57
	batchHeader   = 61
)

// sizePrefix precedes a record set in a produce request.
const sizePrefix = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is a record batch in the making. The zero value is ready for use; Reset makes a used one ready again, keeping its memory.
type Batch struct {
	buf       []byte
	count     int
	firstTime int64
	maxTime   int64
}

// Reset empties the batch.
func (b *Batch) Reset() { b.buf, b.count = b.buf[:0], 0 }

// Count is the number of records.
func (b *Batch) Count() int { return b.count }

// Bytes is the size so far.
func (b *Batch) Bytes() int { return len(b.buf) }

// Append adds a record with a time in Unix milliseconds. It copies everything.
func (b *Batch) Append(ms int64, key, value []byte, headers ...Header) {
	if b.count == 0 {
		var zero [sizePrefix + batchHeader]byte
		b.buf = append(b.buf[:0], zero[:]...)
		b.firstTime, b.maxTime = ms, ms
	}
	b.maxTime = max(b.maxTime, ms)
	size := 1 + varintLen(ms-b.firstTime) + varintLen(int64(b.count)) +
		varintLen(int64(len(key))) + len(key) + varintLen(int64(len(value))) + len(value) + varintLen(int64(len(headers)))
	for i := range headers {
		h := &headers[i]
		size += varintLen(int64(len(h.Key))) + len(h.Key) + varintLen(int64(len(h.Value))) + len(h.Value)
	}
	buf := binary.AppendVarint(b.buf, int64(size))
	buf = append(buf, 0) // attributes, unused
	buf = binary.AppendVarint(buf, ms-b.firstTime)
	buf = binary.AppendVarint(buf, int64(b.count))
	buf = binary.AppendVarint(buf, int64(len(key)))
	buf = append(buf, key...)
	buf = binary.AppendVarint(buf, int64(len(value)))
	buf = append(buf, value...)
	buf = binary.AppendVarint(buf, int64(len(headers)))
	for i := range headers {
		h := &headers[i]
		buf = binary.AppendVarint(buf, int64(len(h.Key)))
		buf = append(buf, h.Key...)
		buf = binary.AppendVarint(buf, int64(len(h.Value)))
		buf = append(buf, h.Value...)
	}
	b.buf = buf
	b.count++
}

// Seal ends the batch: compresses it and fills in its header, all but what Producer.Send adds.
func (b *Batch) Seal(c Compression) error {
	if c != 0 && b.count > 0 {
		var out bytes.Buffer
		out.Write(b.buf[:sizePrefix+batchHeader])
		w := compress.Compression(c).Codec().NewWriter(&out)
		_, err := w.Write(b.buf[sizePrefix+batchHeader:])
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return fmt.Errorf("compressing a record batch: %w", err)
		}
		b.buf = append(b.buf[:0], out.Bytes()...)
	}
	binary.BigEndian.PutUint32(b.buf, uint32(len(b.buf)-sizePrefix))
	h := b.buf[sizePrefix:]
	binary.BigEndian.PutUint64(h[posBaseOffset:], 0)
	binary.BigEndian.PutUint32(h[posLength:], uint32(len(h)-posEpoch))
	binary.BigEndian.PutUint32(h[posEpoch:], ^uint32(0))
	h[posMagic] = 2
	binary.BigEndian.PutUint16(h[posAttributes:], uint16(c))
	binary.BigEndian.PutUint32(h[posLastDelta:], uint32(b.count-1))
	binary.BigEndian.PutUint64(h[posFirstTime:], uint64(b.firstTime))
	binary.BigEndian.PutUint64(h[posMaxTime:], uint64(b.maxTime))
	binary.BigEndian.PutUint32(h[posCount:], uint32(b.count))
	return nil
}

// sign fills in who sends the batch and the sequence number of its first record, and the checksum.
func (b *Batch) sign(id int64, epoch int16, sequence int32) {
	h := b.buf[sizePrefix:]
	binary.BigEndian.PutUint64(h[posProducerID:], uint64(id))
	binary.BigEndian.PutUint16(h[posProdEpoch:], uint16(epoch))
	binary.BigEndian.PutUint32(h[posSequence:], uint32(sequence))
	binary.BigEndian.PutUint32(h[posCRC:], crc32.Checksum(h[posAttributes:], castagnoli))
}

func varintLen(v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	n := 1
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

// Compression is how batches are compressed, by Kafka's number for it.
type Compression int8

// Compressions by the names that Kafka gives them.
var Compressions = map[string]Compression{"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}

// Partition chooses a key's partition out of n as Kafka's own Java clients do.
func Partition(key []byte, n int) int { return int(murmur2(key)&0x7fffffff) % n }

// murmur2 is the hash of Kafka's DefaultPartitioner (org.apache.kafka.common.utils.Utils.murmur2).
func murmur2(data []byte) uint32 {
	const m = 0x5bd1e995
	h := 0x9747b28c ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(data[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
