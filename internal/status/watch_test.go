package status

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// looks is a source whose looks a test allows one by one.
type looks struct {
	allow chan *Status
	begun chan struct{}
}

func (l *looks) now(ctx context.Context) *Status {
	l.begun <- struct{}{}
	select {
	case s := <-l.allow:
		return s
	case <-ctx.Done():
		return &Status{}
	}
}

func newLooks() *looks { return &looks{allow: make(chan *Status), begun: make(chan struct{}, 100)} }

func TestAllWhoWatchShareOneLook(t *testing.T) {
	t.Parallel()
	l := newLooks()
	w := NewWatcher(l.now, 1, 3)
	a, leaveA, err := w.Watch()
	if err != nil {
		t.Fatal(err)
	}
	b, leaveB, err := w.Watch()
	if err != nil {
		t.Fatal(err)
	}
	first := &Status{}
	<-l.begun
	l.allow <- first
	if <-a != first || <-b != first {
		t.Error("the two saw different looks")
	}
	<-l.begun // the next look is under way
	c, leaveC, err := w.Watch()
	if err != nil {
		t.Fatal(err)
	}
	if <-c != first {
		t.Error("who comes later is not shown what is known")
	}
	if _, _, err := w.Watch(); !errors.Is(err, ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	leaveC()
	leaveC() // twice is once
	// What is not taken is replaced by what is newer.
	second, third := &Status{}, &Status{}
	l.allow <- second
	<-l.begun
	l.allow <- third
	<-l.begun
	if got := <-a; got != third {
		t.Error("an old status was kept for who did not take it")
	}
	leaveA()
	leaveB()
	w.Wait()
	if len(l.begun) > 0 {
		t.Error("looked on although nobody watched")
	}
	if _, leave, err := w.Watch(); err != nil {
		t.Errorf("after all had left: %v", err)
	} else {
		<-l.begun
		leave()
	}
	w.Wait()
}
