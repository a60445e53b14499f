package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cartwheel/internal/model/modeltest"
)

// whole says whether faults are to be tested at their full size, as make test-faults does.
var whole = os.Getenv("CARTWHEEL_FAULTS") == "full"

// Connections on which a request never comes whole are closed by the server, a body that does not come is answered, and others are
// answered meanwhile.
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
		const body = "POST /v1/scores HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
		sent := []string{"", "GET /v1/items/pop", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", body}[i%4]
		fmt.Fprint(conn, sent)
		group.Go(func() {
			defer conn.Close()
			if err := conn.SetReadDeadline(begun.Add(30 * time.Second)); err != nil {
				t.Error(err)
			}
			answer, err := io.ReadAll(conn)
			if err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("after %q the connection is still open after %v", sent, time.Since(begun))
			}
			if sent == body && (!strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "did not come in time")) {
				t.Errorf("a body that does not come is answered %q", answer)
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

// However large or strange requests are, each gets its status, nothing fails here, none takes much memory, and none keeps it.
func TestFaultAbsurdRequests(t *testing.T) {
	p := startWith(t, shop("v1")) // not in parallel: it looks at the memory of the whole process
	rounds := 3
	if whole {
		rounds = 50
	}
	const session, most = "/v1/sessions/recommendations", 16 << 20
	many := func(one string) string { return strings.Repeat(one+",", (1<<20-100)/(len(one)+1)) + one } // almost as much as a body may hold
	named := func() string {
		var b strings.Builder
		for i := range 60_000 {
			fmt.Fprintf(&b, `"%x":1,`, i)
		}
		return b.String() + `"views":1`
	}()
	memory := func() (m runtime.MemStats) {
		runtime.ReadMemStats(&m)
		return m
	}
	runtime.GC()
	begun := memory()
	for range rounds {
		for _, c := range []struct {
			method, path, body, header string
			status                     int
		}{
			{"POST", session, strings.Repeat("[", 1<<20), "", 400},
			{"POST", session, strings.Repeat(`{"items":`, 100_000), "", 400},
			{"POST", session, `{"items":[` + many(`"x"`) + `]}`, "", 400},
			{"POST", session, `{"items":[` + many(`1`) + `]}`, "", 400},
			{"POST", session, `{"items":["` + strings.Repeat("x", 900_000) + `"]}`, "", 400},
			{"POST", session, `{"items":[` + strings.Repeat("9", 900_000) + `]}`, "", 400},
			{"POST", session, `{"events":[` + many(`{}`) + `]}`, "", 400},
			{"POST", session, `{` + named + `}`, "", 400},
			{"POST", session, strings.Repeat("x", 8<<20), "", 413},
			{"POST", "/v1/visitors/recommendations", `{"visitorids":[` + many(`1`) + `]}`, "", 400},
			{"POST", "/v1/scores", `{"visitorid":"anna","itemids":[` + many(`1`) + `]}`, "", 400},
			{"POST", "/v1/purchase-probability", `{"features":{` + named + `}}`, "", 400},
			{"POST", "/v1/segments/assign", `{"events":[` + many(`{}`) + `]}`, "", 400},
			{"GET", "/v1/items/popular?limit=" + strings.Repeat("9", 10_000), "", "", 400},
			{"GET", "/v1/items/popular?" + strings.Repeat("only=a&", 2000), "", "", 400},
			{"GET", "/v1/items/" + strings.Repeat("%ff", 1000) + "/similar", "", "", 400},
			{"GET", "/" + strings.Repeat("x", 30_000), "", "", 414},
			{"GET", "/healthz", "", "X-Long: " + strings.Repeat("x", 30_000) + "\r\n", 431},
			{"GET", "/healthz", "", "X-Long: " + strings.Repeat("x", 300_000) + "\r\n", 431},
			{"GET", "/healthz", "", strings.Repeat("X: y\r\n", 5000), 431},
			{"DELETE", "/v1/items/popular", "", "", 405},
		} {
			before := memory()
			status, err := p.raw(c.method, c.path, c.header, c.body)
			if err != nil || status != c.status {
				t.Errorf("%s %.60s %.60s: status %d, want %d, %v", c.method, c.path, c.body, status, c.status, err)
			}
			if took := memory().TotalAlloc - before.TotalAlloc; took > most {
				t.Errorf("%s %.60s %.60s took %d bytes", c.method, c.path, c.body, took)
			}
		}
	}
	runtime.GC()
	if now := memory().HeapAlloc; now > begun.HeapAlloc+most {
		t.Errorf("the heap grew from %d to %d bytes", begun.HeapAlloc, now)
	}
	if p.log.count(`"level":"ERROR"`) > 0 {
		t.Errorf("something failed here:\n%s", p.log.text())
	}
}

// raw sends a request and reads the answer, though the server may give it, and leave, before it has all of the request.
func (p *program) raw(method, path, header, body string) (status int, err error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	go func() {
		head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n", method, path, len(body), header)
		if _, err := io.WriteString(conn, head); err == nil {
			_, _ = io.WriteString(conn, body)
		}
	}()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// SIGTERM under load fails no request: every connection in use is told to close before the server goes, and new ones find either an
// answer or a closed door.
func TestFaultStopUnderLoad(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	modeltest.Write(t, filepath.Join(data, "models"), shop("v1"))
	modeltest.MakeChampion(t, filepath.Join(data, "models"), "v1")
	p := startProcess(t, data)
	p.ready(t, "v1")
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
