package serve

import (
	"testing"
	"time"

	"cartwheel/internal/live"
	"cartwheel/internal/model"
)

// An event counts once: as one of the version's, if the version was trained with it, or else as one that has come since.
func TestEventsAreNewOrTrained(t *testing.T) {
	t.Parallel()
	end := time.UnixMilli(1_700_000_000_000)
	m := &model.Manifest{CreatedAt: end.Add(time.Hour)}
	m.Data.To = end
	unknown := newEventsOf(m) // its batch files
	m.Data.BatchFiles = []string{"batch_000_00000000000000000000_00000000000000000099.csv", "batch_000_00000000000000000100_00000000000000000119.csv",
		"batch_002_00000000000000000000_00000000000000000009.csv"}
	fresh := newEventsOf(m)
	for _, c := range []struct {
		what      string
		partition int32
		offset    int64
		at        time.Duration // after the end of the version's data
		of        newEvents
		want      bool
	}{
		{"trained with", 0, 119, 0, fresh, false},
		{"behind what was read, and late", 0, 120, -time.Hour, fresh, true},
		{"of another partition, trained with", 2, 9, -time.Hour, fresh, false},
		{"of a partition that has no batch file, and late", 1, 0, -time.Hour, fresh, true},
		{"of a topic made anew, whose offsets begin again", 0, 0, time.Millisecond, fresh, true},
		{"older than a version that names no batch files", 0, 0, 0, unknown, false},
		{"later than a version that names no batch files", 0, 0, time.Millisecond, unknown, true},
	} {
		if got := c.of.has(&live.Event{Partition: c.partition, Offset: c.offset, At: end.Add(c.at).UnixMilli()}); got != c.want {
			t.Errorf("an event %s is new: %v, want %v", c.what, got, c.want)
		}
	}
}
