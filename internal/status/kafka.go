package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"cartwheel/internal/batch"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

func (g *Gatherer) lookAtKafka(ctx context.Context, s *Status) {
	s.Topic.Name, s.Consumer.Group = g.o.Topic, g.o.Group
	s.DeadLetters.Where, s.DeadLetters.Reasons = g.o.Topic+batch.DeadLetterSuffix, []Reason{}
	if g.o.Kafka.Servers == "" {
		return
	}
	s.Topic.Configured = true
	ctx, cancel := context.WithTimeout(ctx, kafkaTimeout)
	defer cancel()
	if g.client == nil {
		client, err := kafka.Open(ctx, g.o.Kafka)
		if err != nil {
			s.Topic.Error = err.Error()
			return
		}
		g.client = client
	}
	bounds, err := g.client.Bounds(ctx, g.o.Topic)
	if errors.Is(err, kafka.ErrNoTopic) {
		return
	} else if err != nil {
		s.Topic.Error = err.Error()
		return
	}
	s.Topic.Exists, s.Topic.Partitions = true, len(bounds)
	for _, b := range bounds {
		s.Topic.Held += b.End - b.Start
		s.Topic.Written += b.End
	}
	if err := g.lookAtConsumer(ctx, bounds, &s.Consumer); err != nil {
		s.Consumer.Error = err.Error()
	}
	if err := g.dead.look(ctx, g.client, &s.DeadLetters); err != nil {
		s.DeadLetters.Error = err.Error()
	}
}

func (g *Gatherer) lookAtConsumer(ctx context.Context, bounds []kafka.Offsets, c *Consumer) error {
	committed, err := g.client.Committed(ctx, g.o.Group, g.o.Topic)
	if err != nil {
		return err
	}
	for p, b := range bounds {
		at, ok := committed[p]
		c.Committed += at
		if !ok {
			at = b.Start
		}
		c.Lag += max(0, b.End-at)
	}
	c.Members, err = g.client.Members(ctx, g.o.Group)
	return err
}

const (
	deadPartitions = 16  // that are looked at
	deadRecords    = 500 // of each, the newest, as far as one answer of Kafka's holds them
)

// deadLetters counts the reasons of the newest dead letters, again whenever there are more.
type deadLetters struct {
	ends    []int64 // of the topic when they were counted
	read    int64
	reasons []Reason
}

func (d *deadLetters) look(ctx context.Context, client *kafka.Client, r *Refused) error {
	bounds, err := client.Bounds(ctx, r.Where)
	if errors.Is(err, kafka.ErrNoTopic) {
		return nil
	} else if err != nil {
		return err
	}
	var ends []int64
	for _, b := range bounds {
		r.Total += b.End - b.Start
		ends = append(ends, b.End)
	}
	if !slices.Equal(ends, d.ends) {
		counts := map[string]int64{}
		var fetched *kafka.Fetched
		for p, b := range bounds[:min(len(bounds), deadPartitions)] {
			if b.End == b.Start {
				continue
			}
			if fetched, err = client.Fetch(ctx, r.Where, p, max(b.Start, b.End-deadRecords), fetched); err != nil {
				return err
			}
			if err := countReasons(fetched, counts); err != nil {
				return fmt.Errorf("reading %s/%d: %w", r.Where, p, err)
			}
		}
		d.ends, d.reasons, d.read = ends, sorted(counts), 0
		for _, reason := range d.reasons {
			d.read += reason.Count
		}
	}
	r.Reasons, r.Read = d.reasons, d.read
	return nil
}

func countReasons(fetched *kafka.Fetched, into map[string]int64) error {
	var record kafka.Record
	for {
		more, err := fetched.Next(&record)
		if err != nil || !more {
			return err
		}
		rule := "other"
		for _, h := range record.Headers() {
			if h.Key == batch.HeaderReason {
				rule = event.Rule(errors.New(string(h.Value)))
			}
		}
		into[rule]++
	}
}

// sorted lists reasons, the most frequent first.
func sorted(counts map[string]int64) []Reason {
	list := []Reason{}
	for _, rule := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, Reason{rule, counts[rule]})
	}
	slices.SortStableFunc(list, func(a, b Reason) int { return cmp.Compare(b.Count, a.Count) })
	return list
}
