// Package shutdown ends a program in two steps: the first signal asks it to finish what it has begun, within a bound; the second, or
// the end of the bound, stops it at once.
package shutdown

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Grace is how long a program may take to finish what it has begun.
const Grace = 10 * time.Second

// ErrForced is the cause of the second step.
var ErrForced = errors.New("stopped before everything was finished")

// Notify returns the two steps as contexts: stop is done with the first SIGINT or SIGTERM, or with parent; now is done with the
// second signal, or when Grace has passed since stop was done. The caller must call release.
func Notify(parent context.Context) (stop, now context.Context, release func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	stop, cancelStop := context.WithCancel(parent)
	now, cancelNow := context.WithCancelCause(context.WithoutCancel(parent))
	released := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-parent.Done():
		case <-released:
			return
		}
		cancelStop()
		t := time.NewTimer(Grace)
		defer t.Stop()
		select {
		case <-signals:
		case <-t.C:
		case <-released:
			return
		}
		cancelNow(ErrForced)
	}()
	return stop, now, func() {
		signal.Stop(signals)
		close(released)
		cancelStop()
		cancelNow(context.Canceled)
	}
}
