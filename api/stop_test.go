package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A request in flight when the stop comes is answered; readiness goes false before anything closes.
func TestStopLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	const body = `{"items":["b1"]}`
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The server answers "100 Continue" when the handler reads the body: from then on the request is in flight.
	fmt.Fprintf(conn, "POST /v1/sessions/recommendations?limit=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("the server said %q, %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.stop()
	p.log.wait(t, "stopping: letting the requests in flight end")
	p.do(t, "GET", "/readyz", "").problem(t, 503, "", "stopping")
	if a := p.do(t, "GET", "/v1/items/popular?limit=1", ""); a.status != 200 || !a.last {
		t.Errorf("while stopping: status %d, last on its connection: %v", a.status, a.last)
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatalf("the request in flight got no answer: %v", err)
	}
	defer response.Body.Close()
	if data, err := io.ReadAll(response.Body); err != nil || response.StatusCode != 200 || !strings.Contains(string(data), `"b1"`) {
		t.Errorf("the request in flight got %d: %s, %v", response.StatusCode, data, err)
	}
	if code := <-p.code; code != 0 {
		t.Errorf("the program ended with %d:\n%s", code, p.log.text())
	}
}

// A second signal does not wait for what is in flight.
func TestSecondStopStopsAtOnce(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /v1/sessions/recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("the server said %q, %v", line, err)
	}
	p.stop()
	p.log.wait(t, "stopping: letting the requests in flight end")
	p.kill()
	if code := <-p.code; code != 1 || !strings.Contains(p.log.text(), "stopping: ") {
		t.Errorf("the program ended with %d:\n%s", code, p.log.text())
	}
}
