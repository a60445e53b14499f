package status

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrFull says that as many look as may.
var ErrFull = errors.New("too many are looking")

// Watcher looks now and then while somebody watches, once for all of them.
type Watcher struct {
	now     func(context.Context) *Status
	every   time.Duration
	most    int
	mu      sync.Mutex
	last    *Status // the latest while somebody watches, else nil
	updates map[chan *Status]struct{}
	stop    context.CancelFunc
	running sync.WaitGroup
}

// NewWatcher makes a watcher for so many at most.
func NewWatcher(now func(context.Context) *Status, every time.Duration, most int) *Watcher {
	return &Watcher{now: now, every: every, most: most, updates: map[chan *Status]struct{}{}}
}

// Watch returns a channel with the latest status, which a newer one replaces if it was not taken. leave must be called in the end.
func (w *Watcher) Watch() (updates <-chan *Status, leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.updates) >= w.most {
		return nil, nil, ErrFull
	}
	update := make(chan *Status, 1)
	if w.last != nil {
		update <- w.last
	}
	w.updates[update] = struct{}{}
	if len(w.updates) == 1 {
		ctx, cancel := context.WithCancel(context.Background())
		w.stop = cancel
		w.running.Go(func() { w.run(ctx) })
	}
	return update, sync.OnceFunc(func() { w.leave(update) }), nil
}

func (w *Watcher) leave(update chan *Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.updates, update)
	if len(w.updates) == 0 {
		w.stop()
		w.last = nil
	}
}

// Wait waits until what the last one who left was shown is no longer looked for.
func (w *Watcher) Wait() { w.running.Wait() }

func (w *Watcher) run(ctx context.Context) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		s := w.now(ctx)
		if !w.tell(ctx, s) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tell hands a status to everybody, and reports whether there was anybody.
func (w *Watcher) tell(ctx context.Context, s *Status) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil { // cancelled under the lock: those who watch now have a look of their own
		return false
	}
	w.last = s
	for update := range w.updates {
		select {
		case <-update:
		default:
		}
		update <- s
	}
	return true
}
