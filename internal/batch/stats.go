package batch

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// Stats is what a consumer has done so far. It may be read while the consumer runs.
type Stats struct {
	Records    atomic.Int64 // read from the topic
	Bytes      atomic.Int64 // of their values
	Events     atomic.Int64 // rows in published files
	Batches    atomic.Int64 // published files
	Dead       atomic.Int64 // sent to the dead-letter topic
	LastCommit atomic.Int64 // Unix milliseconds, 0 before the first

	mu      sync.Mutex
	reasons map[string]int64
	lags    map[int]int64
}

func (s *Stats) read(records, bytes int) {
	s.Records.Add(int64(records))
	s.Bytes.Add(int64(bytes))
}

func (s *Stats) published(rows int) {
	s.Events.Add(int64(rows))
	s.Batches.Add(1)
}

func (s *Stats) committed() { s.LastCommit.Store(time.Now().UnixMilli()) }

func (s *Stats) dead(reason string) {
	s.Dead.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reasons == nil {
		s.reasons = map[string]int64{}
	}
	s.reasons[reason]++
}

func (s *Stats) lag(partition int, records int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lags[partition] = max(0, records)
}

// assigned forgets the lag of partitions that others have now.
func (s *Stats) assigned(list []kafkago.PartitionAssignment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lags = make(map[int]int64, len(list))
}

// Reasons returns how many records went to the dead-letter topic, by the rule that they broke.
func (s *Stats) Reasons() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.reasons)
}

// Lags returns how many records each assigned partition still holds unread.
func (s *Stats) Lags() map[int]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.lags)
}
