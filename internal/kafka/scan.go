package kafka

import (
	"context"
	"errors"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"
)

// Scan reads what a topic holds at this moment, partition by partition, from the given offsets on (or from the first that is held),
// and returns where a later scan would go on.
func (c *Client) Scan(ctx context.Context, topic string, from map[int]int64, see func(partition int, r *Record) error) (map[int]int64, error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	next := map[int]int64{}
	for p := range n {
		bounds, err := c.Offsets(ctx, topic, p)
		if err != nil {
			return nil, err
		}
		at := max(bounds.Start, from[p])
		var f *Fetched
		for at < bounds.End {
			if f, err = c.Fetch(ctx, topic, p, at, f); err != nil {
				return nil, err
			}
			var r Record
			for {
				ok, err := f.Next(&r)
				if err != nil {
					return nil, err
				}
				if !ok {
					break
				}
				if err := see(p, &r); err != nil {
					return nil, err
				}
			}
			if f.NextOffset() == at {
				break // what is left is not committed yet
			}
			at = f.NextOffset()
		}
		next[p] = at
	}
	return next, nil
}

// Committed returns the offsets that a group has committed for a topic; a partition without one is absent.
func (c *Client) Committed(ctx context.Context, group, topic string) (map[int]int64, error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	partitions := make([]int, n)
	for i := range partitions {
		partitions[i] = i
	}
	var last error
	for range 40 { // a coordinator that is just being made says so
		res, err := c.kafka.OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
		if err == nil {
			err = res.Error
		}
		if errors.Is(err, kafkago.GroupIdNotFound) {
			return nil, nil
		}
		if err == nil {
			offsets := map[int]int64{}
			for _, p := range res.Topics[topic] {
				if p.CommittedOffset >= 0 {
					offsets[p.Partition] = p.CommittedOffset
				}
			}
			return offsets, nil
		}
		last = err
		if !Temporary(err) || pause(ctx, retryEvery) != nil {
			break
		}
	}
	return nil, fmt.Errorf("asking for the offsets of group %s: %w", group, last)
}

// Members returns how many consumers a group has now; one that does not exist has none.
func (c *Client) Members(ctx context.Context, group string) (members int, err error) {
	res, err := c.kafka.DescribeGroups(ctx, &kafkago.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return 0, fmt.Errorf("asking for the members of group %s: %w", group, err)
	}
	for _, g := range res.Groups {
		if g.Error != nil && !errors.Is(g.Error, kafkago.GroupIdNotFound) {
			return 0, fmt.Errorf("asking for the members of group %s: %w", group, g.Error)
		}
		members += len(g.Members)
	}
	return members, nil
}

// Commit commits offsets for a group that has no members.
func (c *Client) Commit(ctx context.Context, group, topic string, offsets map[int]int64) error {
	list := make([]kafkago.OffsetCommit, 0, len(offsets))
	for p, at := range offsets {
		list = append(list, kafkago.OffsetCommit{Partition: p, Offset: at})
	}
	res, err := c.kafka.OffsetCommit(ctx, &kafkago.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafkago.OffsetCommit{topic: list}})
	if err == nil {
		for _, p := range res.Topics[topic] {
			if p.Error != nil {
				err = p.Error
			}
		}
	}
	if err != nil {
		return fmt.Errorf("committing offsets of group %s: %w", group, err)
	}
	return nil
}
