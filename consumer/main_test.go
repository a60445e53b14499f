package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

func TestConsumer(t *testing.T) {
	t.Parallel()
	suite(t, func(t *testing.T) string { _, addr := kafkatest.Start(t); return addr })
}

// committedOffset is what the group has committed for a partition, or -1 if it has committed nothing.
func committedOffset(t *testing.T, b *bench, partition int) int64 {
	t.Helper()
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	c := &kafkago.Client{Addr: kafkago.TCP(strings.Split(b.addr, ",")...), Transport: transport}
	res, err := c.OffsetFetch(t.Context(), &kafkago.OffsetFetchRequest{GroupID: b.topic, Topics: map[string][]int{b.topic: {partition}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Topics[b.topic]) == 0 { // the coordinator is not ready yet
		return -1
	}
	return res.Topics[b.topic][0].CommittedOffset
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"--batch-size 0":               "--batch-size 0 is not positive",
		"--idle-timeout 0s":            "--follow",
		"--batch-size x":               "invalid value",
		"--bootstrap-servers nonsense": `"nonsense" is not host:port`,
		"--security-protocol TLS":      "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
		"--security-protocol SASL_SSL": "--sasl-username is empty",
		"--sasl-username me":           "have no effect",
		"--topic= --group-id=":         "--group-id is empty",
		"--security-protocol SSL --ssl-ca-location /nowhere/ca.pem": "--ssl-ca-location",
		"somewhere": "unexpected argument",
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), t.Context(), strings.Fields(args), func(string) string { return "" }, &out, &errs); code != 2 || !strings.Contains(errs.String(), says) {
			t.Errorf("%s: code %d, %s", args, code, errs.String())
		}
	}
}

func TestUnreachableBrokerIsSaidInTime(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	begun := time.Now()
	code := run(t.Context(), t.Context(), []string{"--bootstrap-servers", "127.0.0.1:1", "--data-dir", t.TempDir()}, func(string) string { return "" }, &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "127.0.0.1:1") || !strings.Contains(errs.String(), "is the broker running") {
		t.Errorf("code %d, %s", code, errs.String())
	}
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestMissingTopic(t *testing.T) {
	t.Parallel()
	_, addr := kafkatest.Start(t)
	var out, errs bytes.Buffer
	code := run(context.Background(), t.Context(), []string{"--data-dir", t.TempDir()}, func(name string) string {
		return map[string]string{"KAFKA_BOOTSTRAP_SERVERS": addr, "KAFKA_TOPIC": "none"}[name]
	}, &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "no such topic: none") || !strings.Contains(errs.String(), "--create-topic") {
		t.Errorf("code %d, %s", code, errs.String())
	}
}

// Compaction leaves offsets without records; the files' names cover them all the same.
func TestCompactedTopic(t *testing.T) {
	t.Parallel()
	cluster, addr := kafkatest.Start(t)
	b := setup(t, addr)
	b.topic = kafkatest.Topic(t, b.client, 3, kafka.TopicSetting{Name: "cleanup.policy", Value: "compact"}, kafka.TopicSetting{Name: "segment.bytes", Value: "2000"},
		kafka.TopicSetting{Name: "min.cleanable.dirty.ratio", Value: "0.01"})
	p, err := b.client.NewProducer(t.Context(), b.topic, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		e := event.Event{Timestamp: 1, VisitorID: "v", Event: event.View, ItemID: "i", EventID: fmt.Sprint(i)}
		var m kafka.Batch
		m.Append(time.Now().UnixMilli(), fmt.Append(nil, "key", min(i, 1)), event.AppendJSON(nil, &e))
		if err := m.Seal(0); err != nil {
			t.Fatal(err)
		}
		if err := p.Send(t.Context(), 0, &m); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Compact()
	for _, m := range kafkatest.ReadAll(t, b.client, b.topic) {
		b.sent[fmt.Sprint(m.Offset)] = true
	}
	if len(b.sent) == 0 || len(b.sent) > 500 {
		t.Fatalf("%d of 1000 records are left: the test proves nothing", len(b.sent))
	}
	b.mustConsume()
	names := b.check()
	if names[0].First != 0 || names[len(names)-1].Last != 999 {
		t.Errorf("the files cover %v", names)
	}
	b.mustConsume()
	b.check()
}

// What Kafka deleted before it was read cannot be brought back, but it must not go unnoticed either.
func TestEventsDeletedUnread(t *testing.T) {
	t.Parallel()
	cluster, addr := kafkatest.Start(t)
	b := setup(t, addr)
	b.send(150)
	b.mustConsume()
	for range 3 {
		kafkatest.SendAt(t, b.client, b.topic, 1, 1, "of 1970")
	}
	cluster.ApplyRetention()
	if bounds, err := b.client.Offsets(t.Context(), b.topic, 1); err != nil || bounds.Start <= 150 {
		t.Fatalf("nothing was deleted (%+v, %v): the test proves nothing", bounds, err)
	}
	if r := b.consume(context.Background()); r.code != 1 || !strings.Contains(r.errors, "Kafka has deleted the events 150 to 152 before they were read") || !strings.Contains(r.errors, "Move the batch files") {
		t.Errorf("code %d, %s", r.code, r.errors)
	}
	b.check()
}
