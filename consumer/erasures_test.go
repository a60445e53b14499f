package main

import (
	"context"
	"testing"
	"time"

	"cartwheel/internal/erasure"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

// testErasures erases visitors while the consumer runs, and while it does not.
func testErasures(t *testing.T, b *bench) {
	topic := kafkatest.Topic(t, b.client, 1, kafka.TopicSetting{Name: "cleanup.policy", Value: "compact"})
	producer, err := b.client.NewProducer(t.Context(), topic, 1)
	if err != nil {
		t.Fatal(err)
	}
	erase := func(visitor string) {
		t.Helper()
		var batch kafka.Batch
		batch.Append(time.Now().UnixMilli(), []byte(visitor), []byte("{}"))
		if err := batch.Seal(0); err != nil {
			t.Fatal(err)
		}
		if err := producer.Send(t.Context(), 0, &batch); err != nil {
			t.Fatal(err)
		}
	}
	list := func() erasure.List {
		t.Helper()
		list, err := erasure.Read(b.dir)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	erase("before")
	stop, end := context.WithCancel(t.Context())
	ended := make(chan result)
	go func() { ended <- b.consume(stop, "--follow", "--erasures-topic", topic) }()
	wait := func(visitor string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !list().Has(visitor); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("after a minute %s is not on the list: %v", visitor, list())
			}
		}
	}
	wait("before")
	erase("meanwhile")
	wait("meanwhile")
	end()
	if r := <-ended; r.code != 0 {
		t.Errorf("the consumer ended with %d: %s", r.code, r.errors)
	}
	erase("after")
	b.mustConsume("--erasures-topic", topic)
	if now := list(); len(now) != 3 || !now.Has("after") {
		t.Errorf("the list is %v", now)
	}
}
