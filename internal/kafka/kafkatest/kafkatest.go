// Package kafkatest gives tests a broker: one that lives in the test's own process, or the real one that the environment names.
package kafkatest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kfake"

	"cartwheel/internal/kafka"
)

// Start runs a broker in this process until the test ends.
func Start(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, string) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(0)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, strings.Join(c.ListenAddrs(), ",")
}

// Real is the address of the real broker that integration tests run against.
func Real(t testing.TB) string {
	t.Helper()
	addr := os.Getenv("KAFKA_BOOTSTRAP_SERVERS")
	if addr == "" {
		t.Fatal("KAFKA_BOOTSTRAP_SERVERS is not set: integration tests need a real broker (make test brings one)")
	}
	return addr
}

// Open connects to a broker until the test ends.
func Open(t testing.TB, addr string) *kafka.Client {
	t.Helper()
	c, err := kafka.Open(t.Context(), kafka.Config{Servers: addr, Protocol: "PLAINTEXT"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Topic makes a topic of a name that no other test has.
func Topic(t testing.TB, c *kafka.Client, partitions int, settings ...kafka.TopicSetting) string {
	t.Helper()
	name := "test-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name()) + "-" + uuid.NewString()[:8]
	if err := c.CreateTopic(t.Context(), name, partitions, 1, settings...); err != nil {
		t.Fatal(err)
	}
	return name
}

// Send appends messages with these values to a partition.
func Send(t testing.TB, c *kafka.Client, topic string, partition int, values ...string) {
	t.Helper()
	SendAt(t, c, topic, partition, time.Now().UnixMilli(), values...)
}

// SendAt is Send with a time of one's choice, by which the broker decides when to delete them.
func SendAt(t testing.TB, c *kafka.Client, topic string, partition int, ms int64, values ...string) {
	t.Helper()
	n, err := c.Partitions(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.NewProducer(t.Context(), topic, n)
	if err != nil {
		t.Fatal(err)
	}
	var b kafka.Batch
	for i, v := range values {
		b.Append(ms, []byte("key"), []byte(v))
		if b.Bytes() > 512<<10 || i == len(values)-1 {
			if err := b.Seal(0); err != nil {
				t.Fatal(err)
			}
			if err := p.Send(t.Context(), partition, &b); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
}

// Message is a record, copied.
type Message struct {
	Partition int
	Offset    int64
	Time      int64
	Key       string
	Value     string
	Headers   map[string]string
}

// ReadAll returns everything that a topic holds.
func ReadAll(t testing.TB, c *kafka.Client, topic string) []Message {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		list, err := readAll(t.Context(), c, topic)
		if err == nil {
			return list
		}
		if !kafka.Temporary(err) || time.Now().After(deadline) { // a client learns of a new topic within seconds
			t.Fatal(err)
		}
	}
}

func readAll(ctx context.Context, c *kafka.Client, topic string) (list []Message, err error) {
	_, err = c.Scan(ctx, topic, nil, func(partition int, r *kafka.Record) error {
		m := Message{Partition: partition, Offset: r.Offset, Time: r.Time, Key: string(r.Key), Value: string(r.Value), Headers: map[string]string{}}
		for _, h := range r.Headers() {
			m.Headers[h.Key] = string(h.Value)
		}
		list = append(list, m)
		return nil
	})
	return list, err
}
