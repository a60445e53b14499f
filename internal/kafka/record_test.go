package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

func TestPartitionIsThatOfKafkaClients(t *testing.T) {
	parts := []int{0, 1, 2, 3, 4, 5, 6}
	for i := range 2000 {
		key := []byte(strings.Repeat("k", i%7) + fmt.Sprint(i*7919))
		want := kafkago.Murmur2Balancer{}.Balance(kafkago.Message{Key: key}, parts...)
		if got := kafka.Partition(key, len(parts)); got != want {
			t.Fatalf("key %q goes to partition %d, other clients send it to %d", key, got, want)
		}
	}
}

func TestBatchesArriveAsTheyWereSent(t *testing.T) {
	_, addr := kafkatest.Start(t)
	c := kafkatest.Open(t, addr)
	for name, codec := range kafka.Compressions {
		t.Run(name, func(t *testing.T) {
			topic := kafkatest.Topic(t, c, 2)
			p, err := c.NewProducer(t.Context(), topic, 2)
			if err != nil {
				t.Fatal(err)
			}
			const batches, records = 3, 500
			var b kafka.Batch
			for i := range batches {
				b.Reset()
				for j := range records {
					b.Append(int64(1000*i+j), fmt.Append(nil, "key", j), fmt.Append(nil, strings.Repeat("v", j), i), kafka.Header{Key: "h", Value: fmt.Append(nil, j)}, kafka.Header{Key: "empty"})
				}
				if err := b.Seal(codec); err != nil {
					t.Fatal(err)
				}
				if err := p.Send(t.Context(), 1, &b); err != nil {
					t.Fatal(err)
				}
			}
			got := kafkatest.ReadAll(t, c, topic)
			if len(got) != batches*records {
				t.Fatalf("%d records came, want %d", len(got), batches*records)
			}
			for k, m := range got {
				i, j := k/records, k%records
				if m.Partition != 1 || m.Offset != int64(k) || m.Time != int64(1000*i+j) || m.Key != fmt.Sprint("key", j) || m.Value != fmt.Sprint(strings.Repeat("v", j), i) ||
					len(m.Headers) != 2 || m.Headers["h"] != fmt.Sprint(j) || m.Headers["empty"] != "" {
					t.Fatalf("record %d came as %+v", k, m)
				}
			}
			// Another client must understand them too.
			r := kafkago.NewReader(kafkago.ReaderConfig{Brokers: strings.Split(addr, ","), Topic: topic, Partition: 1, MaxWait: 50 * time.Millisecond})
			defer r.Close()
			for k := range 2 * records {
				m, err := r.ReadMessage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if string(m.Value) != got[k].Value || string(m.Key) != got[k].Key || len(m.Headers) != 2 {
					t.Fatalf("record %d: kafka-go reads %+v", k, m)
				}
			}
		})
	}
}

// A broker that appends a batch and then fails to say so must not make a second copy out of the repetition.
func TestLostAcknowledgementRepeatsNothing(t *testing.T) {
	cluster, addr := kafkatest.Start(t, kfake.SeedTopics(1, "topic"))
	c := kafkatest.Open(t, addr)
	p, err := c.NewProducer(t.Context(), "topic", 1)
	if err != nil {
		t.Fatal(err)
	}
	retries := 0
	p.OnRetry = func(int, time.Duration, error) { retries++ }
	const times = 100
	for i := range times {
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 1})
		var b kafka.Batch
		b.Append(1, nil, fmt.Append(nil, i))
		if err := b.Seal(0); err != nil {
			t.Fatal(err)
		}
		if err := p.Send(t.Context(), 0, &b); err != nil {
			t.Fatal(err)
		}
	}
	if retries != times {
		t.Errorf("%d of %d acknowledgements were lost: the test did not test what it says", retries, times)
	}
	got := kafkatest.ReadAll(t, c, "topic")
	if len(got) != times {
		t.Fatalf("%d records for %d sent", len(got), times)
	}
	for i, m := range got {
		if m.Value != fmt.Sprint(i) {
			t.Fatalf("record %d is %q", i, m.Value)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	begun := time.Now()
	_, err := kafka.Open(t.Context(), kafka.Config{Servers: "127.0.0.1:1", Protocol: "PLAINTEXT"})
	if !errors.Is(err, kafka.ErrUnreachable) || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(err.Error(), "is the broker running") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("it took %s to say so", took)
	}
	_, addr := kafkatest.Start(t)
	if _, err := kafkatest.Open(t, addr).Partitions(t.Context(), "missing"); !errors.Is(err, kafka.ErrNoTopic) || !strings.Contains(err.Error(), "--create-topic") {
		t.Errorf("got %v", err)
	}
}

func TestOpenFindsTheBrokerThatLives(t *testing.T) {
	_, addr := kafkatest.Start(t)
	c, err := kafka.Open(t.Context(), kafka.Config{Servers: "127.0.0.1:1," + addr, Protocol: "PLAINTEXT"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.CreateTopic(t.Context(), "topic", 3, 1); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateTopic(t.Context(), "topic", 3, 1); err != nil {
		t.Errorf("making a topic that exists: %v", err)
	}
	if n, err := c.Partitions(t.Context(), "topic"); n != 3 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	cluster, addr := kafkatest.Start(t, kfake.SeedTopics(1, "topic"))
	c := kafkatest.Open(t, addr)
	p, err := c.NewProducer(t.Context(), "topic", 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.OnRetry = func(int, time.Duration, error) { cancel() }
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, errors.New("hang up"), true
	})
	var b kafka.Batch
	b.Append(1, nil, []byte("x"))
	if err := b.Seal(0); err != nil {
		t.Fatal(err)
	}
	if err := p.Send(ctx, 0, &b); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
