package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/kafka"
)

// kafkaWait bounds the questions to a broker that half answers.
const kafkaWait = 30 * time.Second

func checkKafka(ctx context.Context, s *settings, r *report) {
	ctx, cancel := context.WithTimeout(ctx, kafkaWait)
	defer cancel()
	client, err := kafka.Open(ctx, s.kafka)
	if err != nil {
		r.tell(toDo, "kafka", err.Error(), "make up starts one here, docker compose up -d another")
		return
	}
	defer client.Close()
	r.fine("kafka", "answers at %s", s.kafka.Servers)

	bounds, err := client.Bounds(ctx, s.topic)
	switch {
	case errors.Is(err, kafka.ErrNoTopic):
		r.tell(toDo, "topic", err.Error(), "create it as said there")
		return
	case err != nil:
		r.tell(toDo, "topic", err.Error(), "is a broker away that holds a partition? see the brokers' logs")
		return
	}
	r.fine("topic", "%s: %d partitions, %d records", s.topic, len(bounds), records(bounds))
	s.checkDeadLetters(ctx, client, r)
	s.checkLag(ctx, client, bounds, r)
}

func (s *settings) checkDeadLetters(ctx context.Context, client *kafka.Client, r *report) {
	name := s.topic + batch.DeadLetterSuffix
	bounds, err := client.Bounds(ctx, name)
	switch n := records(bounds); {
	case errors.Is(err, kafka.ErrNoTopic):
		r.fine("dead letters", "none; the consumer creates %s when it needs it", name)
	case err != nil:
		r.tell(toDo, "dead letters", err.Error(), "is a broker away that holds a partition? see the brokers' logs")
	case n > 0:
		r.tell(toKnow, "dead letters", fmt.Sprintf("%d messages lie in %s", n, name), "go run ./scripts/dlq list tells why, and which are still to be sent back")
	default:
		r.fine("dead letters", "none")
	}
}

func records(bounds []kafka.Offsets) (n int64) {
	for _, b := range bounds {
		n += b.End - b.Start
	}
	return n
}

// muchLag is ten batch files: a consumer that keeps up is never so far behind for long.
const muchLag = 100_000

// checkLag holds what the batch files' names say was read against what the topic holds; the offsets that the group committed are the
// same, told to Kafka.
func (s *settings) checkLag(ctx context.Context, client *kafka.Client, bounds []kafka.Offsets, r *report) {
	committed, err := client.Committed(ctx, s.group, s.topic)
	if err != nil {
		r.tell(toDo, "consumer", err.Error(), "see what the broker logs")
		return
	}
	var lag, lost int64
	for p, b := range bounds {
		at, ok := committed[p]
		if !ok {
			at = b.Start
		}
		lag += max(0, b.End-max(at, b.Start))
		if ok {
			lost += max(0, b.Start-at)
		}
	}
	members, err := client.Members(ctx, s.group)
	if err != nil {
		r.tell(toDo, "consumer", err.Error(), "see what the broker logs")
		return
	}
	seen := fmt.Sprintf("group %s: %d running, %d records behind", s.group, members, lag)
	switch {
	case lost > 0:
		r.tell(toDo, "consumer", fmt.Sprintf("%s; Kafka has deleted %d that it had not read", seen, lost),
			"lengthen the topic's retention.ms; docs/operations.md says how the consumer goes on")
	case lag > 0 && members == 0:
		r.tell(toDo, "consumer", seen, "start one: go run ./consumer --follow")
	case lag > muchLag:
		r.tell(toKnow, "consumer", seen, "if it grows: docs/operations.md, \"Lag grows\"")
	default:
		r.fine("consumer", "%s", seen)
	}
}
