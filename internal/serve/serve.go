// Package serve answers HTTP requests from the champion among the model versions.
//
// It promises: an answer comes whole from one version and names it; a version that is damaged is never served, and the one before
// it stays; every error is problem+json (RFC 9457); and a stop lets the requests in flight end. What is recommended, and why, is the
// business of package recommend; what a version is, of package model.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/kafka"
	"cartwheel/internal/live"
	"cartwheel/internal/status"
	"cartwheel/internal/tracing"
)

// Options say what a server works with.
type Options struct {
	DataDir   string
	Contract  []byte        // the OpenAPI document that is served
	Poll      time.Duration // how often LATEST is looked at
	Keys      Keys
	RateLimit float64          // requests a second of one key, or without keys of one address; 0 is no limit
	TLS       *tls.Certificate // nil serves plain HTTP
	AccessLog float64          // share of requests that are logged, from 0 to 1
	Live      *live.Feed       // nil without a broker
	MaxLag    time.Duration    // of the live history, beyond which the server is not ready; 0 is no bound
	Traces    string           // URL of an OpenTelemetry collector; empty sends none
	Kafka     kafka.Config     // the broker that the status is of; without servers there is none
	Topic     string           // of events
	Group     string           // of consumers that write batch files
	Log       *slog.Logger
}

// The bounds of a connection. Hardly an answer takes a second; the rest is for slow networks. What may take longer says so (unhurried).
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 20 * time.Second
	idleTimeout       = 2 * time.Minute
	// lameDuck is how long new requests are still answered after the stop, with "Connection: close" and readiness false, so that
	// clients and load balancers leave by themselves.
	lameDuck = 500 * time.Millisecond
)

// Server is one API.
type Server struct {
	options  Options
	log      *slog.Logger
	metrics  *metrics
	champion *champion
	live     *live.Feed // nil without a broker
	limits   *limits
	handler  http.Handler
	page     func() ([]byte, error) // the contract for people
	draining atomic.Bool
	origin   *http.CrossOriginProtection

	started  time.Time
	gatherer *status.Gatherer
	watcher  *status.Watcher
	stopping chan struct{} // closed when draining begins
}

// New makes a server. It reads nothing yet.
func New(o Options) *Server {
	s := &Server{options: o, log: o.Log, metrics: newMetrics(), limits: newLimits(o.RateLimit), live: o.Live, started: time.Now(),
		origin: http.NewCrossOriginProtection()}
	if s.live != nil {
		liveMetrics(s.metrics.registry, s.live)
	}
	s.champion = &champion{dir: s.modelsDir(), log: o.Log, metrics: s.metrics, live: o.Live,
		shop: newCatalogue(filepath.Join(o.DataDir, "catalogue"), o.Log, s.metrics)}
	s.watching()
	s.page = sync.OnceValues(func() ([]byte, error) { return renderDocs(o.Contract) })
	s.handler = s.routes()
	return s
}

func (s *Server) modelsDir() string { return filepath.Join(s.options.DataDir, "models") }

// Run serves on the listener until stop is done, then lets what is in flight end until ctx is done.
func (s *Server) Run(ctx, stop context.Context, listener net.Listener) error {
	handler := compressed(s.handler)
	if s.options.Traces != "" {
		provider, stopTracing, err := tracing.Start(ctx, s.options.Traces, "cartwheel-api", s.log)
		if err != nil {
			return err
		}
		defer stopTracing()
		handler = traced(handler, provider)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    4 * maxHeaderBytes, // what is between gets an answer in problem+json; what is beyond, net/http's own
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	serve := server.Serve
	if s.options.TLS != nil {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*s.options.TLS}}
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	s.log.Info("serving", "addr", listener.Addr().String(), "models", s.modelsDir())
	watching, stopWatching := context.WithCancel(stop)
	var background sync.WaitGroup
	background.Go(func() { s.champion.watch(watching, s.options.Poll) })
	defer background.Wait()
	defer stopWatching()
	feeding, stopFeeding := context.WithCancel(ctx) // to the end of the requests in flight
	defer stopFeeding()
	s.following(feeding, &background)
	defer s.gatherer.Close()
	defer s.watcher.Wait()

	failed := make(chan error, 1)
	background.Go(func() { failed <- serve(listener) })
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", listener.Addr(), err)
	case <-stop.Done():
	}

	s.draining.Store(true)
	close(s.stopping)
	s.log.Info("stopping: letting the requests in flight end")
	select {
	case <-time.After(lameDuck):
	case <-ctx.Done():
	}
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close()
		if errors.Is(err, context.Canceled) {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}

// unhurried lifts the timeouts from a request that may be worked on for longer. When its client leaves, its context is done.
func unhurried(c *gin.Context) {
	connection := http.NewResponseController(c.Writer) // a recorder in a test has no deadlines
	_, _ = connection.SetReadDeadline(time.Time{}), connection.SetWriteDeadline(time.Time{})
}

// hurried gives what is sent from now on the time that any answer has.
func hurried(c *gin.Context) {
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(writeTimeout))
}
