package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

const (
	// openTimeout bounds how long a wrong or dead address stays unnoticed at the start.
	openTimeout = 12 * time.Second

	dialTimeout    = 5 * time.Second
	requestTimeout = 10 * time.Second
	retryEvery     = 250 * time.Millisecond
)

var (
	// ErrUnreachable is wrapped by errors that say no broker answered as it should.
	ErrUnreachable = errors.New("no Kafka broker can be reached")
	// ErrNoTopic is wrapped by errors that say a topic does not exist.
	ErrNoTopic = errors.New("no such topic")
)

// Client is a connection to a cluster. It is safe for concurrent use.
type Client struct {
	kafka     *kafkago.Client
	transport *kafkago.Transport
	dialer    *kafkago.Dialer
	servers   []string
}

// Open connects to the cluster and makes sure that a broker answers. Its errors wrap ErrUnreachable or config.ErrUsage.
func Open(ctx context.Context, c Config) (*Client, error) {
	mechanism, err := c.sasl()
	if err != nil {
		return nil, err
	}
	tlsConfig, err := c.tls()
	if err != nil {
		return nil, err
	}
	id := c.ClientID
	if id == "" {
		id = "cartwheel"
	}
	servers := c.addresses()
	dialer := &net.Dialer{Timeout: dialTimeout}
	cl := &Client{
		servers: servers,
		transport: &kafkago.Transport{
			Dial: dialer.DialContext, DialTimeout: dialTimeout, IdleTimeout: time.Minute, MetadataTTL: 5 * time.Second,
			ClientID: id, TLS: tlsConfig, SASL: mechanism,
		},
		dialer: &kafkago.Dialer{ClientID: id, Timeout: dialTimeout, DualStack: true, TLS: tlsConfig, SASLMechanism: mechanism},
	}
	cl.kafka = &kafkago.Client{Addr: kafkago.TCP(servers...), Timeout: requestTimeout, Transport: cl.transport}
	if err := cl.reach(ctx); err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}

// Close lets go of all connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// reach tries each address until one answers as a broker of this cluster.
func (c *Client) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	var last error
	for try := 0; ctx.Err() == nil; try++ {
		for _, server := range c.servers {
			conn, err := c.dialer.DialContext(ctx, "tcp", server)
			if err != nil {
				if last == nil || ctx.Err() == nil {
					last = err
				}
				continue
			}
			deadline, _ := ctx.Deadline()
			_ = conn.SetDeadline(deadline)
			_, err = conn.Brokers()
			_ = conn.Close()
			if err == nil {
				return nil
			}
			last = err
		}
		if errors.Is(last, kafkago.SASLAuthenticationFailed) {
			break // a wrong password does not become right
		}
		if try >= 2 { // a broker that is just starting gets a second look, a wrong address does not hold a person up
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	if last == nil {
		last = ctx.Err()
	}
	return fmt.Errorf("%w at %s: %w%s", ErrUnreachable, strings.Join(c.servers, ","), last, hint(last))
}

// hint says what most likely cures a failure to connect.
func hint(err error) string {
	text := err.Error()
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return " (is the host's name in --bootstrap-servers / KAFKA_BOOTSTRAP_SERVERS right?)"
	case errors.Is(err, kafkago.SASLAuthenticationFailed):
		return " (check --sasl-mechanism, --sasl-username and --sasl-password)"
	case strings.Contains(text, "remote error: tls"):
		return " (the broker refused the TLS connection: does it want a client certificate? check --ssl-certificate-location and --ssl-key-location)"
	case strings.Contains(text, "certificate"):
		return " (check --ssl-ca-location, and that the broker's certificate names this host)"
	case strings.Contains(text, "SASL"):
		return " (does this port want SASL, and TLS or not? check --security-protocol, the port and --sasl-mechanism)"
	case strings.Contains(text, "first record does not look like a TLS handshake"):
		return " (the broker speaks no TLS here: check --security-protocol and the port)"
	case strings.Contains(text, "EOF"), strings.Contains(text, "reset by peer"):
		return " (the broker hung up: does it want TLS or SASL? check --security-protocol and the port)"
	}
	return " (is the broker running, and is --bootstrap-servers / KAFKA_BOOTSTRAP_SERVERS right?)"
}

// Partitions returns the number of partitions of a topic. The error wraps ErrNoTopic if the topic does not exist.
func (c *Client) Partitions(ctx context.Context, topic string) (int, error) {
	var last error
	for range 20 { // the transport's picture of the cluster may be some seconds old
		conn, err := c.dial(ctx)
		if err != nil {
			return 0, fmt.Errorf("looking up topic %s: %w", topic, err)
		}
		parts, err := conn.ReadPartitions(topic)
		_ = conn.Close()
		switch {
		case err == nil && len(parts) > 0:
			return len(parts), nil
		case errors.Is(err, kafkago.UnknownTopicOrPartition), err == nil:
			return 0, fmt.Errorf("%w: %s on %s (producer --create-topic makes it, and so does: kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions 6)",
				ErrNoTopic, topic, strings.Join(c.servers, ","), c.servers[0], topic)
		case errors.Is(err, kafkago.InvalidTopic):
			return 0, fmt.Errorf("%w: %q is not a valid topic name", ErrNoTopic, topic)
		}
		last = err
		if err := pause(ctx, retryEvery); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("looking up topic %s: %w", topic, last)
}

func (c *Client) dial(ctx context.Context) (*kafkago.Conn, error) {
	var last error
	for _, server := range c.servers {
		conn, err := c.dialer.DialContext(ctx, "tcp", server)
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(requestTimeout))
			return conn, nil
		}
		last = err
	}
	return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, strings.Join(c.servers, ","), last)
}

// TopicSetting is one of the settings that Kafka keeps for each topic.
type TopicSetting struct{ Name, Value string }

// CreateTopic makes a topic unless it exists. A replication factor of -1 is the broker's default.
func (c *Client) CreateTopic(ctx context.Context, topic string, partitions, replication int, settings ...TopicSetting) error {
	var entries []kafkago.ConfigEntry
	for _, s := range settings {
		entries = append(entries, kafkago.ConfigEntry{ConfigName: s.Name, ConfigValue: s.Value})
	}
	res, err := c.kafka.CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{{
		Topic: topic, NumPartitions: partitions, ReplicationFactor: replication, ConfigEntries: entries,
	}}})
	if err == nil {
		err = res.Errors[topic]
	}
	if err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
		return fmt.Errorf("creating topic %s with %d partitions: %w", topic, partitions, err)
	}
	return nil
}

// DeleteTopic removes a topic and everything in it.
func (c *Client) DeleteTopic(ctx context.Context, topic string) error {
	res, err := c.kafka.DeleteTopics(ctx, &kafkago.DeleteTopicsRequest{Topics: []string{topic}})
	if err == nil {
		err = res.Errors[topic]
	}
	if err != nil {
		return fmt.Errorf("deleting topic %s: %w", topic, err)
	}
	return nil
}

// Offsets are the offset of the first record that a partition still holds, and the one that the next record will get.
type Offsets struct{ Start, End int64 }

// Offsets returns the bounds of one partition.
func (c *Client) Offsets(ctx context.Context, topic string, partition int) (Offsets, error) {
	res, err := c.kafka.ListOffsets(ctx, &kafkago.ListOffsetsRequest{
		Topics: map[string][]kafkago.OffsetRequest{topic: {kafkago.FirstOffsetOf(partition), kafkago.LastOffsetOf(partition)}},
	})
	if err == nil {
		for _, p := range res.Topics[topic] {
			if p.Partition == partition {
				if p.Error != nil {
					err = p.Error
					break
				}
				return Offsets{Start: p.FirstOffset, End: p.LastOffset}, nil
			}
		}
	}
	if err == nil {
		err = kafkago.UnknownTopicOrPartition
	}
	return Offsets{}, fmt.Errorf("asking for the offsets of %s/%d: %w", topic, partition, err)
}

// Temporary tells whether a request that failed with err may succeed when repeated.
func Temporary(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	var code kafkago.Error
	if errors.As(err, &code) {
		return code.Temporary() || code == kafkago.UnknownTopicOrPartition || code == kafkago.NotLeaderForPartition || code == kafkago.Unknown
	}
	return !errors.Is(err, errCorrupt)
}

// IsOffsetOutOfRange tells whether a fetch asked for an offset that the partition does not hold.
func IsOffsetOutOfRange(err error) bool { return errors.Is(err, kafkago.OffsetOutOfRange) }

// IsTooLarge tells whether a topic refused a batch for its size.
func IsTooLarge(err error) bool {
	return errors.Is(err, kafkago.MessageSizeTooLarge) || errors.Is(err, kafkago.RecordListTooLarge)
}

// NewGroup joins a consumer group for one topic. Its first generation comes with Next.
func (c *Client) NewGroup(id, topic string, session time.Duration) (*kafkago.ConsumerGroup, error) {
	g, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
		ID: id, Topics: []string{topic}, Brokers: c.servers, Dialer: c.dialer,
		SessionTimeout: session, HeartbeatInterval: session / 5, RebalanceTimeout: session, JoinGroupBackoff: 500 * time.Millisecond,
		WatchPartitionChanges: true, StartOffset: kafkago.FirstOffset,
	})
	if err != nil {
		return nil, fmt.Errorf("joining group %s: %w", id, err)
	}
	return g, nil
}

// Rejoin tells whether a member that could not join its group may try again.
func Rejoin(err error) bool {
	var code kafkago.Error
	if !errors.As(err, &code) {
		return !errors.Is(err, kafkago.ErrGroupClosed)
	}
	switch code {
	case kafkago.GroupAuthorizationFailed, kafkago.TopicAuthorizationFailed, kafkago.SASLAuthenticationFailed, kafkago.InvalidGroupId,
		kafkago.InconsistentGroupProtocol, kafkago.InvalidSessionTimeout:
		return false
	}
	return true
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
