package shutdown_test

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"cartwheel/internal/shutdown"
)

func TestSteps(t *testing.T) {
	stop, now, release := shutdown.Notify(context.Background())
	defer release()
	if stop.Err() != nil || now.Err() != nil {
		t.Fatal("a step is done before any signal")
	}
	signal := func() {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	signal()
	<-stop.Done()
	if now.Err() != nil {
		t.Fatal("the first signal stops at once")
	}
	signal()
	<-now.Done()
	if !errors.Is(context.Cause(now), shutdown.ErrForced) {
		t.Errorf("the cause is %v", context.Cause(now))
	}
}

func TestParentEndsTheFirstStep(t *testing.T) {
	parent, cancel := context.WithCancel(context.Background())
	stop, now, release := shutdown.Notify(parent)
	cancel()
	<-stop.Done()
	if now.Err() != nil {
		t.Error("the parent's end stops at once")
	}
	release()
	<-now.Done()
}
