package serve

import (
	"bufio"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The bounds of a connection are for requests that end: a stream outlives them.
func TestStreamOutlivesTheBoundsOfRequests(t *testing.T) {
	t.Parallel()
	s := New(Options{DataDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewUnstartedServer(compressed(s.handler))
	server.Config.ReadTimeout, server.Config.WriteTimeout = statusEvery/4, statusEvery/4
	server.Start()
	defer server.Close()
	response, err := http.Get(server.URL + "/v1/status/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	seen := 0
	for lines := bufio.NewScanner(response.Body); seen < 3 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data: ") {
			seen++
		}
	}
	if seen < 3 {
		t.Errorf("the stream ended after %d events", seen)
	}
}

// A probe that is told to wait is no failure: everybody's start would begin with some. A request of somebody's is one.
func TestProbesAreNoFailures(t *testing.T) {
	t.Parallel()
	s := New(Options{DataDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(s.handler)
	defer server.Close()
	for path, failed := range map[string]int64{"/readyz": 0, "/v1/items/popular": 1} {
		before := s.standing()
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("%s without a version: %d", path, response.StatusCode)
		}
		if now := s.standing(); now.Failed-before.Failed != failed || now.Requests-before.Requests != 1 {
			t.Errorf("%s counts as %d failed of %d", path, now.Failed-before.Failed, now.Requests-before.Requests)
		}
	}
}

// However long somebody looks, the request took as long as the stream took to begin.
func TestLookingIsNoLatency(t *testing.T) {
	t.Parallel()
	s := New(Options{DataDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(s.handler)
	defer server.Close()
	begun := time.Now()
	response, err := http.Get(server.URL + "/v1/status/stream")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(response.Body)
	var first time.Duration // until something was shown, as the client saw it
	for range 2 {           // the second look comes statusEvery after the first
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
		}
		if first == 0 {
			first = time.Since(begun)
		}
	}
	close(s.stopping)
	for lines.Scan() {
	}
	_ = response.Body.Close()
	server.Close() // waits for the request's end
	families, err := s.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "cartwheel_http_request_duration_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		if h.GetSampleCount() != 1 || h.GetSampleSum() > first.Seconds() {
			t.Errorf("%d requests took %v s, and something was shown after %s", h.GetSampleCount(), h.GetSampleSum(), first)
		}
		return
	}
	t.Error("no request was observed")
}
