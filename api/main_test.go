package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/reexec"
)

// TestMain is also the program, as startProcess runs it.
func TestMain(m *testing.M) {
	reexec.Main(leakTested{m}, func(func(string)) { main() })
}

type leakTested struct{ *testing.M }

// Run ends the process, with 1 if a test failed or left something running.
func (m leakTested) Run() int {
	goleak.VerifyTestMain(m.M, goleak.Cleanup(func(code int) {
		http.DefaultClient.CloseIdleConnections()
		os.Exit(code)
	}), goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait")) // half a second's wait after a refused body, by which net/http ends
	return 0
}

func TestItems(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	for _, c := range []struct{ method, path, body, strategy, items string }{
		{"GET", "/v1/visitors/anna/recommendations?limit=3", "", "als", "a2 a3 q/\"\\?"},
		{"GET", "/v1/visitors/anna/recommendations?limit=2&seen=include", "", "als", "a1 a2"},
		{"GET", "/v1/visitors/anna/recommendations?limit=2&offset=1", "", "als", "a3 q/\"\\?"},
		{"GET", "/v1/visitors/anna/recommendations?limit=2&exclude=a2,a3", "", "als", "q/\"\\? popular"},
		{"GET", "/v1/visitors/anna/recommendations?only=b2,b1,a1", "", "als", "b1 b2"},
		{"GET", "/v1/visitors/anna/recommendations?only=b2&only=b1", "", "als", "b1 b2"},
		{"GET", "/v1/visitors/anna/recommendations?exclude=b1,new,b2", "", "als", "a2 a3 q/\"\\? popular"},
		{"GET", "/v1/visitors/anna/recommendations?category=b", "", "als", "b1 b2"},
		{"GET", "/v1/visitors/anna/recommendations?category=all&exclude=b2", "", "als", "a2 b1"},
		{"GET", "/v1/items/popular?category=all", "", "popular", "a1 b1 a2 b2"},
		{"GET", "/v1/items/b1/similar?category=b", "", "similar", "b2"},
		{"GET", "/v1/items/b1/similar?by=factors&category=all&limit=2", "", "similar", "b2 a1"},
		{"POST", "/v1/sessions/recommendations?category=b&seen=exclude", `{"items":["b1"]}`, "session", "b2"},
		{"GET", "/v1/visitors/a%2Fb%20+%252F%20%C3%BC/recommendations?limit=1", "", "als", "a1"},
		{"GET", "/v1/visitors/nobody/recommendations?limit=3", "", "popular", "new a1 b1"},
		{"GET", "/v1/items/popular?limit=3", "", "popular", "new a1 b1"},
		{"GET", "/v1/items/trending?limit=4", "", "popular", "b2 a2 new a1"},
		{"GET", "/v1/items/trending?limit=2&offset=1&exclude=new", "", "popular", "a2 a1"},
		{"GET", "/v1/items/trending?category=b", "", "popular", "b2 b1"},
		{"GET", "/v1/items/popular?limit=2&event=view", "", "popular", "b2 a1"},
		{"GET", "/v1/items/b1/similar?limit=2", "", "similar", "new b2"},
		{"GET", "/v1/items/b1/similar?limit=1&by=visits", "", "similar", "new"},
		{"GET", "/v1/items/b1/similar?limit=1&by=factors", "", "similar", "b2"},
		{"GET", "/v1/items/popular/similar?limit=1", "", "similar", "a1"},
		{"GET", "/v1/items/q%2F%22%5C%3F/similar?limit=1", "", "similar", "a2"},
		{"GET", "/v1/items/new/similar?limit=1", "", "popular", "a1"},
		{"POST", "/v1/sessions/recommendations?limit=2", `{"items":["b1"]}`, "session", "b1 b2"},
		{"POST", "/v1/sessions/recommendations?limit=1&seen=exclude", `{"items":["b1"]}`, "session", "b2"},
		{"POST", "/v1/sessions/recommendations?limit=1&seen=exclude", `{"events":[{"itemid":"b1","event":"view","timestamp":1433221332117},{"itemid":"b2"}]}`, "session", "popular"},
		{"POST", "/v1/sessions/recommendations?limit=1", `{"items":[]}`, "popular", "new"},
		{"POST", "/v1/sessions/recommendations?limit=1", `{"items":[12345678901234567890]}`, "popular", "new"},
		{"GET", "/v1/items/new/similar?limit=1&by=factors", "", "popular", "a1"},
	} {
		t.Run(c.path+c.body, func(t *testing.T) {
			t.Parallel()
			a := p.do(t, c.method, c.path, c.body, "Content-Type", "application/json")
			list := a.items(t)
			if list.Strategy != c.strategy || list.ids() != c.items {
				t.Errorf("got %s %s, want %s %s", list.Strategy, list.ids(), c.strategy, c.items)
			}
			if list.ModelVersion != "v1" || a.header.Get("X-Model-Version") != "v1" {
				t.Errorf("model version %q in the body, %q in the header", list.ModelVersion, a.header.Get("X-Model-Version"))
			}
		})
	}
}

func TestManyVisitorsAreAnsweredAsOne(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	a := p.do(t, "POST", "/v1/visitors/recommendations?limit=3&exclude=a3", `{"visitorids":["nobody","anna","ben","anna"]}`, "Content-Type", "application/json")
	var many struct {
		ModelVersion string `json:"model_version"`
		Visitors     []struct {
			VisitorID string `json:"visitorid"`
			itemList
		}
	}
	if err := json.Unmarshal(a.body, &many); err != nil || a.status != 200 || many.ModelVersion != "v1" || len(many.Visitors) != 4 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	for i, id := range []string{"nobody", "anna", "ben", "anna"} {
		one := p.do(t, "GET", "/v1/visitors/"+id+"/recommendations?limit=3&exclude=a3", "").items(t)
		if got := many.Visitors[i]; got.VisitorID != id || got.Strategy != one.Strategy || !reflect.DeepEqual(got.Items, one.Items) {
			t.Errorf("%+v, but asked alone %s is answered %+v", got, id, one)
		}
	}
}

// An answer that is too long to be gathered whole is the same.
func TestAnswersInParts(t *testing.T) {
	t.Parallel()
	p := startWith(t, modeltest.Random("v1", 1, 40, 200, 4))
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprint("v", i%50) // ten of them strangers
	}
	body, err := json.Marshal(map[string][]string{"visitorids": ids})
	if err != nil {
		t.Fatal(err)
	}
	a := p.do(t, "POST", "/v1/visitors/recommendations?limit=100", string(body), "Content-Type", "application/json", "Accept-Encoding", "identity")
	var many struct{ Visitors []json.RawMessage }
	if err := json.Unmarshal(a.body, &many); err != nil || a.status != 200 || len(many.Visitors) != len(ids) || a.header.Get("X-Model-Version") != "v1" || len(a.body) < 1<<20 {
		t.Fatalf("status %d, %d bytes, %d lists, %v", a.status, len(a.body), len(many.Visitors), err)
	}
	for i, list := range many.Visitors[:50] {
		one := string(p.do(t, "GET", "/v1/visitors/"+ids[i]+"/recommendations?limit=100", "").body)
		if want := fmt.Sprintf(`{"visitorid":%q,%s`, ids[i], strings.TrimPrefix(strings.TrimSpace(one), `{"model_version":"v1",`)); string(list) != want || string(many.Visitors[i+950]) != want {
			t.Errorf("%s: %s, asked alone %s", ids[i], list, one)
		}
	}
}

// Scores are those that the same visitor's recommendations are ranked by, in the order asked.
func TestScores(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	for _, visitor := range []string{"anna", "77"} {
		list := p.do(t, "GET", "/v1/visitors/"+visitor+"/recommendations?seen=include", "").items(t)
		asked, want := []string{"nothing", "7"}, []*float64{nil, nil}
		for _, i := range []int{3, 0, 7, 1, 0} {
			asked, want = append(asked, list.Items[i].ItemID), append(want, &list.Items[i].Score)
		}
		body, err := json.Marshal(map[string]any{"visitorid": visitor, "itemids": asked})
		if err != nil {
			t.Fatal(err)
		}
		a := p.do(t, "POST", "/v1/scores", string(body), "Content-Type", "application/json")
		var got struct {
			ModelVersion string `json:"model_version"`
			Strategy     string `json:"strategy"`
			Scores       []struct {
				ItemID string   `json:"itemid"`
				Score  *float64 `json:"score"`
			} `json:"scores"`
		}
		if err := json.Unmarshal(a.body, &got); err != nil || a.status != 200 || got.ModelVersion != "v1" || got.Strategy != list.Strategy || len(got.Scores) != len(asked) {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
		for i, s := range got.Scores {
			if s.ItemID != asked[i] || (s.Score == nil) != (want[i] == nil) || s.Score != nil && *s.Score != *want[i] {
				t.Errorf("%s: place %d is %s, want %s as in %+v", visitor, i, a.body, asked[i], list)
			}
		}
	}
}

func TestExplanation(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	a := p.do(t, "POST", "/v1/sessions/recommendations?explain=true&limit=1&seen=exclude", `{"items":["b1"]}`, "Content-Type", "application/json")
	if a.status != 200 || !strings.Contains(string(a.body), `"because":[{"itemid":"b1","share":1}],"categories":["b"]`) {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}

// An answer is as long as was asked for while there are items left, with factors or without.
func TestAnswersAreNeverShort(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	for path, want := range map[string]int{"/v1/visitors/anna/recommendations": 7, "/v1/visitors/anna/recommendations?seen=include": 8,
		"/v1/visitors/nobody/recommendations": 8, "/v1/items/popular?event=view": 8, "/v1/items/a1/similar": 7, "/v1/visitors/ben/recommendations?exclude=a1&offset=2": 4} {
		if list := p.do(t, "GET", path, "").items(t); len(list.Items) != want {
			t.Errorf("%s: %d items, want %d: %v", path, len(list.Items), want, list.Items)
		}
	}
}

func TestNumbersInBodiesAreIds(t *testing.T) {
	t.Parallel()
	spec := shop("v1")
	spec.Items[3] = "461686"
	spec.Seen = nil
	spec.Popular["all"] = spec.Popular["all"][:2]
	p := startWith(t, spec)
	a := p.do(t, "POST", "/v1/sessions/recommendations?limit=1", `{"items":[461686]}`, "Content-Type", "application/json; charset=utf-8")
	if list := a.items(t); list.ids() != "461686" || list.Strategy != "session" {
		t.Errorf("got %s %s", list.Strategy, list.ids())
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	const visitor, session = "/v1/visitors/anna/recommendations", "/v1/sessions/recommendations"
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		method, path, body string
		status             int
		field, says        string
		header             []string
	}{
		{method: "GET", path: "/nothing", status: 404, says: "/openapi.yaml"},
		{method: "GET", path: "/v1/visitors/anna/recommendations/", status: 404, says: "nothing at this path"},
		{method: "GET", path: "/v1/visitors//recommendations", status: 400, field: "visitorid", says: "empty"},
		{method: "DELETE", path: visitor, status: 405, says: "GET"},
		{method: "GET", path: session, status: 405, says: "POST"},
		{method: "GET", path: visitor + "?limit=0", status: 400, field: "limit", says: `"0", not a whole number between 1 and 100`},
		{method: "GET", path: visitor + "?limit=101", status: 400, field: "limit", says: "between 1 and 100"},
		{method: "GET", path: visitor + "?limit=abc", status: 400, field: "limit", says: `"abc"`},
		{method: "GET", path: visitor + "?limit=", status: 400, field: "limit", says: `""`},
		{method: "GET", path: visitor + "?limit=1.5", status: 400, field: "limit", says: `"1.5"`},
		{method: "GET", path: visitor + "?limit=99999999999999999999", status: 400, field: "limit", says: "between"},
		{method: "GET", path: visitor + "?limit=1&limit=2", status: 400, field: "limit", says: "2 times"},
		{method: "GET", path: visitor + "?offset=-1", status: 400, field: "offset", says: "-1"},
		{method: "GET", path: visitor + "?offset=10001", status: 400, field: "offset", says: "10000"},
		{method: "GET", path: visitor + "?seen=maybe", status: 400, field: "seen", says: "maybe"},
		{method: "GET", path: visitor + "?exclude=a,,b", status: 400, field: "exclude", says: "empty"},
		{method: "GET", path: visitor + "?only=", status: 400, field: "only", says: "empty"},
		{method: "GET", path: visitor + "?only=" + long, status: 400, field: "only", says: "200 bytes"},
		{method: "GET", path: visitor + "?exclude=" + strings.Repeat("a,", 1000) + "a", status: 400, field: "exclude", says: "1001 items"},
		{method: "GET", path: visitor + "?category=", status: 400, field: "category", says: "empty"},
		{method: "GET", path: visitor + "?category=c", status: 404, field: "category", says: `version v1 does not know the category "c"`},
		{method: "POST", path: session + "?category=c", body: `{"items":[]}`, status: 404, field: "category", says: `"c"`},
		{method: "GET", path: visitor + "?limti=3", status: 400, field: "limti", says: "no parameter"},
		{method: "GET", path: visitor + "?exclude=%zz", status: 400, says: "query string"},
		{method: "GET", path: "/v1/visitors/" + long + "/recommendations", status: 400, field: "visitorid", says: "200 bytes"},
		{method: "GET", path: "/v1/visitors/%00/recommendations", status: 400, field: "visitorid", says: "control character"},
		{method: "GET", path: "/v1/visitors/%ff/recommendations", status: 400, field: "visitorid", says: "UTF-8"},
		{method: "GET", path: visitor + "?explain=1", status: 400, field: "explain", says: "true or false"},
		{method: "POST", path: "/v1/visitors/recommendations", body: `{"visitorids":[` + strings.Repeat(`1,`, 1000) + `1]}`, status: 400, field: "visitorids", says: "1001"},
		{method: "POST", path: "/v1/visitors/recommendations", body: `{"visitorids":["a",""]}`, status: 400, field: "visitorids[1]", says: "empty"},
		{method: "POST", path: "/v1/scores?limit=1", body: `{}`, status: 400, field: "limit", says: "no parameter"},
		{method: "POST", path: "/v1/scores", body: `{"itemids":["a"]}`, status: 400, field: "visitorid", says: "visitorid is empty"},
		{method: "POST", path: "/v1/scores", body: `{"visitorid":"a"}`, status: 400, field: "itemids", says: "0 entries"},
		{method: "GET", path: "/v1/models/v9", status: 404, field: "version", says: `"v9"`},
		{method: "GET", path: "/v1/models/..%2Fv1", status: 404, field: "version", says: `"../v1"`},
		{method: "POST", path: "/v1/models/v9/activate", status: 404, field: "version", says: `"v9"`},
		{method: "GET", path: "/v1/models/v1/activate", status: 405, says: "POST"},
		{method: "GET", path: "/v1/items/popular?event=click", status: 400, field: "event", says: "all, view"},
		{method: "GET", path: "/v1/items/popular?seen=include", status: 400, field: "seen", says: "no parameter"},
		{method: "GET", path: "/v1/items/nothing/similar", status: 404, field: "itemid", says: `"nothing"`},
		{method: "GET", path: "/v1/items/a1/similar?by=luck", status: 400, field: "by", says: "luck"},
		{method: "GET", path: "/v1/models?limit=3", status: 400, field: "limit", says: `no parameter "limit" here, but none at all`},
		{method: "GET", path: visitor + "?only=" + strings.Repeat("x", 17<<10), status: 414, says: "URL"},
		{method: "GET", path: visitor, status: 431, says: "headers", header: []string{"X-Large", strings.Repeat("x", 17<<10)}},
		{method: "POST", path: session + "?limit=0", body: `{"items":[]}`, status: 400, field: "limit", says: "between"},
		{method: "POST", path: session, body: `{"items":[]}`, status: 415, says: "application/json", header: []string{"Content-Type", "text/plain"}},
		{method: "POST", path: session, body: `{"items":[]}`, status: 415, says: "application/json", header: []string{"Content-Type", ""}},
		{method: "POST", path: session, body: `{"items":[]}`, status: 415, says: "gzip", header: []string{"Content-Type", "application/json", "Content-Encoding", "gzip"}},
		{method: "POST", path: session, body: strings.Repeat(" ", 2<<20), status: 413, says: "1048576 bytes"},
		{method: "POST", path: session, body: ``, status: 400, says: "empty"},
		{method: "POST", path: session, body: `{"items":["a`, status: 400, says: "breaks off"},
		{method: "POST", path: session, body: `nonsense`, status: 400, says: "invalid character"},
		{method: "POST", path: session, body: `[]`, status: 400, says: "array"},
		{method: "POST", path: session, body: `{}`, status: 400, field: "events", says: "either"},
		{method: "POST", path: session, body: `{"items":["a"],"events":[]}`, status: 400, field: "events", says: "either"},
		{method: "POST", path: session, body: `{"Items":["a"]}`, status: 400, field: "Items", says: "no member"},
		{method: "POST", path: session, body: `{"items":"a"}`, status: 400, field: "items", says: "string"},
		{method: "POST", path: session, body: `{"items":[1.5]}`, status: 400, field: "items[0]", says: "1.5"},
		{method: "POST", path: session, body: `{"items":[-1]}`, status: 400, field: "items[0]", says: "-1"},
		{method: "POST", path: session, body: `{"items":[{}]}`, status: 400, field: "items[0]", says: "whole number"},
		{method: "POST", path: session, body: `{"items":[null]}`, status: 400, field: "items[0]", says: "null"},
		{method: "POST", path: session, body: `{"items":["a",""]}`, status: 400, field: "items[1]", says: "empty"},
		{method: "POST", path: session, body: `{"items":["` + long + `"]}`, status: 400, field: "items[0]", says: "200 bytes"},
		{method: "POST", path: session, body: "{\"items\":[\"\xff\"]}", status: 400, says: "UTF-8"},
		{method: "POST", path: session, body: `{"items":[` + strings.Repeat(`1,`, 1000) + `1]}`, status: 400, field: "items", says: "1001"},
		{method: "POST", path: session, body: `{"items":["a"],"limit":3}`, status: 400, field: "limit", says: "limit"},
		{method: "POST", path: session, body: `{"items":["a"],"items":["b"]}`, status: 400, field: "items", says: "twice"},
		{method: "POST", path: session, body: `{"items":["a"]} {}`, status: 400, says: "after top-level value"},
		{method: "POST", path: session, body: strings.Repeat("[", 100_000), status: 400, says: "array"},
		{method: "POST", path: session, body: `{"events":[{"event":"view"}]}`, status: 400, field: "events[0].itemid", says: "empty"},
		{method: "POST", path: session, body: `{"events":[{"itemid":"a","event":"click"}]}`, status: 400, field: "events[0].event", says: "click"},
		{method: "POST", path: session, body: `{"events":[{"itemid":"a","timestamp":-5}]}`, status: 400, field: "events[0].timestamp", says: "-5"},
		{method: "POST", path: session, body: `{"events":[{"itemid":"a","timestamp":"now"}]}`, status: 400, field: "events[0].timestamp", says: "string"},
		{method: "POST", path: session, body: `{"events":[{"itemid":"a","itemid":"b"}]}`, status: 400, field: "events[0].itemid", says: "twice"},
	} {
		t.Run(fmt.Sprintf("%s %.80s %.60s", c.method, c.path, c.body), func(t *testing.T) {
			t.Parallel()
			header := c.header
			if header == nil && c.method == "POST" {
				header = []string{"Content-Type", "application/json"}
			}
			p.do(t, c.method, c.path, c.body, header...).problem(t, c.status, c.field, c.says)
		})
	}
	if p.log.count(`"level":"ERROR"`) > 0 {
		t.Errorf("a client's mistake was logged as an error:\n%s", p.log.text())
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	if got := p.do(t, "GET", "/healthz", "", "X-Request-ID", "abc-123").header.Get("X-Request-Id"); got != "abc-123" {
		t.Errorf("a client's own id came back as %q", got)
	}
	first := p.do(t, "GET", "/healthz", "", "X-Request-ID", "forged line=1").header.Get("X-Request-Id")
	second := p.do(t, "GET", "/healthz", "").header.Get("X-Request-Id")
	if first == "" || first == second || strings.Contains(first, "forged") {
		t.Errorf("ids made here are %q and %q", first, second)
	}
}

func TestMetricsCountRequestsByRoute(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	for _, visitor := range []string{"anna", "ben", "nobody"} {
		p.do(t, "GET", "/v1/visitors/"+visitor+"/recommendations", "")
	}
	p.do(t, "GET", "/v1/visitors/anna/recommendations?limit=0", "")
	p.do(t, "GET", "/made/up", "")
	const route = "/v1/visitors/:visitorid/recommendations"
	for name, want := range map[string]string{
		`cartwheel_http_requests_total{code="200",route="` + route + `"}`:      "3",
		`cartwheel_http_requests_total{code="400",route="` + route + `"}`:      "1",
		`cartwheel_http_requests_total{code="404",route="none"}`:               "1",
		`cartwheel_http_request_duration_seconds_count{route="` + route + `"}`: "4",
		`cartwheel_model_info{version="v1"}`:                                   "1",
		`cartwheel_model_loads_total`:                                          "1",
		`cartwheel_model_refused_total`:                                        "0",
		`cartwheel_model_items`:                                                "8",
	} {
		if got := p.metric(t, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		code int
		says string
	}{
		"help":           {args: []string{"--help"}, code: 0, says: "[API_ADDR]"},
		"unknown flag":   {args: []string{"--port", "1"}, code: 2, says: "port"},
		"argument":       {args: []string{"serve"}, code: 2, says: `"serve"`},
		"address":        {args: []string{"--addr", "8000", "--data-dir", ""}, code: 2, says: `--addr "8000"`},
		"port":           {args: []string{"--addr", "127.0.0.1:http"}, code: 2, says: "port"},
		"from variables": {env: map[string]string{"API_ADDR": "nonsense"}, code: 2, says: `"nonsense"`},
		"log level":      {args: []string{"--log-level", "loud"}, code: 2, says: "loud"},
		"open to all":    {args: []string{"--addr", "0.0.0.0:0"}, code: 2, says: "without API keys everybody who reaches"},
		"access log":     {args: []string{"--access-log-sample", "2"}, code: 2, says: "--access-log-sample 2"},
		"traces":         {args: []string{"--otlp-endpoint", "localhost:4318"}, code: 2, says: `--otlp-endpoint "localhost:4318"`},
		"half of TLS":    {args: []string{"--tls-key-file", "key.pem"}, code: 2, says: "belong together"},
		"no certificate": {args: []string{"--tls-key-file", "key.pem", "--tls-cert-file", "cert.pem"}, code: 2, says: "cert.pem: no such file"},
		"no such host":   {args: []string{"--addr", "192.0.2.1:25000"}, code: 1, says: "listening on 192.0.2.1:25000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			code := run(ctx, ctx, c.args, func(name string) string { return c.env[name] }, &out, &out)
			if code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("code %d, want %d; output %q does not say %q", code, c.code, out.String(), c.says)
			}
		})
	}
}

func TestThreadsAreAddedWhereNobodyHasSaidHowMany(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gomaxprocs          string
		threads, processors int
		want                bool
	}{
		"nobody":         {"", 8, 8, true},
		"GOMAXPROCS":     {"8", 8, 8, false},
		"a limit of two": {"", 2, 8, false},
	} {
		if got := mayAddThreads(c.gomaxprocs, c.threads, c.processors); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestTheProgramAddsThreads(t *testing.T) {
	t.Parallel()
	want := runtime.GOMAXPROCS(0)
	if mayAddThreads(os.Getenv("GOMAXPROCS"), want, runtime.NumCPU()) {
		want = runtime.NumCPU() + spareThreads
	}
	if got := startProcess(t, t.TempDir()).metric(t, "go_sched_gomaxprocs_threads"); got != fmt.Sprint(want) {
		t.Errorf("requests run in %s threads, want %d", got, want)
	}
}

func TestTakenAddressIsSaid(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var out bytes.Buffer
	ctx := context.Background()
	code := run(ctx, ctx, []string{"--addr", listener.Addr().String()}, func(string) string { return "" }, &out, &out)
	if code != 1 || !strings.Contains(out.String(), "address already in use") || !strings.Contains(out.String(), "--addr") {
		t.Errorf("code %d: %s", code, out.String())
	}
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	check := func(url string) (int, string) {
		var out bytes.Buffer
		ctx := context.Background()
		args := []string{"--healthcheck", "--addr", strings.TrimPrefix(url, "http://")}
		return run(ctx, ctx, args, func(string) string { return "" }, &out, &out), out.String()
	}
	p := start(t, t.TempDir())
	if code, out := check(p.url); code != 1 || !strings.Contains(out, "503") {
		t.Errorf("without a version: code %d: %s", code, out)
	}
	modeltest.Write(t, p.models, shop("v1"))
	modeltest.MakeChampion(t, p.models, "v1")
	p.ready(t, "v1")
	if code, out := check(p.url); code != 0 || out != "" {
		t.Errorf("with a version: code %d: %s", code, out)
	}
	p.stop()
	if code := <-p.code; code != 0 {
		t.Errorf("the program ended with %d", code)
	}
	if code, out := check(p.url); code != 1 || !strings.Contains(out, "refused") {
		t.Errorf("without a server: code %d: %s", code, out)
	}
}

func TestStartingWithoutAVersion(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, data)
	p.do(t, "GET", "/v1/visitors/anna/recommendations", "").problem(t, 503, "", "train one first")
	p.do(t, "POST", "/v1/sessions/recommendations", `{"items":[]}`).problem(t, 503, "", "train one first")
	if a := p.do(t, "GET", "/healthz", ""); a.status != 200 {
		t.Errorf("/healthz answered %d", a.status)
	}
	if a := p.do(t, "GET", "/v1/models", ""); a.status != 200 || strings.TrimSpace(string(a.body)) != `{"champion":null,"models":[]}` {
		t.Errorf("/v1/models answered %d: %s", a.status, a.body)
	}
	a := p.do(t, "GET", "/readyz", "")
	a.problem(t, 503, "", "") // loading or not trained, as the first look at the folder comes when it comes
	modeltest.Write(t, filepath.Join(data, "models"), shop("v1"))
	modeltest.MakeChampion(t, p.models, "v1")
	p.ready(t, "v1")
	if list := p.do(t, "GET", "/v1/visitors/anna/recommendations", "").items(t); list.ModelVersion != "v1" {
		t.Errorf("answered from %q", list.ModelVersion)
	}
}
