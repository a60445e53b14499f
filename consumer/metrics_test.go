package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/kafka/kafkatest"
	"cartwheel/internal/metrics"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	_, addr := kafkatest.Start(t)
	b := setup(t, addr)
	b.send(150)
	kafkatest.Send(t, b.client, b.topic, 2, "not json")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	stop, cancel := context.WithCancel(context.Background())
	done := make(chan result)
	go func() {
		done <- b.consume(stop, "--follow", "--flush-interval", "200ms", "--metrics-addr", at)
	}()
	want := []string{
		"cartwheel_consumer_records_read_total 451\n", "cartwheel_consumer_events_published_total 450\n", "cartwheel_consumer_batches_published_total 6\n",
		"cartwheel_consumer_rejected_total{reason=\"not JSON\"} 1\n", "cartwheel_consumer_rejected_total{reason=\"itemid\"} 0\n", "cartwheel_consumer_lag_records{partition=\"0\"} 0\n", "cartwheel_consumer_lag_records{partition=\"2\"} 0\n",
		"cartwheel_consumer_healthy 1\n", "cartwheel_consumer_last_commit_age_seconds ", "cartwheel_consumer_bytes_read_total ",
	}
	var text string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if text = get(t, "http://"+at+"/metrics"); holds(text, want) {
			break
		}
	}
	for _, line := range want {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in %s", line, text)
		}
	}
	if text := get(t, "http://"+at+"/healthz"); text != "ok\n" {
		t.Errorf("/healthz says %s", text)
	}
	cancel()
	if r := <-done; r.code != 0 {
		t.Errorf("code %d, %s", r.code, r.errors)
	}
}

func TestMetricsTellWhatHealthDoes(t *testing.T) {
	t.Parallel()
	for want, unhealthy := range map[float64]error{1: nil, 0: errors.New("no answer")} {
		all := samples(unhealthy, &batch.Stats{})
		if at := slices.IndexFunc(all, func(s metrics.Sample) bool { return s.Name == "cartwheel_consumer_healthy" }); at < 0 || all[at].Value != want {
			t.Errorf("%v: not %v in %v", unhealthy, want, all)
		}
	}
}

func holds(text string, lines []string) bool {
	for _, l := range lines {
		if !strings.Contains(text, l) {
			return false
		}
	}
	return true
}

// get returns what the address answers, or nothing while nobody listens there.
func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
