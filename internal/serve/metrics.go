package serve

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	prom "cartwheel/internal/metrics"
)

// metrics are what Prometheus scrapes.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	version  *prometheus.GaugeVec
	visitors prometheus.Gauge
	items    prometheus.Gauge
	seconds  prometheus.Gauge
	loads    prometheus.Counter
	refused  prometheus.Counter

	rulesRefused prometheus.Counter

	answered, failed atomic.Int64 // requests, and those with 5xx but for probes
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cartwheel_http_requests_total",
			Help: "Requests answered, by route and status code."}, []string{"route", "code"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "cartwheel_http_request_duration_seconds",
			Help:    "Time from the request's header to the end of its answer, by route.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}}, []string{"route"}),
		version: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "cartwheel_model_info",
			Help: "1 for the version that is served."}, []string{"version"}),
		visitors: prometheus.NewGauge(prometheus.GaugeOpts{Name: "cartwheel_model_visitors", Help: "Visitors that the served version knows."}),
		items:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "cartwheel_model_items", Help: "Items that the served version knows."}),
		seconds:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "cartwheel_model_load_seconds", Help: "Time that the served version took to load."}),
		loads:    prometheus.NewCounter(prometheus.CounterOpts{Name: "cartwheel_model_loads_total", Help: "Versions loaded and served."}),
		rulesRefused: prometheus.NewCounter(prometheus.CounterOpts{Name: "cartwheel_catalogue_refused_total",
			Help: "Files of the catalogue that were wrong and were refused."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "cartwheel_model_refused_total", Help: "Champions that were not sound and were refused."}),
	}
	m.registry.MustRegister(append(prom.Process(), m.requests, m.latency, m.version, m.visitors, m.items, m.seconds, m.loads, m.refused, m.rulesRefused)...)
	return m
}

func (m *metrics) swapped(now *served) {
	m.loads.Inc()
	m.version.Reset()
	m.version.WithLabelValues(now.version).Set(1)
	m.visitors.Set(float64(now.Visitors()))
	m.items.Set(float64(now.Items()))
	m.seconds.Set(now.loading.Seconds())
}

// observe counts a request. The route is a pattern of the contract, never a path that a client made up.
func (m *metrics) observe(route string, code int, took time.Duration) {
	m.answered.Add(1)
	if code >= http.StatusInternalServerError && route != "/readyz" { // whose 503 is an answer: not yet
		m.failed.Add(1)
	}
	m.requests.WithLabelValues(route, strconv.Itoa(code)).Inc()
	m.latency.WithLabelValues(route).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true}) // done for every answer alike
}
