package batch

import (
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// commitEvery bounds how often offsets are committed: they are a hint, and each commit costs the broker a write.
const commitEvery = 500 * time.Millisecond

// committer tells Kafka how far the files of one generation reach. A refusal is no fault: another member has the partition then.
type committer struct {
	*Consumer
	gen *kafkago.Generation

	mu   sync.Mutex
	next map[int]int64 // not yet committed
}

func newCommitter(c *Consumer, gen *kafkago.Generation) *committer {
	return &committer{Consumer: c, gen: gen, next: map[int]int64{}}
}

func (c *committer) add(partition int, next int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next[partition] = max(c.next[partition], next)
}

// run commits now and then, and once more when done is closed.
func (c *committer) run(done <-chan struct{}) {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.commit()
		case <-done:
			c.commit()
			return
		}
	}
}

func (c *committer) commit() {
	c.mu.Lock()
	next := c.next
	c.next = map[int]int64{}
	c.mu.Unlock()
	if len(next) == 0 {
		return
	}
	if err := c.gen.CommitOffsets(map[string]map[int]int64{c.topic: next}); err != nil {
		c.log.Debug("offsets were not committed; the batch files' names are what counts", "error", err)
		return
	}
	c.stats.committed()
	c.step(StepCommitted)
}
