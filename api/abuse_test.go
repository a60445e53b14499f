package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// whole says whether faults are to be tested at their full size, as make test-faults does.
var whole = os.Getenv("CARTWHEEL_FAULTS") == "full"

// Connections on which a request never comes whole are closed by the server, and others are answered meanwhile.
func TestFaultHalfOpenConnections(t *testing.T) {
	t.Parallel()
	half := 20
	if whole {
		half = 500
	}
	p := startWith(t, shop("v1"))
	begun := time.Now()
	var group sync.WaitGroup
	for i := range half {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, []string{"", "GET /v1/items/pop", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "}[i%3])
		group.Go(func() {
			defer conn.Close()
			if err := conn.SetReadDeadline(begun.Add(30 * time.Second)); err != nil {
				t.Error(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("a connection without a request is still open after %v", time.Since(begun))
			}
		})
	}
	for range 50 {
		if a := p.do(t, "GET", "/v1/items/popular", ""); a.status != 200 {
			t.Errorf("beside them, status %d", a.status)
		}
	}
	group.Wait()
}

// However large or strange requests are, each gets its status, nothing fails here, and memory stays bounded.
func TestFaultAbsurdRequests(t *testing.T) {
	p := startWith(t, shop("v1")) // not in parallel: it looks at the memory of the whole process
	rounds := 3
	if whole {
		rounds = 50
	}
	const session = "/v1/sessions/recommendations"
	jsonType := []string{"Content-Type", "application/json"}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for range rounds {
		for _, c := range []struct {
			method, path, body string
			header             []string
			status             int
		}{
			{"POST", session, strings.Repeat("[", 1<<20), jsonType, 400},
			{"POST", session, strings.Repeat(`{"items":`, 100_000), jsonType, 400},
			{"POST", session, `{"items":[` + strings.Repeat(`"x",`, 200_000) + `"x"]}`, jsonType, 400},
			{"POST", session, `{"items":["` + strings.Repeat("x", 900_000) + `"]}`, jsonType, 400},
			{"POST", session, `{"items":[` + strings.Repeat("9", 900_000) + `]}`, jsonType, 400},
			{"POST", session, strings.Repeat("x", 8<<20), jsonType, 413},
			{"GET", "/v1/items/popular?limit=" + strings.Repeat("9", 10_000), "", nil, 400},
			{"GET", "/v1/items/popular?" + strings.Repeat("only=a&", 2000), "", nil, 400},
			{"GET", "/v1/items/" + strings.Repeat("%ff", 1000) + "/similar", "", nil, 400},
			{"GET", "/" + strings.Repeat("x", 30_000), "", nil, 414},
			{"GET", "/healthz", "", []string{"X-Long", strings.Repeat("x", 30_000)}, 431},
			{"GET", "/healthz", "", []string{"X-Long", strings.Repeat("x", 300_000)}, 431},
			{"DELETE", "/v1/items/popular", "", nil, 405},
		} {
			a, err := p.try(http.DefaultClient, c.method, c.path, c.body, c.header...)
			if err != nil && strings.Contains(err.Error(), "broken pipe") || err != nil && strings.Contains(err.Error(), "reset") {
				continue // the server closed before it had read all that it does not want
			}
			if err != nil || a.status != c.status {
				t.Errorf("%s %.60s %.60s: status %d, want %d, %v", c.method, c.path, c.body, a.status, c.status, err)
			}
		}
	}
	if after := heap(); after > before+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if p.log.count(`"level":"ERROR"`) > 0 {
		t.Errorf("something failed here:\n%s", p.log.text())
	}
}

// A stop under load fails no request: every connection in use is told to close before the server goes, and new ones find either an
// answer or a closed door.
func TestFaultStopUnderLoad(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	var answered atomic.Int64
	var group sync.WaitGroup
	const request = "GET /v1/visitors/anna/recommendations HTTP/1.1\r\nHost: x\r\n\r\n"
	for range 8 {
		group.Go(func() {
			for {
				conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
				if err != nil {
					return // the door is closed
				}
				reader := bufio.NewReader(conn)
				for first := true; ; first = false {
					_, err := io.WriteString(conn, request)
					var response *http.Response
					if err == nil {
						response, err = http.ReadResponse(reader, nil)
					}
					if err != nil {
						if !first { // a new connection may have waited to be accepted when the door closed
							t.Errorf("on a connection in use: %v", err)
						}
						break
					}
					_, err = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
					if err != nil || response.StatusCode != 200 {
						t.Errorf("status %d, %v", response.StatusCode, err)
					}
					answered.Add(1)
					if response.Close {
						break
					}
				}
				_ = conn.Close()
			}
		})
	}
	for answered.Load() < 200 {
		runtime.Gosched()
	}
	p.stop()
	if code := <-p.code; code != 0 {
		t.Errorf("the program ended with %d:\n%s", code, p.log.text())
	}
	group.Wait()
}
