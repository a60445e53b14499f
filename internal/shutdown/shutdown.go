// Package shutdown ends a program in two steps: the first signal asks it to finish what it has begun, the second stops it at once.
// Notify is for programs that must finish something, and bounds how long that may take; Main is for all others.
package shutdown

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Main runs a program and ends the process with the code that it returns. ctx is done with the first SIGINT or SIGTERM; a second one
// ends the process.
func Main(run func(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int) {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, release)
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// grace is how long a program may take to finish what it has begun.
const grace = 10 * time.Second

// ErrForced is the cause of the second step.
var ErrForced = errors.New("stopped before everything was finished")

// Notify returns the two steps as contexts: stop is done with the first SIGINT or SIGTERM, or with parent; now is done with the
// second signal, or 10 s (grace) after stop was. The caller must call release.
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
		t := time.NewTimer(grace)
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
