package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
	"cartwheel/internal/tracing"
	"cartwheel/internal/tracing/tracingtest"
)

// sendTraced puts one event into partition 0 for each header.
func (b *bench) sendTraced(parents ...string) {
	b.t.Helper()
	p, err := b.client.NewProducer(b.t.Context(), b.topic, 3)
	if err != nil {
		b.t.Fatal(err)
	}
	var batch kafka.Batch
	for _, parent := range parents {
		e := event.Event{Timestamp: 1, VisitorID: "v", Event: event.View, ItemID: "i", EventID: fmt.Sprint("traced-", len(b.sent))}
		b.sent[e.EventID] = true
		batch.Append(1, []byte("v"), event.AppendJSON(nil, &e), kafka.Header{Key: "eventid", Value: []byte(e.EventID)}, kafka.Header{Key: tracing.Header, Value: []byte(parent)})
	}
	if err := batch.Seal(0); err != nil {
		b.t.Fatal(err)
	}
	if err := p.Send(b.t.Context(), 0, &batch); err != nil {
		b.t.Fatal(err)
	}
}

func parent(trace int) string { return fmt.Sprintf("00-%032x-%016x-01", trace, trace) }

// Each batch file is a span that is linked to the traces of its events, each once, up to a bound. The last spans are sent before the end.
func TestTraces(t *testing.T) {
	t.Parallel()
	_, addr := kafkatest.Start(t)
	b := setup(t, addr)
	collector := tracingtest.Start(t)
	b.send(3) // without a trace
	b.sendTraced(parent(1), parent(2), parent(1), "nonsense", "", parent(2))
	b.mustConsume("--otlp-endpoint", collector.URL)
	names := b.check()
	spans := collector.Named("batch file")
	if len(spans) != len(names) || len(spans) != 3 {
		t.Fatalf("%d spans, %d files", len(spans), len(names))
	}
	met := ""
	for _, s := range spans {
		if s.StartTimeUnixNano == 0 || s.StartTimeUnixNano > s.EndTimeUnixNano {
			t.Errorf("from %d to %d", s.StartTimeUnixNano, s.EndTimeUnixNano)
		}
		for _, l := range s.Links {
			met += hex.EncodeToString(l.TraceId)[28:] + " "
			if text := s.String(); !strings.Contains(text, names[0].String()) || !strings.Contains(text, b.topic) {
				t.Errorf("the span does not name its file and topic: %s", text)
			}
		}
	}
	if met != "0001 0002 " {
		t.Errorf("links to %q", met)
	}

	many := make([]string, 150)
	for i := range many {
		many[i] = parent(i + 10)
	}
	b.sendTraced(many...)
	b.mustConsume("--batch-size", "1000", "--otlp-endpoint", collector.URL)
	b.check()
	spans = collector.Named("batch file")[3:]
	if len(spans) != 1 || len(spans[0].Links) != 128 || !strings.Contains(spans[0].String(), "int_value:22") {
		t.Errorf("%d spans, the first: %.300s", len(spans), spans)
	}

	b.sendTraced(parent(1))
	if r := b.consume(context.Background(), "--otlp-endpoint", "http://127.0.0.1:1"); r.code != 0 || !strings.Contains(r.errors, "traces are lost") {
		t.Errorf("a collector that is away: %d, %s", r.code, r.errors)
	}
	b.check()
	if r := b.consume(context.Background(), "--otlp-endpoint", "localhost:4318"); r.code != 2 || !strings.Contains(r.errors, `--otlp-endpoint "localhost:4318"`) {
		t.Errorf("%d, %s", r.code, r.errors)
	}
}
