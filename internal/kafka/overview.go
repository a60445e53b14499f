package kafka

import (
	"context"
	"errors"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"
)

// Bounds returns the offsets of all partitions of a topic, by partition. Unlike Partitions it never makes a broker create the topic,
// and goes by a picture of the cluster that may be some seconds old. Where there is no such topic the error wraps ErrNoTopic.
func (c *Client) Bounds(ctx context.Context, topic string) ([]Offsets, error) {
	picture, err := c.kafka.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("looking up topic %s: %w", topic, err)
	}
	n := 0
	for _, t := range picture.Topics {
		if t.Name == topic && t.Error == nil {
			n = len(t.Partitions)
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoTopic, topic)
	}
	asked := make([]kafkago.OffsetRequest, 0, 2*n)
	for p := range n {
		asked = append(asked, kafkago.FirstOffsetOf(p), kafkago.LastOffsetOf(p))
	}
	res, err := c.kafka.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{topic: asked}})
	if err != nil {
		return nil, fmt.Errorf("asking for the offsets of %s: %w", topic, err)
	}
	bounds, answered := make([]Offsets, n), 0
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("asking for the offsets of %s/%d: %w", topic, p.Partition, p.Error)
		}
		if p.Partition < n {
			bounds[p.Partition] = Offsets{Start: p.FirstOffset, End: p.LastOffset}
			answered++
		}
	}
	if answered != n {
		return nil, fmt.Errorf("asking for the offsets of %s: %d of %d partitions were answered for", topic, answered, n)
	}
	return bounds, nil
}

// Setting returns what a topic has for one of its settings, its own or the broker's default.
func (c *Client) Setting(ctx context.Context, topic, name string) (string, error) {
	res, err := c.kafka.DescribeConfigs(ctx, &kafkago.DescribeConfigsRequest{Resources: []kafkago.DescribeConfigRequestResource{
		{ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{name}},
	}})
	if err == nil {
		for _, resource := range res.Resources {
			if err = resource.Error; err != nil {
				break
			}
			for _, entry := range resource.ConfigEntries {
				if entry.ConfigName == name {
					return entry.ConfigValue, nil
				}
			}
		}
	}
	if err == nil {
		err = errors.New("the broker knows no such setting")
	}
	return "", fmt.Errorf("asking for the setting %s of %s: %w", name, topic, err)
}
