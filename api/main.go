// Command api serves recommendations over HTTP. See api --help, and openapi.yaml for what it answers.
package main

import (
	"context"
	"crypto/tls"
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/config"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/live"
	"cartwheel/internal/logging"
	"cartwheel/internal/serve"
	"cartwheel/internal/shutdown"
	"cartwheel/internal/tracing"
)

//go:embed openapi.yaml
var contract []byte

func main() {
	if mayAddThreads(os.Getenv("GOMAXPROCS"), runtime.GOMAXPROCS(0), runtime.NumCPU()) {
		runtime.GOMAXPROCS(runtime.NumCPU() + spareThreads)
	}
	stop, now, release := shutdown.Notify(context.Background())
	code := run(now, stop, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	release()
	os.Exit(code)
}

// settings are the API's, from defaults, environment and flags.
type settings struct {
	addr        string
	dataDir     string
	healthcheck bool
	keys        serve.Keys
	open        bool
	certificate *tls.Certificate // nil for plain HTTP
	rateLimit   float64
	accessLog   float64
	traces      string
	kafka       kafka.Config
	live        live.Options
	group       string
	maxLag      time.Duration
	logging     logging.Config
}

// run is the program: 0 when it ended as asked, 2 for a wrong setting, 1 otherwise.
func run(ctx, stop context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	s, err := parse(args, getenv, stdout)
	if err != nil {
		return config.Tell("api", err, stderr)
	}
	log, err := s.logging.New(stderr)
	if err != nil {
		return config.Tell("api", err, stderr)
	}
	if s.healthcheck {
		err = serve.Healthcheck(ctx, s.addr, s.certificate)
	} else {
		err = s.serve(ctx, stop, log)
	}
	if err != nil {
		log.Error(err.Error())
	}
	return config.ExitCode(err)
}

// spareThreads is how many threads more than processors run requests, where nobody has said how many. The system takes a processor away
// from a thread for milliseconds whenever another program wants it; the requests in that thread's queue would wait with it, if no thread
// to spare took them over.
const spareThreads = 2

// mayAddThreads reports whether nobody has: neither GOMAXPROCS nor a limit on processors, whose threads would only be throttled sooner.
func mayAddThreads(gomaxprocs string, threads, processors int) bool {
	return gomaxprocs == "" && threads == processors
}

func (s *settings) serve(ctx, stop context.Context, log *slog.Logger) error {
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w (choose another address with --addr)", s.addr, err)
	}
	if len(s.keys) == 0 && !s.open && !loopback(listener.Addr()) {
		_ = listener.Close()
		return fmt.Errorf("%w: without API keys everybody who reaches %s could do everything: set keys (--api-keys), listen on 127.0.0.1, or say --open if that is meant",
			config.ErrUsage, listener.Addr())
	}
	var feed *live.Feed
	if s.kafka.Servers != "" {
		s.live.Kafka, s.live.Log = s.kafka, log
		feed = live.New(s.live)
	}
	return serve.New(serve.Options{Live: feed, Kafka: s.kafka, Topic: s.live.Topic, Group: s.group, MaxLag: s.maxLag, DataDir: s.dataDir, Contract: contract, Poll: time.Second, Keys: s.keys, RateLimit: s.rateLimit,
		TLS: s.certificate, AccessLog: s.accessLog, Traces: s.traces, Log: log}).Run(ctx, stop, listener)
}

func parse(args []string, getenv func(string) string, out io.Writer) (*settings, error) {
	s := &settings{}
	f := config.New("api", "serves recommendations over HTTP from the champion in DATA_DIR/models.", out)
	f.StringVar(&s.addr, "addr", "127.0.0.1:8000", "`address` to listen on; port 0 takes a free one, and the log says which")
	f.Env("addr", "API_ADDR")
	f.StringVar(&s.dataDir, "data-dir", "data", "`folder` of the data")
	f.Env("data-dir", "DATA_DIR")
	var keys string
	f.StringVar(&keys, "api-keys", "", "API `keys` as role:key,role:key with the roles reader, writer and admin; without any, everybody may do everything, and only this machine is served")
	f.Env("api-keys", "API_KEYS")
	f.BoolVar(&s.open, "open", false, "serve other machines without keys, too")
	f.Env("open", "API_OPEN")
	var certFile, keyFile string
	f.StringVar(&certFile, "tls-cert-file", "", "PEM `file` of the certificate to serve HTTPS with; plain HTTP without")
	f.Env("tls-cert-file", "API_TLS_CERT_FILE")
	f.StringVar(&keyFile, "tls-key-file", "", "PEM `file` of its key")
	f.Env("tls-key-file", "API_TLS_KEY_FILE")
	f.Float64Var(&s.rateLimit, "rate-limit", 0, "`requests` a second that one key, or without keys one address, may send; 0 is no limit")
	f.Env("rate-limit", "API_RATE_LIMIT")
	f.Float64Var(&s.accessLog, "access-log-sample", 0, "`share` of requests that are logged, 0 to 1; above 0, all that failed here are")
	f.Env("access-log-sample", "API_ACCESS_LOG_SAMPLE")
	f.StringVar(&s.traces, "otlp-endpoint", "", "`URL` of an OpenTelemetry collector, such as http://localhost:4318, to send traces to; OTEL_TRACES_SAMPLER and the like hold")
	f.Env("otlp-endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT")
	s.kafka.Declare(f)
	servers := f.Lookup("bootstrap-servers") // without a broker the API serves models only
	servers.Usage, servers.DefValue, s.kafka.Servers = servers.Usage+"; without any, no events are taken and answers are from the models alone", "", ""
	f.StringVar(&s.live.Topic, "topic", event.Topic, "Kafka `topic`")
	f.Env("topic", "KAFKA_TOPIC")
	f.StringVar(&s.live.Erasures, "erasures-topic", live.ErasuresTopic, "compacted Kafka `topic` of erased visitors; made if it is not there")
	f.Env("erasures-topic", "KAFKA_ERASURES_TOPIC")
	f.StringVar(&s.group, "group-id", batch.Group, "the consumers' `group`, whose progress the dashboard shows")
	f.Env("group-id", "KAFKA_GROUP_ID")
	f.DurationVar(&s.live.Back, "live-back", live.Windows[len(live.Windows)-1].Span, "`time` that the topic is read back at the start")
	f.Env("live-back", "API_LIVE_BACK")
	f.IntVar(&s.live.Visitors, "live-visitors", 1_000_000, "`number` of visitors whose newest events are kept, in 1 KB each on average")
	f.Env("live-visitors", "API_LIVE_VISITORS")
	f.DurationVar(&s.maxLag, "ready-max-lag", 0, "`time` that the live history may be behind the topic before the API is not ready; 0 is no bound")
	f.Env("ready-max-lag", "API_READY_MAX_LAG")
	f.BoolVar(&s.healthcheck, "healthcheck", false, "ask the API on --addr whether it is ready, and end with 0 or 1")
	s.logging.Declare(f)
	if err := f.Parse(args, getenv); err != nil {
		return nil, err
	}
	var p config.Problems
	_, port, err := net.SplitHostPort(s.addr)
	number, notNumber := strconv.Atoi(port)
	p.Check(err == nil && notNumber == nil && number >= 0 && number <= 65535, "--addr %q is not host:port with a port between 0 and 65535", s.addr)
	p.Check(s.dataDir != "", "--data-dir is empty")
	p.Check(s.rateLimit >= 0 && s.rateLimit <= 1e9, "--rate-limit %v is not between 0 and 1e9", s.rateLimit)
	s.keys, err = serve.ParseKeys(keys)
	p.Check(err == nil, "--api-keys: %v", err)
	p.Check(s.accessLog >= 0 && s.accessLog <= 1, "--access-log-sample %v is not between 0 and 1", s.accessLog)
	if s.kafka.Servers != "" {
		s.kafka.Check(&p)
	}
	p.Check(s.live.Topic != "" && s.live.Erasures != "", "--topic and --erasures-topic must not be empty")
	p.Check(s.group != "", "--group-id is empty")
	p.Check(s.live.Back >= 0, "--live-back %s is below 0", s.live.Back)
	p.Check(s.live.Visitors >= 1 && s.live.Visitors <= 100_000_000, "--live-visitors %d is not between 1 and 100,000,000", s.live.Visitors)
	p.Check(s.maxLag >= 0, "--ready-max-lag %s is below 0", s.maxLag)
	tracing.Check(&p, s.traces)
	p.Check((certFile == "") == (keyFile == ""), "--tls-cert-file and --tls-key-file belong together: give both or neither")
	if certFile != "" && keyFile != "" {
		certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
		p.Check(err == nil, "--tls-cert-file and --tls-key-file: %v", err)
		s.certificate = &certificate
	}
	return s, p.Err()
}

func loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
