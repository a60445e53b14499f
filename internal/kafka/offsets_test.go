package kafka_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

func TestAbortedTransactionsArePassedOver(t *testing.T) {
	_, addr := kafkatest.Start(t, kfake.SeedTopics(1, "topic"))
	c := kafkatest.Open(t, addr)
	other, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(addr, ",")...), kgo.TransactionalID("t"), kgo.DefaultProduceTopic("topic"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	transact := func(value string, end kgo.TransactionEndTry) {
		if err := other.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if err := other.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(value, i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := other.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	transact("dropped", kgo.TryAbort)
	transact("kept", kgo.TryCommit)
	kafkatest.Send(t, c, "topic", 0, "plain")
	transact("dropped again", kgo.TryAbort)

	var got []string
	next, err := c.Scan(t.Context(), "topic", nil, func(_ int, r *kafka.Record) error { got = append(got, string(r.Value)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if want := "kept0 kept1 kept2 plain"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	bounds, err := c.Offsets(t.Context(), "topic", 0)
	if err != nil || next[0] != bounds.End || bounds.End != 3+1+3+1+1+3+1 {
		t.Errorf("reading went on to %d, the topic ends at %d (with a mark for each transaction), %v", next[0], bounds.End, err)
	}
}

func TestOffsetsWithoutRecords(t *testing.T) {
	cluster, addr := kafkatest.Start(t)
	c := kafkatest.Open(t, addr)
	topic := kafkatest.Topic(t, c, 1, kafka.TopicSetting{Name: "cleanup.policy", Value: "compact"}, kafka.TopicSetting{Name: "segment.bytes", Value: "2000"},
		kafka.TopicSetting{Name: "min.cleanable.dirty.ratio", Value: "0.01"})
	p, err := c.NewProducer(t.Context(), topic, 1)
	if err != nil {
		t.Fatal(err)
	}
	const sent = 300
	for i := range sent {
		var b kafka.Batch
		b.Append(time.Now().UnixMilli(), fmt.Append(nil, "key", i%7), fmt.Append(nil, i))
		if err := b.Seal(0); err != nil {
			t.Fatal(err)
		}
		if err := p.Send(t.Context(), 0, &b); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Compact()
	var offsets []int64
	next, err := c.Scan(t.Context(), topic, nil, func(_ int, r *kafka.Record) error {
		if string(r.Value) != fmt.Sprint(r.Offset) {
			t.Errorf("offset %d holds %s", r.Offset, r.Value)
		}
		offsets = append(offsets, r.Offset)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(offsets) >= sent || len(offsets) < 7 {
		t.Fatalf("%d records are left: the topic was not compacted, and the test proves nothing", len(offsets))
	}
	if next[0] != sent || offsets[len(offsets)-1] != sent-1 {
		t.Errorf("reading went on to %d, the last record is at %v", next[0], offsets[len(offsets)-1])
	}
}
