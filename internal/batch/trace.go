package batch

import (
	"bytes"
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	spans "go.opentelemetry.io/otel/trace"

	"cartwheel/internal/kafka"
	"cartwheel/internal/tracing"
)

// maxLinks bounds the traces that the span of a batch file names: a file has thousands of events, and each could bring its own.
const maxLinks = 128

// origins are the traces that a file's events came from.
type origins struct {
	begun time.Time
	last  []byte // header of the event before, which is often the same
	met   map[string]bool
	links []spans.Link
	more  int // traces beyond maxLinks
}

func (o *origins) add(r *kafka.Record) {
	parent := r.Header(tracing.Header)
	if len(parent) == 0 || bytes.Equal(parent, o.last) {
		return
	}
	o.last = append(o.last[:0], parent...)
	if o.met[string(parent)] {
		return
	}
	span := tracing.Read(string(parent))
	switch {
	case !span.IsValid():
	case len(o.links) == maxLinks:
		o.more++ // repeats among these are counted again: to know them would take memory without bound
	default:
		if o.met == nil {
			o.met = map[string]bool{}
		}
		o.met[string(parent)] = true
		o.links = append(o.links, spans.Link{SpanContext: span})
	}
}

// tell sends the span of a published file: from its first event to its name, linked to where its events came from.
func (o *origins) tell(provider spans.TracerProvider, topic string, name Name, rows int) {
	_, span := provider.Tracer("cartwheel").Start(context.Background(), "batch file",
		spans.WithSpanKind(spans.SpanKindConsumer), spans.WithTimestamp(o.begun), spans.WithLinks(o.links...),
		spans.WithAttributes(semconv.MessagingSystemKafka, semconv.MessagingDestinationName(topic), semconv.MessagingBatchMessageCount(rows),
			attribute.String("cartwheel.batch_file", name.String()), attribute.Int("cartwheel.links_left_out", o.more)))
	span.End()
}
