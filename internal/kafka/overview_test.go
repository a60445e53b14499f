package kafka_test

import (
	"errors"
	"testing"

	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

func TestBounds(t *testing.T) {
	_, addr := kafkatest.Start(t)
	c := kafkatest.Open(t, addr)
	topic := kafkatest.Topic(t, c, 3)
	kafkatest.Send(t, c, topic, 1, "a", "b")
	kafkatest.Send(t, c, topic, 2, "c")
	bounds, err := c.Bounds(t.Context(), topic)
	if err != nil || len(bounds) != 3 {
		t.Fatalf("%v, %v", bounds, err)
	}
	for p, want := range []kafka.Offsets{{}, {End: 2}, {End: 1}} {
		if bounds[p] != want {
			t.Errorf("partition %d: %v, want %v", p, bounds[p], want)
		}
	}
	if _, err := c.Bounds(t.Context(), "nothing"); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("a topic that does not exist: %v", err)
	}
}
