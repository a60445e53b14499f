package main

import (
	"fmt"
	"time"

	"cartwheel/internal/ingest"
	"cartwheel/internal/metrics"
)

// unhealthyAfter is how long Kafka may take nothing before /healthz says so.
const unhealthyAfter = 30 * time.Second

func samples(c *ingest.Counts) []metrics.Sample {
	list := []metrics.Sample{
		{Name: "cartwheel_producer_rows_read_total", Help: "Rows read from the source, rejected ones included.", Value: float64(c.Read.Load())},
		{Name: "cartwheel_producer_events_acknowledged_total", Help: "Events acknowledged by Kafka.", Value: float64(c.Sent.Load())},
		{Name: "cartwheel_producer_source_bytes_total", Help: "Bytes read from the source as it is stored.", Value: float64(c.Bytes.Load())},
	}
	for reason, n := range c.Reasons() {
		list = append(list, metrics.Sample{
			Name: "cartwheel_producer_rejected_total", Help: "Rows that are no events, by the rule that they break.",
			Value: float64(n), Labels: map[string]string{"reason": reason},
		})
	}
	if ack := c.LastAck.Load(); ack > 0 {
		list = append(list, metrics.Sample{
			Name: "cartwheel_producer_last_acknowledgement_age_seconds", Help: "Time since Kafka last acknowledged something.",
			Gauge: true, Value: time.Since(time.UnixMilli(ack)).Seconds(),
		})
	}
	return list
}

// healthy is an error while Kafka takes nothing and has not for a while. A producer with nothing to send is healthy.
func (r *retries) healthy(c *ingest.Counts) error {
	last, since := r.last.Load(), max(c.LastAck.Load(), r.begun.UnixMilli())
	if last > since && time.Now().UnixMilli()-since > unhealthyAfter.Milliseconds() {
		return fmt.Errorf("nothing has been acknowledged by Kafka for %s", time.Since(time.UnixMilli(since)).Round(time.Second))
	}
	return nil
}
