package kafka

import (
	"context"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// OffsetAt returns the offset of a partition's first record that was produced at a time or later, or the end if there is none.
func (c *Client) OffsetAt(ctx context.Context, topic string, partition int, at time.Time) (int64, error) {
	// The end is asked for first: a record that comes before the other answer, which may not know of it, is not passed over.
	bounds, err := c.Offsets(ctx, topic, partition)
	if err != nil {
		return 0, err
	}
	res, err := c.kafka.ListOffsets(ctx, &kafkago.ListOffsetsRequest{
		Topics: map[string][]kafkago.OffsetRequest{topic: {kafkago.TimeOffsetOf(partition, at)}},
	})
	if err == nil {
		for _, p := range res.Topics[topic] {
			if p.Partition != partition {
				continue
			}
			if err = p.Error; err == nil {
				for offset := range p.Offsets {
					if offset >= 0 {
						return offset, nil
					}
				}
				return bounds.End, nil
			}
		}
	}
	if err == nil {
		err = kafkago.UnknownTopicOrPartition
	}
	return 0, fmt.Errorf("asking for the offset of %s/%d at %s: %w", topic, partition, at.UTC().Format(time.RFC3339), err)
}
