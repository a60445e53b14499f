package live

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

// BenchmarkFeed reads a topic into the history from the beginning.
func BenchmarkFeed(b *testing.B) {
	_, addr := kafkatest.Start(b, kfake.SeedTopics(6, "events"))
	client := kafkatest.Open(b, addr)
	producer, err := client.NewProducer(b.Context(), "events", 6)
	if err != nil {
		b.Fatal(err)
	}
	const n = 600_000
	var batches [6]kafka.Batch
	now := time.Now().UnixMilli()
	for i := range n {
		e := view("visitor-"+strconv.Itoa(i*7919%60_000), "item-"+strconv.Itoa(i*31%40_000), "event-"+strconv.Itoa(i), now)
		p := kafka.Partition([]byte(e.VisitorID), 6)
		batches[p].Append(now, []byte(e.VisitorID), event.AppendJSON(nil, e))
		if batches[p].Bytes() > maxBatch || i >= n-60 {
			send(b, producer, p, &batches[p])
		}
	}
	for p := range batches {
		send(b, producer, p, &batches[p])
	}
	b.ResetTimer()
	for range b.N {
		f := New(Options{Kafka: kafka.Config{Servers: addr, Protocol: "PLAINTEXT"}, Topic: "events", Erasures: "erasures", Back: time.Hour, Visitors: 1_000_000, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan struct{})
		go func() { f.Run(ctx); close(done) }()
		for f.Applied.Load() < n {
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-done
		b.ReportMetric(float64(f.Size().Bytes)/float64(f.Size().Visitors), "bytes/visitor")
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func send(b *testing.B, producer *kafka.Producer, partition int, batch *kafka.Batch) {
	b.Helper()
	if batch.Count() == 0 {
		return
	}
	if err := batch.Seal(0); err != nil {
		b.Fatal(err)
	}
	if err := producer.Send(b.Context(), partition, batch); err != nil {
		b.Fatal(err)
	}
	batch.Reset()
}
