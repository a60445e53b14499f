// Command api serves recommendations over HTTP. See api --help, and openapi.yaml for what it answers.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"cartwheel/internal/config"
	"cartwheel/internal/logging"
	"cartwheel/internal/serve"
	"cartwheel/internal/shutdown"
)

//go:embed openapi.yaml
var contract []byte

func main() {
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
	rateLimit   float64
	logging     logging.Config
}

// run is the program: 0 when it ended as asked, 2 for a wrong setting, 1 otherwise.
func run(ctx, stop context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	s, err := parse(args, getenv, stdout)
	if errors.Is(err, config.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "api:", err)
		return 2
	}
	log, err := s.logging.New(stderr)
	if err != nil {
		fmt.Fprintln(stderr, "api:", err)
		return 2
	}
	if s.healthcheck {
		err = serve.Healthcheck(ctx, s.addr)
	} else {
		var listener net.Listener
		if listener, err = net.Listen("tcp", s.addr); err != nil {
			err = fmt.Errorf("listening on %s: %w (choose another address with --addr)", s.addr, err)
		} else {
			if len(s.keys) == 0 && !loopback(listener.Addr()) {
				log.Warn("everybody who reaches this address may do everything; API_KEYS sets keys", "addr", listener.Addr().String())
			}
			err = serve.New(serve.Options{DataDir: s.dataDir, Contract: contract, Poll: time.Second, Keys: s.keys, RateLimit: s.rateLimit, Log: log}).Run(ctx, stop, listener)
		}
	}
	if err != nil {
		log.Error(err.Error())
		return 1
	}
	return 0
}

func parse(args []string, getenv func(string) string, out io.Writer) (*settings, error) {
	s := &settings{}
	f := config.New("api", "serves recommendations over HTTP from the champion in DATA_DIR/models.", out)
	f.StringVar(&s.addr, "addr", "127.0.0.1:8000", "`address` to listen on; port 0 takes a free one, and the log says which")
	f.Env("addr", "API_ADDR")
	f.StringVar(&s.dataDir, "data-dir", "data", "`folder` of the data")
	f.Env("data-dir", "DATA_DIR")
	var keys string
	f.StringVar(&keys, "api-keys", "", "API `keys` as role:key,role:key with the roles reader, writer and admin; without any, everybody may do everything")
	f.Env("api-keys", "API_KEYS")
	f.Float64Var(&s.rateLimit, "rate-limit", 0, "`requests` a second that one key, or without keys one address, may send; 0 is no limit")
	f.Env("rate-limit", "API_RATE_LIMIT")
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
	return s, p.Err()
}

func loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
