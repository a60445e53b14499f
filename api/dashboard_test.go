package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/status"
)

// statusStream reads the events of a stream one by one.
type statusStream struct {
	t     *testing.T
	lines *bufio.Scanner
}

func openStream(t *testing.T, p *program) *statusStream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", p.url+"/v1/status/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "gzip, zstd")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" || response.Header.Get("Content-Encoding") != "" {
		t.Fatalf("status %d, %v", response.StatusCode, response.Header)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	return &statusStream{t, lines}
}

// next returns the next event's name and data; none at the end of the stream.
func (s *statusStream) next() (name, data string) {
	s.t.Helper()
	for s.lines.Scan() {
		switch line := s.lines.Text(); {
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			return name, line[len("data: "):]
		}
	}
	return "", ""
}

func TestStatusStreamTellsChangesAndEndsAtTheStop(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	stream := openStream(t, p)
	version := func() string {
		name, data := stream.next()
		var now status.Status
		if err := json.Unmarshal([]byte(data), &now); name != "status" || err != nil {
			t.Fatalf("%s: %s (%v)", name, data, err)
		}
		return now.API.Version
	}
	if v := version(); v != "" {
		t.Errorf("serving %q before there was a version", v)
	}
	modeltest.Write(t, p.models, shop("v1"))
	modeltest.MakeChampion(t, p.models, "v1")
	for version() != "v1" { // the test's own timeout bounds this
	}
	p.stop()
	for {
		name, data := stream.next()
		if name == "bye" {
			break
		}
		if name == "" {
			t.Fatalf("the stream ended without a word: %q", data)
		}
	}
	if name, _ := stream.next(); name != "" {
		t.Errorf("%s came after the end", name)
	}
	if code := <-p.code; code != 0 {
		t.Errorf("the program ended with %d", code)
	}
}

// Streams are bounded: one more is refused, and one that ends makes room.
func TestStatusStreamsAreBounded(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	for range 32 {
		request, err := http.NewRequestWithContext(ctx, "GET", p.url+"/v1/status/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != 200 {
			t.Fatalf("status %d", response.StatusCode)
		}
	}
	a := p.do(t, "GET", "/v1/status/stream", "")
	a.problem(t, 503, "", "32 streams")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	leave()
	for { // how soon the server hears of it is the network's business
		request, err := http.NewRequestWithContext(t.Context(), "GET", p.url+"/v1/status/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode == 200 {
			return
		}
	}
}

// The page is for everybody; what it asks for is not.
func TestStatusWantsAKeyAndThePageDoesNot(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), "--api-keys", "reader:0123456789abcdef")
	for _, path := range []string{"/v1/status", "/v1/status/stream"} {
		p.do(t, "GET", path, "").problem(t, 401, "", "API key")
	}
	if a := p.do(t, "GET", "/v1/status", "", "Authorization", "Bearer 0123456789abcdef"); a.status != 200 {
		t.Errorf("with a key: %d: %s", a.status, a.body)
	}
	if a := p.do(t, "GET", "/", ""); a.status != 200 {
		t.Errorf("the page: %d: %s", a.status, a.body)
	}
}

// The page loads nothing from elsewhere, all that it names is there, and neither scripts nor styles stand within it.
func TestDashboardNeedsNothingElse(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	asked := map[string]bool{}
	names := regexp.MustCompile(`(?:src|href)="([^"#][^"]*)"|(?:import|from) "(\./[^"]+)"`)
	var follow func(path string)
	follow = func(path string) {
		if asked[path] {
			return
		}
		asked[path] = true
		a := p.do(t, "GET", path, "")
		if a.status != 200 {
			t.Errorf("%s: status %d", path, a.status)
			return
		}
		if path != "/" && !strings.HasPrefix(path, "/dashboard/") {
			return
		}
		policy := a.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if again := p.do(t, "GET", path, "", "If-None-Match", a.header.Get("Etag")); again.status != 304 || len(again.body) != 0 {
			t.Errorf("%s, again: status %d", path, again.status)
		}
		body := string(a.body)
		for _, bad := range []string{" style=", " onclick=", "<style", "@import", "javascript:"} {
			if strings.HasSuffix(a.header.Get("Content-Type"), "html; charset=utf-8") && strings.Contains(body, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
		for _, found := range names.FindAllStringSubmatch(body, -1) {
			switch name := found[1] + found[2]; {
			case strings.HasPrefix(name, "./"):
				follow("/dashboard/" + name[2:])
			case strings.HasPrefix(name, "/"):
				follow(name)
			case name != "http://www.w3.org/2000/svg":
				t.Errorf("%s names %s", path, name)
			}
		}
	}
	follow("/")
	for _, path := range []string{"/dashboard/uplot.js", "/dashboard/explorer.js", "/dashboard/style.css", "/docs"} {
		if !asked[path] {
			t.Errorf("%s is not used", path)
		}
	}
	p.do(t, "GET", "/dashboard/nothing.js", "").problem(t, 404, "file", "no file")
}

// Pages of other sites cannot have a browser act here: no key may be needed on this machine.
func TestOtherSitesPagesMayNotAct(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	const activate = "/v1/models/v1/activate"
	p.do(t, "POST", activate, "", "Origin", "https://shop.example", "Sec-Fetch-Site", "cross-site").problem(t, 403, "", "another site")
	p.do(t, "POST", activate, "", "Origin", "https://shop.example").problem(t, 403, "", "another site")
	for _, header := range [][]string{nil, {"Origin", p.url}, {"Origin", p.url, "Sec-Fetch-Site", "same-origin"}} {
		if a := p.do(t, "POST", activate, "", header...); a.status != 200 {
			t.Errorf("%v: status %d: %s", header, a.status, a.body)
		}
	}
}

func checkDashboardContract(t *testing.T, c *contractChecker, p, empty *program) {
	t.Helper()
	for _, path := range []string{"/", "/dashboard/app.js", "/dashboard/style.css", "/dashboard/icon.svg", "/dashboard/nothing", "/v1/status"} {
		c.check(t, p, true, "GET", path, "")
		c.check(t, empty, true, "GET", path, "")
	}
	// A stream does not end, so its answer is not read to the end as the others' are.
	response, err := http.Get(p.url + "/v1/status/stream?x=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != 400 {
		t.Errorf("status %d: %s", response.StatusCode, body)
	}
	if name, _ := openStream(t, p).next(); name != "status" {
		t.Errorf("the stream began with %q", name)
	}
	c.used["GET /v1/status/stream"] = true
}
