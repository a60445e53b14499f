package kafka_test

import (
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"cartwheel/internal/kafka/kafkatest"
)

// A record that is written between any two of the requests by which a place is asked for is not passed over.
func TestOffsetAtPassesOverNothingThatComesMeanwhile(t *testing.T) {
	t.Parallel()
	for nth := 1; nth <= 3; nth++ {
		cluster, addr := kafkatest.Start(t, kfake.SeedTopics(1, "events"))
		writer := &kafkago.Writer{Addr: kafkago.TCP(addr), Topic: "events", BatchTimeout: time.Millisecond}
		asked := 0
		cluster.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			if asked++; asked == nth {
				cluster.SleepControl(func() {
					if err := writer.WriteMessages(t.Context(), kafkago.Message{Value: []byte("new")}); err != nil {
						t.Error(err)
					}
				})
			}
			return nil, nil, false
		})
		at, err := kafkatest.Open(t, addr).OffsetAt(t.Context(), "events", 0, time.Now().Add(-time.Hour))
		if err != nil || at != 0 {
			t.Errorf("written before request %d: begins at %d (%v), the record is at 0", nth, at, err)
		}
		_ = writer.Close()
	}
}
