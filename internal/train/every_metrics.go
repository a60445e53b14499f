package train

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	prom "cartwheel/internal/metrics"
	"cartwheel/internal/model"
)

// Outcomes of a round, as the metrics name them.
const (
	outcomePromoted = "promoted"
	outcomeKept     = "kept" // a version that did not pass the gate
	outcomeBusy     = "busy" // another training held the data folder
	outcomeLost     = "lost" // Spark was not there, or went away
	outcomeFailed   = "failed"
)

var outcomes = []string{outcomePromoted, outcomeKept, outcomeBusy, outcomeLost, outcomeFailed}

// roundStats is what became of the rounds so far.
type roundStats struct {
	newEvents atomic.Int64

	mu      sync.Mutex
	ends    map[string]int // rounds by outcome
	last    error          // of the last round
	trained time.Time      // end of the last training that made a version, be it another process's
}

// begins notes what a round finds. A version of an earlier process counts as trained: otherwise nobody would hear of it when none comes
// after a restart.
func (s *roundStats) begins(n news) {
	s.newEvents.Store(n.events)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trained.IsZero() {
		s.trained = n.made
	}
}

func (s *roundStats) ended(err error) {
	outcome := outcomeFailed
	switch {
	case err == nil:
		outcome = outcomePromoted
	case errors.Is(err, errNotPromoted):
		outcome, err = outcomeKept, nil
	case errors.Is(err, model.ErrBusy):
		outcome = outcomeBusy
	case lost(err):
		outcome = outcomeLost
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ends == nil {
		s.ends = map[string]int{}
	}
	s.ends[outcome]++
	s.last = err
	if err == nil {
		s.trained = time.Now()
	}
}

// healthy is the error of the last round, if it failed.
func (s *roundStats) healthy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (r *rounds) samples() []prom.Sample {
	s := &r.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []prom.Sample{
		{Name: "cartwheel_train_new_events", Help: "Events in batch files that the newest version was not made from.", Gauge: true, Value: float64(s.newEvents.Load())},
		{Name: "cartwheel_train_min_new_events", Help: "How many of them are enough for a training.", Gauge: true, Value: float64(r.MinNewEvents)},
	}
	for _, outcome := range outcomes {
		list = append(list, prom.Sample{
			Name: "cartwheel_train_rounds_total", Help: "Trainings that were begun, by how they ended.",
			Value: float64(s.ends[outcome]), Labels: map[string]string{"outcome": outcome},
		})
	}
	if !s.trained.IsZero() {
		list = append(list, prom.Sample{
			Name: "cartwheel_train_last_success_timestamp_seconds", Help: "When the last training ended that made a version, as Unix time.",
			Gauge: true, Value: float64(s.trained.UnixMilli()) / 1000,
		})
	}
	return list
}
