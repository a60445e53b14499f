package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

// ErasuresTopic is the usual name of the topic of erasures: compacted, one record for each erased visitor, whose id is the key.
const ErasuresTopic = "retail.erasures.v1"

// erasureRecord is the value of a record in the topic of erasures.
type erasureRecord struct {
	VisitorID string `json:"visitorid"`
	ErasedAt  int64  `json:"erased_at"` // Unix ms
}

// EraseVisitor has a visitor forgotten, for good: here at once, and wherever the topic of erasures is followed once Kafka has
// acknowledged. Errors wrap ErrAway; nothing is forgotten then, or the caller cannot be sure of it and should ask again.
func (f *Feed) EraseVisitor(ctx context.Context, visitor string) error {
	f.mu.Lock()
	client := f.client
	f.mu.Unlock()
	if client == nil {
		return fmt.Errorf("%w: %w", ErrAway, errNotYet)
	}
	value, err := json.Marshal(erasureRecord{VisitorID: visitor, ErasedAt: time.Now().UnixMilli()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	// Erasures are rare: a producer for each needs no memory of what became of the last.
	producer, err := client.NewProducer(ctx, f.o.Erasures, 1)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	var b kafka.Batch
	b.Append(time.Now().UnixMilli(), []byte(visitor), value, kafka.Header{Key: "content-type", Value: []byte(event.ContentType)})
	if err = b.Seal(0); err == nil {
		err = producer.Send(ctx, 0, &b)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	f.History.Erase(visitor)
	return nil
}

// KnowsErased reports whether the topic of erasures has been read to its end since the start.
func (f *Feed) KnowsErased() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.forgot {
		if f.forgot[i].current.Load() == 0 {
			return false
		}
	}
	return f.forgot != nil
}

// findErasures returns the number of partitions of the topic of erasures, which it makes if it is not there. Only then: where somebody else
// makes the topics, the API may not be allowed to.
func (f *Feed) findErasures(ctx context.Context, client *kafka.Client) (partitions int, err error) {
	if _, err := client.Bounds(ctx, f.o.Erasures); errors.Is(err, kafka.ErrNoTopic) {
		if err := client.CreateTopic(ctx, f.o.Erasures, 1, -1, kafka.TopicSetting{Name: cleanup, Value: compacted}); err != nil {
			return 0, err
		}
	}
	return client.Partitions(ctx, f.o.Erasures)
}

// The setting by which Kafka keeps the last record of each key, however old.
const cleanup, compacted = "cleanup.policy", "compact"

// checkErasures says so if the topic of erasures, which somebody else may have made, is not kept for good. Who may not ask is not told.
func (f *Feed) checkErasures(ctx context.Context) {
	if policy, err := f.client.Setting(ctx, f.o.Erasures, cleanup); err == nil && policy != compacted {
		f.o.Log.Error("the topic of erasures is not compacted: Kafka deletes erasures after its retention, and visitors who were erased come back", "topic", f.o.Erasures, cleanup, policy,
			"mend", fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s=%s", f.o.Kafka.Servers, f.o.Erasures, cleanup, compacted))
	}
}

// erase follows the topic of erasures. The key alone counts, so that no record that somebody wrote by hand is passed over.
func (f *Feed) erase(_ int, r *kafka.Record) {
	if event.ValidateID("visitorid", string(r.Key)) == nil {
		f.History.Erase(string(r.Key))
	}
}
