package erasure_test

import (
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"cartwheel/internal/erasure"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

func erase(t *testing.T, client *kafka.Client, topic string, visitors ...string) {
	t.Helper()
	producer, err := client.NewProducer(t.Context(), topic, 1)
	if err != nil {
		t.Fatal(err)
	}
	var b kafka.Batch
	for i, visitor := range visitors {
		b.Append(int64(1000+i), []byte(visitor), nil)
	}
	if err := b.Seal(0); err != nil {
		t.Fatal(err)
	}
	if err := producer.Send(t.Context(), 0, &b); err != nil {
		t.Fatal(err)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	_, addr := kafkatest.Start(t, kfake.SeedTopics(1, "erasures"))
	client := kafkatest.Open(t, addr)
	follower := func(dir, topic string) *erasure.Follower {
		return erasure.NewFollower(client, topic, dir, slog.New(slog.DiscardHandler))
	}
	look := func(f *erasure.Follower) {
		t.Helper()
		if err := f.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	one, two := t.TempDir(), t.TempDir()
	look(follower(one, "nothing"))
	if _, err := erasure.Add(one, erasure.List{"earlier": 1}); err != nil {
		t.Fatal(err)
	}
	first := follower(one, "erasures")
	look(first)
	erase(t, client, "erasures", "anna", "", "\x00", "ben")
	look(first)
	erase(t, client, "erasures", "carl", "anna")
	look(first)
	look(first)
	if list := read(t, one); len(list) != 4 || list["anna"] != 1000 || list["ben"] != 1003 || !list.Has("carl") || !list.Has("earlier") {
		t.Errorf("step by step: %v", list)
	}
	look(follower(two, "erasures"))
	if list := read(t, two); len(list) != 3 || !list.Has("anna") || !list.Has("ben") || !list.Has("carl") {
		t.Errorf("at once: %v", list)
	}
}
