package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"cartwheel/internal/ingest"
	"cartwheel/internal/kafka/kafkatest"
)

func TestMetricsOfAFollower(t *testing.T) {
	t.Parallel()
	_, addr := kafkatest.Start(t, kfake.SeedTopics(1, "topic"))
	path := filepath.Join(t.TempDir(), "events.csv")
	if err := os.WriteFile(path, []byte(header+"1,v,view,i,\n2,v,click,i,\n3,v,view,i,\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	stop, cancel := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	done := make(chan int)
	go func() {
		done <- run(context.Background(), stop, []string{"--bootstrap-servers", addr, "--topic", "topic", "--file", path, "--follow", "--metrics-addr", at}, noEnv, nil, &out, &errs)
	}()
	want := []string{"cartwheel_producer_rows_read_total 3\n", "cartwheel_producer_events_acknowledged_total 2\n",
		"cartwheel_producer_rejected_total{reason=\"event\"} 1\n", "cartwheel_producer_last_acknowledgement_age_seconds "}
	var text string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		missing := 0
		text = get(t, "http://"+at+"/metrics")
		for _, line := range want {
			if !strings.Contains(text, line) {
				missing++
			}
		}
		if missing == 0 {
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
	if code := <-done; code != 0 { // being told to stop is how a follower ends
		t.Errorf("code %d, %s", code, errs.String())
	}
}

func TestHealthOfAProducerThatIsNotHeard(t *testing.T) {
	t.Parallel()
	r := &retries{begun: time.Now().Add(-time.Minute)}
	var counts ingest.Counts
	if err := r.healthy(&counts); err != nil {
		t.Errorf("with nothing to send: %v", err)
	}
	r.last.Store(time.Now().UnixMilli())
	if err := r.healthy(&counts); err == nil || !strings.Contains(err.Error(), "1m0s") {
		t.Errorf("after a minute of retries: %v", err)
	}
	counts.LastAck.Store(time.Now().UnixMilli())
	if err := r.healthy(&counts); err != nil {
		t.Errorf("after an acknowledgement: %v", err)
	}
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
