// Package metrics lets a program that runs for long be watched: /metrics for Prometheus and /healthz for whoever restarts it. What
// the figures are, and what is healthy, the program says.
package metrics

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cartwheel/internal/config"
)

// Sample is one figure at the moment that it is asked for.
type Sample struct {
	Name   string
	Help   string
	Gauge  bool // may fall; otherwise it only rises
	Value  float64
	Labels map[string]string
}

// Server serves a program's figures.
type Server struct {
	Addr string       // that it listens on, empty if on none
	http *http.Server // nil likewise
}

// Serve begins to serve /metrics and /healthz on addr, or nowhere if that is empty. samples is called for each scrape; healthy returns
// nil or what is wrong, which /healthz answers with 200 or 503.
func Serve(addr string, samples func() []Sample, healthy func() error) (*Server, error) {
	if addr == "" {
		return &Server{}, nil
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(append(Process(), collector(samples))...)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := healthy(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: --metrics-addr: %w", config.ErrUsage, err)
	}
	s := &Server{Addr: l.Addr().String(), http: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}}
	go func() { _ = s.http.Serve(l) }() // it ends with Close, or with a listener that nobody can use any more
	return s, nil
}

// Process collects what every program tells of itself: the system's figures and Go's, with the memory that the last garbage collection
// has left, in which a leak shows first.
func Process() []prometheus.Collector {
	live := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile("^/gc/heap/live:bytes$")}
	return []prometheus.Collector{collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(live)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}
}

// Close ends the server after the answers that are under way.
func (s *Server) Close() {
	if s.http == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = s.http.Shutdown(ctx)
}

type collector func() []Sample

// Describe says nothing: the samples are not known before they are taken.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c() {
		var names, values []string
		for k, v := range s.Labels {
			names, values = append(names, k), append(values, v)
		}
		kind := prometheus.CounterValue
		if s.Gauge {
			kind = prometheus.GaugeValue
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(s.Name, s.Help, names, nil), kind, s.Value, values...)
	}
}
