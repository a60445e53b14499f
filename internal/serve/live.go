package serve

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"cartwheel/internal/batch"
	"cartwheel/internal/live"
	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
)

// newEvents tells the events that a version was not trained with from those that it was.
//
// The batch files' names say up to which offset of each partition it was. An event behind that is new, however late it came, and so is
// every one of a partition that has no file; and one that is later than all of the data, so that a topic which was made anew is not taken
// for one that was read.
type newEvents struct {
	read map[int32]int64 // by partition: the last offset that the version was trained with
	to   int64           // Unix ms
}

func newEventsOf(m *model.Manifest) newEvents {
	n := newEvents{read: map[int32]int64{}, to: min(m.Data.To.UnixMilli(), m.CreatedAt.UnixMilli())}
	for _, name := range m.Data.BatchFiles {
		if b, ok := batch.ParseName(name); ok {
			p := int32(b.Partition)
			n.read[p] = max(n.read[p], b.Last)
		}
	}
	return n
}

func (n *newEvents) has(e *live.Event) bool {
	last, read := n.read[e.Partition]
	return e.At > n.to || len(n.read) > 0 && (!read || e.Offset > last)
}

// visitor answers for a visitor by the version and by what has come since. An erased visitor is one whom nobody knows.
func (v *served) visitor(id string, o recommend.Options) recommend.Answer {
	clicks, erased := v.since(id)
	if erased {
		return v.Session(nil, o)
	}
	return v.VisitorWith(id, clicks, o)
}

func (v *served) scores(id string, items []string) (string, []recommend.ItemScore) {
	clicks, erased := v.since(id)
	if erased {
		return v.StrangerScores(items)
	}
	return v.ScoresWith(id, clicks, items)
}

// since returns what a visitor has done that the version does not know of, oldest first, and whether the visitor was erased.
func (v *served) since(id string) (clicks []recommend.LiveClick, erased bool) {
	events, erased := v.newer(id)
	for _, e := range events {
		clicks = append(clicks, recommend.LiveClick{Click: recommend.Click{ItemID: e.ItemID, Event: e.Kind}, At: e.At})
	}
	return clicks, erased
}

func (v *served) newer(id string) (events []live.Event, erased bool) {
	if v.live == nil {
		return nil, false
	}
	events, erased = v.live.Of(id)
	return slices.DeleteFunc(events, func(e live.Event) bool { return !v.fresh.has(&e) }), erased
}

// following runs the live history until the context is done.
func (s *Server) following(ctx context.Context, background *sync.WaitGroup) {
	if s.live == nil {
		s.log.Info("no broker is configured (KAFKA_BOOTSTRAP_SERVERS): answers are from the models alone, and no events are taken")
		return
	}
	background.Go(func() { s.live.Run(ctx) })
}

// lagging says why the live history keeps this server from being ready, if it does. One that has just started must not answer for
// visitors of whom it does not know yet that they were erased.
func (s *Server) lagging() string {
	if s.live == nil {
		return ""
	}
	if !s.live.KnowsErased() {
		return "the live history has not read the topic of erasures to its end yet: a visitor who was erased could be served"
	}
	if s.options.MaxLag == 0 {
		return ""
	}
	if records, behind := s.live.Lag(); behind > s.options.MaxLag {
		return fmt.Sprintf("the live history has not been up to date for %.0f s, more than %s, and lacks %d events that are known of", behind.Seconds(), s.options.MaxLag, records)
	}
	return ""
}

// needsBroker answers where there is none.
func (s *Server) needsBroker(c *gin.Context) bool {
	if s.live == nil {
		fail(c, http.StatusServiceUnavailable, "", "no broker is configured here: start the API with --bootstrap-servers (KAFKA_BOOTSTRAP_SERVERS)")
	}
	return s.live == nil
}

// away answers that Kafka does not take anything now.
func away(c *gin.Context, detail string) {
	c.Header("Retry-After", "2")
	fail(c, http.StatusServiceUnavailable, "", detail)
}

// liveMetrics are figures of the live history, taken when they are asked for.
func liveMetrics(r prometheus.Registerer, f *live.Feed) {
	gauge := func(name, help string, value func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, value func() float64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
	}
	gauge("cartwheel_live_lag_records", "Records of the topic that the live history has not read, as far as is known.", func() float64 { n, _ := f.Lag(); return float64(n) })
	gauge("cartwheel_live_lag_seconds", "Time since the live history was last up to date.", func() float64 { _, d := f.Lag(); return d.Seconds() })
	gauge("cartwheel_live_visitors", "Visitors of whom the live history holds events.", func() float64 { return float64(f.Size().Visitors) })
	gauge("cartwheel_live_bytes", "Memory of the live history.", func() float64 { return float64(f.Size().Bytes) })
	gauge("cartwheel_live_erased_visitors", "Visitors who were erased.", func() float64 { return float64(f.Size().Erased) })
	gauge("cartwheel_live_items", "Items that are counted.", func() float64 { return float64(f.Items()) })
	gauge("cartwheel_live_writable", "1 while Kafka takes events.", func() float64 {
		if f.Away() {
			return 0
		}
		return 1
	})
	counter("cartwheel_live_events_total", "Events that the live history has taken in.", func() float64 { return float64(f.Applied.Load()) })
	counter("cartwheel_live_passed_over_total", "Repeats, events too old to count, and those of erased visitors.", func() float64 { return float64(f.Passed.Load()) })
	counter("cartwheel_live_malformed_total", "Records of the topic that are no event.", func() float64 { return float64(f.Malformed.Load()) })
	counter("cartwheel_live_evicted_visitors_total", "Visitors who had to make room for others.", func() float64 { return float64(f.Size().Evicted) })
	counter("cartwheel_events_written_total", "Events posted here that Kafka has acknowledged.", func() float64 { return float64(f.Written.Load()) })
}

// windowNames lists the windows that items are counted over.
func windowNames() string {
	var names []string
	for _, w := range live.Windows {
		names = append(names, w.Name)
	}
	return strings.Join(names, ", ")
}

// maxAhead is how far an event's time may lie ahead of this server's clock. One from the future would be the newest for as long, and
// make everything else old to a training.
const maxAhead = 24 * time.Hour
