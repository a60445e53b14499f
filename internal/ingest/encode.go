package ingest

import (
	"bytes"
	"unsafe"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

// maxBatch keeps a record batch under the 1 MiB that brokers accept unless told otherwise (message.max.bytes).
const maxBatch = 900 << 10

// encoder turns lines into records. It keeps scratch memory, so each goroutine has its own.
type encoder struct {
	*pipeline
	id    []byte
	value []byte
}

var (
	schemaHeader = kafka.Header{Key: "schema", Value: []byte(event.SchemaName)}
	typeHeader   = kafka.Header{Key: "content-type", Value: []byte(event.ContentType)}
)

func (e *encoder) encode(c *chunk) error {
	c.batches = make([][]*kafka.Batch, e.partitions)
	c.rejects = c.block.rejects
	produced := now()
	line := c.block.firstLine
	for data := c.block.data; len(data) > 0; line++ {
		row := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			row, data = data[:i], data[i+1:]
		} else {
			data = nil
		}
		row = trimCR(row)
		if len(row) == 0 {
			continue
		}
		var ev event.Event
		if err := e.lines.layout.ParseRow(row, &ev); err != nil {
			c.rejects = append(c.rejects, newReject(line, err, row))
			continue
		}
		e.id = e.lines.source.AppendID(e.id[:0], line, row)
		ev.EventID = unsafe.String(unsafe.SliceData(e.id), len(e.id)) // lives until the next row, and is copied before
		e.value = event.AppendJSON(e.value[:0], &ev)
		key := unsafe.Slice(unsafe.StringData(ev.VisitorID), len(ev.VisitorID))
		b := e.batch(c, kafka.Partition(key, e.partitions))
		b.Append(produced, key, e.value, kafka.Header{Key: "eventid", Value: e.id}, schemaHeader, typeHeader)
		c.rows++
	}
	for _, batches := range c.batches {
		for _, b := range batches {
			if err := b.Seal(e.compression); err != nil {
				return err
			}
		}
	}
	return nil
}

// batch is the one to append to for that partition.
func (e *encoder) batch(c *chunk, partition int) *kafka.Batch {
	list := c.batches[partition]
	if n := len(list); n > 0 && list[n-1].Bytes() < maxBatch {
		return list[n-1]
	}
	b, _ := e.free.Get().(*kafka.Batch)
	if b == nil {
		b = &kafka.Batch{}
	}
	b.Reset()
	c.batches[partition] = append(list, b)
	return b
}

func trimCR(row []byte) []byte {
	if n := len(row); n > 0 && row[n-1] == '\r' {
		return row[:n-1]
	}
	return row
}
