//go:build integration

package main

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"cartwheel/internal/kafka/kafkatest"
)

// Kafka goes away for a while: reading goes on, posts are refused clearly, lag says it, and afterwards all is as it should be.
func TestFaultKafkaGoneForAWhile(t *testing.T) {
	away := 2 * time.Second
	if os.Getenv("CARTWHEEL_FAULTS") == "full" {
		away = time.Minute
	}
	b := kafkatest.NewBroker(t, nil)
	if err := kafkatest.Open(t, b.Addr).CreateTopic(t.Context(), "events", 3, 1); err != nil {
		t.Fatal(err)
	}
	p := startLive(t, liveShop(t), b.Addr, "--ready-max-lag", "1s")
	if a := p.post(t, view("stranger", "b1")); a.status != http.StatusAccepted {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	p.waitFor(t, "cartwheel_live_events_total", "1")

	b.Stop()
	stopped := time.Now()
	refused := 0
	for time.Since(stopped) < away || refused == 0 {
		begun := time.Now()
		a := p.post(t, view("late", "a1"))
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(string(a.body), "unacknowledged") || time.Since(begun) > 10*time.Second {
			t.Fatalf("without Kafka: status %d after %s: %s", a.status, time.Since(begun), a.body)
		}
		refused++
		if got := p.do(t, "GET", "/v1/visitors/stranger/recommendations", "").items(t); got.Strategy != "session" {
			t.Fatalf("without Kafka the stranger gets %v", got)
		}
	}
	p.await(t, "not ready", func() bool { return p.do(t, "GET", "/readyz", "").status == http.StatusServiceUnavailable })
	if behind, err := strconv.ParseFloat(p.metric(t, "cartwheel_live_lag_seconds"), 64); err != nil || behind < away.Seconds()-1 {
		t.Errorf("after %s without Kafka the lag is %v s (%v)", away, behind, err)
	}
	b.Start()
	p.await(t, "a post is taken again", func() bool { return p.post(t, view("back", "b1")).status == http.StatusAccepted })
	p.await(t, "ready again", func() bool { return p.do(t, "GET", "/readyz", "").status == http.StatusOK })
	p.await(t, "caught up", func() bool {
		return p.do(t, "GET", "/v1/visitors/back/recommendations", "").items(t).Strategy == "session"
	})
	p.waitFor(t, "cartwheel_live_lag_records", "0")
	p.await(t, "no longer behind", func() bool {
		behind, err := strconv.ParseFloat(p.metric(t, "cartwheel_live_lag_seconds"), 64)
		return err == nil && behind < away.Seconds()
	})
	// The one that was taken is kept; those that were refused may be in the topic or not, once each.
	if got := p.do(t, "GET", "/v1/visitors/stranger/recommendations", "").items(t); got.Strategy != "session" {
		t.Errorf("afterwards the stranger gets %v", got)
	}
}
