package metrics_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"cartwheel/internal/config"
	"cartwheel/internal/metrics"
)

func TestServe(t *testing.T) {
	var health error
	s, err := metrics.Serve("127.0.0.1:0", func() []metrics.Sample {
		return []metrics.Sample{
			{Name: "cartwheel_test_total", Help: "Things.", Value: 3},
			{Name: "cartwheel_lag", Help: "Lag.", Gauge: true, Value: 7, Labels: map[string]string{"partition": "2"}},
		}
	}, func() error { return health })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	get := func(path string) (int, string) {
		res, err := http.Get("http://" + s.Addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	code, body := get("/metrics")
	for _, line := range []string{"# TYPE cartwheel_test_total counter\ncartwheel_test_total 3\n", "# TYPE cartwheel_lag gauge\ncartwheel_lag{partition=\"2\"} 7\n", "process_resident_memory_bytes", "go_gc_heap_live_bytes"} {
		if code != 200 || !strings.Contains(body, line) {
			t.Errorf("code %d, %q is not in %s", code, line, body)
		}
	}
	if code, body := get("/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("%d %s", code, body)
	}
	health = errors.New("no broker since 40 s")
	if code, body := get("/healthz"); code != 503 || !strings.Contains(body, "no broker since 40 s") {
		t.Errorf("%d %s", code, body)
	}
	if _, err := metrics.Serve(s.Addr, nil, nil); !errors.Is(err, config.ErrUsage) || !strings.Contains(err.Error(), "--metrics-addr") {
		t.Errorf("a port in use: %v", err)
	}
}

func TestServeNowhere(t *testing.T) {
	s, err := metrics.Serve("", nil, nil)
	if err != nil || s.Addr != "" {
		t.Errorf("served at %q: %v", s.Addr, err)
	}
	s.Close()
}
