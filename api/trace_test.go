package main

import (
	"encoding/hex"
	"testing"

	"cartwheel/internal/kafka/kafkatest"
	"cartwheel/internal/tracing"
	"cartwheel/internal/tracing/tracingtest"
)

// A posted event takes its trace along into the topic.
func TestEventsBearTheirTrace(t *testing.T) {
	t.Parallel()
	collector := tracingtest.Start(t)
	_, addr := broker(t)
	p := startLive(t, liveShop(t), addr, "--otlp-endpoint", collector.URL)
	const trace = "0af7651916cd43dd8448eb211c80319c"
	for _, parent := range []string{"00-" + trace + "-b7ad6b7169203331-01", "00-" + trace + "-b7ad6b7169203331-00"} { // sampled, and not
		if a := p.do(t, "POST", posted, "["+view("anna", "a1")+","+view("anna", "a2")+"]", "Content-Type", "application/json", "traceparent", parent); a.status != 202 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	p.stop()
	if code := <-p.code; code != 0 {
		t.Fatalf("the program ended with %d:\n%s", code, p.log.text())
	}
	spans := collector.Named("send events")
	if len(spans) != 1 || hex.EncodeToString(spans[0].TraceId) != trace {
		t.Fatalf("spans: %v", spans)
	}
	with, without := 0, 0
	for _, m := range kafkatest.ReadAll(t, kafkatest.Open(t, addr), "events") {
		switch m.Headers[tracing.Header] {
		case "00-" + trace + "-" + hex.EncodeToString(spans[0].SpanId) + "-01":
			with++
		case "":
			without++
		default:
			t.Errorf("header %q", m.Headers[tracing.Header])
		}
	}
	if with != 2 || without != 2 {
		t.Errorf("%d events with their trace, %d without", with, without)
	}
}
