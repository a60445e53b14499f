package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// request is what is asked: a path and, for a POST, a body.
type request struct{ path, body string }

// bytes is the request as it goes over the wire.
func (r request) bytes() []byte {
	if r.body == "" {
		return []byte("GET " + r.path + " HTTP/1.1\r\nHost: bench\r\n\r\n")
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", r.path, len(r.body), r.body)
}

// figures are what a measurement gave.
type figures struct {
	rate     float64 // requests a second
	p50, p99 float64 // milliseconds
	longest  float64 // likewise; of an open loop
	answers  uint64  // likewise
}

// closedLoop asks from 8 connections, each of which waits for its answer before it asks again.
func closedLoop(addr string, span time.Duration, requests []request) (figures, error) {
	const connections = 8
	wire := make([][]byte, len(requests))
	for i, r := range requests {
		wire[i] = r.bytes()
	}
	var (
		mu     sync.Mutex
		all    []time.Duration
		failed error
		next   atomic.Int64
		group  sync.WaitGroup
	)
	begun := time.Now()
	for range connections {
		group.Go(func() {
			var took []time.Duration
			c, err := dial(addr)
			for err == nil && time.Since(begun) < span {
				asked := time.Now()
				if err = c.roundTrip(wire[int(next.Add(1))%len(wire)]); err == nil {
					took = append(took, time.Since(asked))
				}
			}
			if c != nil {
				_ = c.Conn.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
			}
		})
	}
	group.Wait()
	lasted := time.Since(begun)
	if failed != nil {
		return figures{}, failed
	}
	slices.Sort(all)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return figures{rate: float64(len(all)) / lasted.Seconds(), p50: ms(all[len(all)/2]), p99: ms(all[len(all)*99/100])}, nil
}

// connection is an HTTP client that costs as little as possible, since it shares the processors with what is measured.
type connection struct {
	net.Conn
	*bufio.Reader
	body []byte
}

func dial(addr string) (*connection, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: conn, Reader: bufio.NewReaderSize(conn, 16<<10)}, nil
}

func (c *connection) roundTrip(request []byte) error {
	if _, err := c.Conn.Write(request); err != nil {
		return err
	}
	length, chunked := -1, false
	for first := true; ; first = false {
		line, err := c.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case first && !strings.HasPrefix(string(line), "HTTP/1.1 200"):
			return fmt.Errorf("answered %q", line)
		case len(line) == 2 && chunked:
			return c.readChunks()
		case len(line) == 2 && length < 0:
			return fmt.Errorf("an answer without Content-Length")
		case len(line) == 2:
			c.body = slices.Grow(c.body[:0], length)[:length]
			_, err := io.ReadFull(c.Reader, c.body)
			return err
		case len(line) == 28 && strings.EqualFold(string(line), "Transfer-Encoding: chunked\r\n"):
			chunked = true
		case len(line) > 16 && strings.EqualFold(string(line[:16]), "Content-Length: "):
			if length, err = strconv.Atoi(strings.TrimSpace(string(line[16:]))); err != nil {
				return err
			}
		}
	}
}

// readChunks reads a body that comes in pieces, as net/http sends one that is long.
func (c *connection) readChunks() error {
	c.body = c.body[:0]
	for {
		line, err := c.ReadSlice('\n')
		if err != nil {
			return err
		}
		length, err := strconv.ParseUint(strings.TrimSpace(string(line)), 16, 31)
		if err != nil {
			return err
		}
		from, to := len(c.body), len(c.body)+int(length)
		c.body = slices.Grow(c.body, int(length)+2)[:to+2] // with the end of its line
		if _, err := io.ReadFull(c.Reader, c.body[from:]); err != nil {
			return err
		}
		if c.body = c.body[:to]; length == 0 {
			return nil
		}
	}
}

// ask returns one answer.
func ask(addr string, r request) ([]byte, error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Conn.Close()
	err = c.roundTrip(r.bytes())
	return c.body, err
}

// openLoop asks so many times a second whether answers come or not, until it is told to end, as many visitors do who know nothing of each
// other. A span of 0 has no end of its own. Each answer is shown to check, if there is one.
func openLoop(addr string, perSecond int, span time.Duration, end <-chan struct{}, requests []request, check func(*vegeta.Result) error) (figures, error) {
	var next atomic.Int64
	target := func(t *vegeta.Target) error {
		r := requests[int(next.Add(1))%len(requests)]
		t.Method, t.URL, t.Body, t.Header = http.MethodGet, "http://"+addr+r.path, nil, nil
		if r.body != "" {
			t.Method, t.Body, t.Header = http.MethodPost, []byte(r.body), http.Header{"Content-Type": {"application/json"}}
		}
		return nil
	}
	attacker := vegeta.NewAttacker(vegeta.Connections(64), vegeta.MaxConnections(64), vegeta.Timeout(30*time.Second))
	var m vegeta.Metrics
	results := attacker.Attack(target, vegeta.Rate{Freq: perSecond, Per: time.Second}, span, "bench")
	var wrong error
	for open := true; open; {
		select {
		case result, more := <-results:
			if open = more; more {
				m.Add(result)
				if check != nil && wrong == nil {
					wrong = check(result)
				}
			}
		case <-end:
			attacker.Stop()
			end = nil
		}
	}
	m.Close()
	if m.Requests == 0 {
		return figures{}, errors.New("what was to be waited for meanwhile was over before the first request: measure with more events")
	}
	if wrong != nil {
		return figures{}, wrong
	}
	if m.Success < 1 {
		return figures{}, fmt.Errorf("of %d requests a part of %.4f succeeded: %v", m.Requests, m.Success, m.Errors)
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return figures{rate: m.Rate, p50: ms(m.Latencies.P50), p99: ms(m.Latencies.P99), longest: ms(m.Latencies.Max), answers: m.Requests}, nil
}
