package main

import (
	"strconv"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/event"
	"cartwheel/internal/metrics"
)

func samples(unhealthy error, s *batch.Stats) []metrics.Sample {
	healthy := 1.0
	if unhealthy != nil {
		healthy = 0
	}
	list := []metrics.Sample{
		{Name: "cartwheel_consumer_healthy", Help: "0 while Kafka has not answered as it should for a while; then the lag is what it was before.", Gauge: true, Value: healthy},
		{Name: "cartwheel_consumer_records_read_total", Help: "Records read from the topic.", Value: float64(s.Records.Load())},
		{Name: "cartwheel_consumer_bytes_read_total", Help: "Bytes of the values of these records.", Value: float64(s.Bytes.Load())},
		{Name: "cartwheel_consumer_events_published_total", Help: "Events in published batch files.", Value: float64(s.Events.Load())},
		{Name: "cartwheel_consumer_batches_published_total", Help: "Published batch files.", Value: float64(s.Batches.Load())},
	}
	reasons := s.Reasons()
	for _, reason := range event.Rules { // those that never were, too: a figure that was not there before has not risen
		list = append(list, metrics.Sample{
			Name: "cartwheel_consumer_rejected_total", Help: "Records sent to the dead-letter topic, by the rule that they break.",
			Value: float64(reasons[reason]), Labels: map[string]string{"reason": reason},
		})
	}
	for partition, n := range s.Lags() {
		list = append(list, metrics.Sample{
			Name: "cartwheel_consumer_lag_records", Help: "Records of an assigned partition that are not yet read.",
			Gauge: true, Value: float64(n), Labels: map[string]string{"partition": strconv.Itoa(partition)},
		})
	}
	if at := s.LastCommit.Load(); at > 0 {
		list = append(list, metrics.Sample{
			Name: "cartwheel_consumer_last_commit_age_seconds", Help: "Time since offsets were last committed to Kafka.",
			Gauge: true, Value: time.Since(time.UnixMilli(at)).Seconds(),
		})
	}
	return list
}
