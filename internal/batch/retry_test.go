package batch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
)

func TestRetry(t *testing.T) {
	p := &partition{Consumer: &Consumer{log: slog.New(slog.NewTextHandler(io.Discard, nil))}, caughtUp: &atomic.Bool{}}
	calls := 0
	got, err := retry(t.Context(), p, func() (int, error) {
		if calls++; calls < 3 {
			return 0, kafkago.NotLeaderForPartition
		}
		return 7, nil
	})
	if got != 7 || err != nil || calls != 3 {
		t.Errorf("got %d, %v after %d calls", got, err, calls)
	}
	if _, err := retry(t.Context(), p, func() (int, error) { return 0, kafkago.TopicAuthorizationFailed }); !errors.Is(err, kafkago.TopicAuthorizationFailed) {
		t.Errorf("got %v", err)
	}
	// A generation that ends while a request is under way is no failure, whatever the request came back with.
	for _, cause := range []error{kafkago.Unknown, kafkago.TopicAuthorizationFailed, io.ErrUnexpectedEOF} {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := retry(ctx, p, func() (int, error) { cancel(); return 0, cause }); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: got %v", cause, err)
		}
	}
}
