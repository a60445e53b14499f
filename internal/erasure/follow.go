package erasure

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

// lookEvery is how often a follower looks for new erasures.
const lookEvery = time.Second

// Follower brings the topic of erasures into the list of a data folder. It reads the topic from its beginning and without a group, for
// the topic is compacted: every follower knows of everybody.
type Follower struct {
	client  *kafka.Client
	topic   string
	dataDir string
	log     *slog.Logger
	next    map[int]int64 // offsets, by partition
}

// NewFollower makes a follower, which has read nothing yet.
func NewFollower(client *kafka.Client, topic, dataDir string, log *slog.Logger) *Follower {
	return &Follower{client: client, topic: topic, dataDir: dataDir, log: log}
}

// Look reads what has come since it last did. A topic that does not exist holds nothing so far. Where it fails, the next Look reads
// the same again.
func (f *Follower) Look(ctx context.Context) error {
	fresh := List{}
	next, err := f.client.Scan(ctx, f.topic, f.next, func(_ int, r *kafka.Record) error {
		// The key alone counts, so that no record that somebody wrote by hand is passed over.
		if visitor := string(r.Key); event.ValidateID("visitorid", visitor) == nil {
			fresh[visitor] = r.Time
		}
		return nil
	})
	if errors.Is(err, kafka.ErrNoTopic) {
		return nil
	} else if err != nil {
		return err
	}
	added, err := Add(f.dataDir, fresh)
	if err != nil {
		return err
	}
	f.next = next
	if added > 0 {
		f.log.Info("visitors have been erased", "visitors", added, "list", FileName)
	}
	return nil
}

// Run looks again and again until ctx is done. The first failure is told, and the end of failing.
func (f *Follower) Run(ctx context.Context) {
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookEvery):
		}
		err := f.Look(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failed:
			f.log.Warn("following the erasures", "error", err)
		case err == nil && failed:
			f.log.Info("following the erasures: it goes on")
		}
		failed = err != nil
	}
}
