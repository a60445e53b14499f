package main

import (
	"bytes"
	"context"
	"html"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"cartwheel/internal/model/modeltest"
)

// contractChecker holds requests and answers against openapi.yaml.
type contractChecker struct {
	document *openapi3.T
	router   routers.Router
	used     map[string]bool // "GET /path 200"
}

func newContractChecker(t *testing.T) *contractChecker {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		t.Fatalf("openapi.yaml cannot be read: %v", err)
	}
	if err := document.Validate(context.Background()); err != nil {
		t.Fatalf("openapi.yaml is not valid: %v", err)
	}
	router, err := legacy.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"text/plain", "text/html", "text/css", "text/javascript", "image/svg+xml"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.FileBodyDecoder)
	}
	return &contractChecker{document: document, router: router, used: map[string]bool{}}
}

// check sends a request and holds what comes back against the contract; with sound, the request too.
func (c *contractChecker) check(t *testing.T, p *program, sound bool, method, path, body string) {
	t.Helper()
	ctx := context.Background()
	request, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	asked := request.Clone(ctx)
	asked.Body = io.NopCloser(strings.NewReader(body))
	asked.URL.Scheme, asked.URL.Host = "", "" // the contract's server is "/"
	route, params, err := c.router.FindRoute(asked)
	if err != nil {
		t.Fatalf("%s %s is not in the contract: %v", method, path, err)
	}
	input := &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
	if err := openapi3filter.ValidateRequest(ctx, input); (err == nil) != sound {
		t.Errorf("%s %s: the contract says %v of a request that should be sound: %v", method, path, err, sound)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if (response.StatusCode < 400) != sound && response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s %s: status %d: %s", method, path, response.StatusCode, data)
	}
	output := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Body: io.NopCloser(bytes.NewReader(data)), Options: &openapi3filter.Options{IncludeResponseStatus: true}}
	if err := openapi3filter.ValidateResponse(ctx, output); err != nil {
		t.Errorf("%s %s: the answer is off the contract: %v\n%s", method, path, err, data)
	}
	c.used[method+" "+route.Path] = true
}

func TestContract(t *testing.T) {
	t.Parallel()
	c := newContractChecker(t)
	p := startWith(t, shop("v1"))
	modeltest.Write(t, p.models, shop("v0"))
	writeFile(t, modeltest.Write(t, p.models, shop("broken"))+"/manifest.json", "{}")
	empty := start(t, t.TempDir())

	const visitor, session = "/v1/visitors/anna/recommendations", "/v1/sessions/recommendations"
	for _, path := range []string{visitor, visitor + "?limit=100&offset=10000&seen=include&exclude=a1,b1&only=a1,a2", "/v1/visitors/nobody/recommendations",
		"/v1/items/popular", "/v1/items/popular?event=view&limit=3&only=a1", "/v1/items/a1/similar", "/v1/items/a1/similar?by=factors&offset=2", "/v1/items/b1/similar?by=visits", "/v1/items/nothing/similar",
		visitor + "?explain=true", visitor + "?category=b", "/v1/items/popular?category=nowhere", "/v1/visitors/nobody/recommendations?explain=true", "/v1/models", "/v1/models/v1", "/v1/models/nothing", "/healthz", "/readyz", "/metrics", "/openapi.yaml", "/docs"} {
		c.check(t, p, true, "GET", path, "")
	}
	for _, body := range []string{`{"items":["a1",7]}`, `{"items":[]}`, `{"events":[{"itemid":"a1"},{"itemid":9,"event":"transaction","timestamp":1433221332117}]}`} {
		c.check(t, p, true, "POST", session+"?seen=exclude&limit=5", body)
	}
	checkVisitorsContract(t, c, p, empty)
	const many, scores = "/v1/visitors/recommendations", "/v1/scores"
	c.check(t, p, true, "POST", many+"?explain=true&limit=2", `{"visitorids":["anna",7,"nobody","anna"]}`)
	c.check(t, p, true, "POST", scores, `{"visitorid":"anna","itemids":["a1","nothing",9]}`)
	c.check(t, p, true, "POST", session+"?explain=true", `{"items":["a1","b1"]}`)
	for _, version := range []string{"v0", "v1", "nothing"} {
		c.check(t, p, true, "POST", "/v1/models/"+version+"/activate", "")
	}
	for _, body := range []string{`{}`, `{"visitorids":[]}`, `{"visitorids":[""]}`, `{"visitorids":"anna"}`} {
		c.check(t, p, false, "POST", many, body)
	}
	for _, body := range []string{`{}`, `{"visitorid":"anna"}`, `{"visitorid":"anna","itemids":[]}`, `{"itemids":["a1"]}`, `{"visitorid":"","itemids":["a1"]}`} {
		c.check(t, p, false, "POST", scores, body)
	}
	c.check(t, p, false, "GET", visitor+"?explain=yes", "")
	for _, path := range []string{visitor + "?limit=0", visitor + "?limit=abc", visitor + "?seen=no", visitor + "?offset=-1", "/v1/items/popular?event=click",
		"/v1/items/a1/similar?by=luck", "/v1/visitors/" + strings.Repeat("x", 129) + "/recommendations"} {
		c.check(t, p, false, "GET", path, "")
	}
	for _, body := range []string{`{}`, `[]`, `{"items":["a"],"events":[]}`, `{"items":[1.5]}`, `{"items":[""]}`, `{"events":[{"event":"view"}]}`,
		`{"events":[{"itemid":"a","event":"click"}]}`, `{"events":[{"itemid":"a","timestamp":0}]}`, `{"items":["a"],"x":1}`, `{"items":["a"],"events":null}`} {
		c.check(t, p, false, "POST", session, body)
	}
	c.check(t, empty, true, "POST", many, `{"visitorids":["anna"]}`)
	c.check(t, empty, true, "POST", scores, `{"visitorid":"anna","itemids":["a1"]}`)
	for _, path := range []string{visitor, "/v1/items/popular", "/v1/items/a1/similar", "/v1/models", "/healthz", "/readyz"} {
		c.check(t, empty, true, "GET", path, "")
	}
	checkLiveContract(t, c, p)
	checkDashboardContract(t, c, p, empty)
	for path, item := range c.document.Paths.Map() {
		for method := range item.Operations() {
			if !c.used[method+" "+path] {
				t.Errorf("%s %s is in the contract but was never asked", method, path)
			}
		}
	}
}

// What may befall any request is told of each: keys, rates and bounds, pages of other sites, and bodies where there are any.
func TestContractTellsWhatMayBefallAnyRequest(t *testing.T) {
	t.Parallel()
	for path, item := range newContractChecker(t).document.Paths.Map() {
		for method, operation := range item.Operations() {
			statuses := []string{"400", "401", "414", "429", "431", "500"}
			if method != http.MethodGet {
				statuses = append(statuses, "403")
			}
			if operation.RequestBody != nil {
				statuses = append(statuses, "408", "413", "415")
			}
			for _, status := range statuses {
				if operation.Responses.Value(status) == nil && operation.Responses.Value("default") == nil {
					t.Errorf("%s %s does not tell of %s", method, path, status)
				}
			}
		}
	}
}

// The page for people names every operation, parameter and property, and loads nothing from anywhere.
func TestDocsTellTheContract(t *testing.T) {
	t.Parallel()
	c := newContractChecker(t)
	a := start(t, t.TempDir()).do(t, "GET", "/docs", "")
	page := html.UnescapeString(string(a.body))
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("status %d, %v: %.200s", a.status, a.header, a.body)
	}
	expect := func(part string) {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not say %q", part)
		}
	}
	for path, item := range c.document.Paths.Map() {
		for method, operation := range item.Operations() {
			expect("<b>" + method + "</b> " + path + "</h3>")
			expect(operation.Summary)
		}
	}
	for name, parameter := range c.document.Components.Parameters {
		expect("<code>" + parameter.Value.Name + "</code>")
		if name != "visitorid" && name != "itemid" && name != "version" {
			expect(parameter.Value.Description)
		}
	}
	for _, word := range []string{"model_version", "because", "request_id", "application/problem+json"} {
		expect(word)
	}
	for _, word := range []string{"http://", "<script", " src=", "@import"} {
		if strings.Contains(page, word) {
			t.Errorf("the page holds %q", word)
		}
	}
}

func TestContractIsServedAsItIs(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	if a := p.do(t, "GET", "/openapi.yaml", ""); a.status != 200 || !bytes.Equal(a.body, contract) {
		t.Errorf("status %d, %d bytes", a.status, len(a.body))
	}
}
