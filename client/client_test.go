package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"go.uber.org/goleak"

	"cartwheel/client"
	"cartwheel/internal/features"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/serve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serveShop runs the real server on a version of generated items and visitors until the test ends.
func serveShop(t testing.TB, keys string) (url string) {
	t.Helper()
	data := t.TempDir()
	spec := modeltest.Random("v1", 1, 30, 60, 4)
	spec.Features = features.VisitorNames()
	modeltest.Write(t, data+"/models", spec)
	modeltest.Write(t, data+"/models", modeltest.Random("v2", 2, 30, 60, 4))
	modeltest.MakeChampion(t, data+"/models", "v1")
	accepted, err := serve.ParseKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- serve.New(serve.Options{DataDir: data, Poll: time.Hour, Keys: accepted, Log: slog.New(slog.DiscardHandler)}).Run(context.Background(), stop, listener)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

// checked holds every request and answer against the contract.
type checked struct {
	t         *testing.T
	transport *http.Transport
	router    routers.Router
	mu        sync.Mutex
	used      map[string]bool
}

func (c *checked) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		body, _ = io.ReadAll(request.Body)
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	asked := request.Clone(request.Context())
	asked.Body = io.NopCloser(bytes.NewReader(body))
	asked.URL.Scheme, asked.URL.Host = "", "" // the contract's server is "/"
	route, params, err := c.router.FindRoute(asked)
	if err != nil {
		c.t.Errorf("%s %s is not in the contract: %v", request.Method, request.URL, err)
		return c.transport.RoundTrip(request)
	}
	input := &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
	if err := openapi3filter.ValidateRequest(request.Context(), input); err != nil {
		c.t.Errorf("%s %s is off the contract: %v", request.Method, request.URL, err)
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	output := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Body: io.NopCloser(bytes.NewReader(data)), Options: &openapi3filter.Options{IncludeResponseStatus: true}}
	if err := openapi3filter.ValidateResponse(request.Context(), output); err != nil {
		c.t.Errorf("%s %s: the answer is off the contract: %v\n%s", request.Method, request.URL, err, data)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used[request.Method+" "+route.Path] = true
	for name := range request.URL.Query() {
		c.used[request.Method+" "+route.Path+"?"+name] = true
	}
	return response, nil
}

// Every call of the contract is made against the real server, but for those that only people and Prometheus make.
func TestEveryCallOfTheContract(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile("../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	document, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	check := &checked{t: t, transport: &http.Transport{}, router: router, used: map[string]bool{}}
	defer check.transport.CloseIdleConnections()
	const key = "the-admin-of-the-shop"
	c, err := client.New(serveShop(t, "admin:"+key) + "/")
	if err != nil {
		t.Fatal(err)
	}
	c.HTTP, c.Key = &http.Client{Transport: check}, key
	ctx := t.Context()
	must := func(what string, ok bool, err error) {
		t.Helper()
		if err != nil || !ok {
			t.Errorf("%s: as expected: %v, error: %v", what, ok, err)
		}
	}
	for ready := false; !ready; { // the first version is loaded beside the first requests
		_, err := c.Ready(ctx)
		var sent *client.Error
		if ready = err == nil; err != nil && (!errors.As(err, &sent) || sent.Status != 503) {
			t.Fatal(err)
		}
	}
	health, err := c.Alive(ctx)
	must("alive", health.Status == "alive", err)
	list, err := c.Visitor(ctx, "v1", client.Options{Limit: 3, Offset: 1, Seen: "include", Exclude: []string{"i5", "i6"}, Category: "c0", Explain: true})
	must("visitor", len(list.Items) == 3 && list.ModelVersion == "v1" && list.Strategy == "als", err)
	list, err = c.Visitor(ctx, "a/b +%2F ü?", client.Options{Only: []string{"i1", "i2"}})
	must("strange visitor", len(list.Items) == 2 && list.Strategy == "popular", err)
	lists, err := c.Visitors(ctx, []string{"v2", "nobody"}, client.Options{Limit: 2})
	must("visitors", len(lists.Visitors) == 2 && lists.Visitors[1].VisitorID == "nobody" && len(lists.Visitors[1].Items) == 2, err)
	list, err = c.Session(ctx, []client.Event{{ItemID: "i1"}, {ItemID: "i2", Event: "addtocart", Timestamp: 1433221332117}}, client.Options{})
	must("session", len(list.Items) == 10 && list.Strategy == "session", err)
	list, err = c.Session(ctx, nil, client.Options{})
	must("empty session", list.Strategy == "popular", err)
	list, err = c.Similar(ctx, "i1", "factors", client.Options{Limit: 100})
	must("similar", len(list.Items) == 59, err)
	list, err = c.Popular(ctx, "view", client.Options{})
	must("popular", len(list.Items) == 10, err)
	scores, err := c.Scores(ctx, "v1", []string{"i1", "nothing"})
	must("scores", len(scores.Scores) == 2 && scores.Scores[0].Score != nil && scores.Scores[1].Score == nil, err)
	profile, err := c.Profile(ctx, "v1")
	must("profile", profile.VisitorID == "v1" && profile.Views > 0 && len(profile.RecentItems) > 0 && profile.Segment != nil && profile.Purchase.WithinDays == modeltest.LabelDays, err)
	purchase, err := c.Purchase(ctx, "v1")
	must("purchase", purchase == *profile.Purchase, err)
	purchase, err = c.Purchase(ctx, "nobody")
	must("a stranger's purchase", !purchase.Active && purchase.Probability == modeltest.InactiveRate, err)
	deeds := client.Deeds{Events: []client.Event{{ItemID: "i1", Timestamp: 1433221332117}, {ItemID: "i1", Event: "addtocart", Timestamp: 1433221332118}}, At: 1433221400000}
	purchase, err = c.PurchaseOf(ctx, deeds)
	must("purchase by events", purchase.Active && purchase.AsOf == deeds.At, err)
	both, err := c.PurchaseOf(ctx, client.Deeds{Events: deeds.Events, Features: map[string]int64{"views": 9}, At: deeds.At})
	must("events count before features", both == purchase, err)
	segment, err := c.Segment(ctx, "v1")
	must("segment", *segment.Segment == *profile.Segment, err)
	segment, err = c.Segment(ctx, "nobody")
	must("a stranger's segment", segment.ModelVersion == "v1" && segment.Segment == nil, err)
	of, err := c.PurchaseOf(ctx, client.Deeds{At: deeds.At, Features: map[string]int64{"first_seen": 1433221332117, "last_seen": 1433221332118, "views": 1, "addtocarts": 1, "items": 1,
		"viewed_items": 1, "addtocart_items": 1, "viewed_addtocart_items": 1, "sessions": 1, "recent_events": 2, "recent_addtocarts": 1}})
	must("purchase by features", of == purchase, err)
	segment, err = c.SegmentOf(ctx, deeds)
	must("segment by events", segment.Segment != nil, err)
	segment, err = c.SegmentOf(ctx, client.Deeds{})
	must("segment of nothing", segment.Segment == nil, err)
	segments, err := c.Segments(ctx)
	must("segments", len(segments.Segments) == 2 && segments.Visitors == 30 && segments.Segments[1].Name != "" && len(segments.Segments[1].Means) == len(segments.Means), err)
	var impossible *client.Error
	_, err = c.SegmentOf(ctx, client.Deeds{Features: map[string]int64{"views": 1, "viewed_items": 2}})
	must("what cannot be", errors.As(err, &impossible) && impossible.Status == 422 && impossible.Field == "features.viewed_items", nil)
	previous, err := c.Activate(ctx, "v2")
	must("activate", previous == "v1", err)
	models, err := c.Models(ctx)
	must("models", len(models.Models) == 2 && models.Champion != nil && *models.Champion == "v2" && models.Models[1].Decision.Promoted, err)
	manifest, err := c.Model(ctx, "v1")
	must("model", bytes.Contains(manifest, []byte(`"files"`)), err)
	status, err := c.Status(ctx)
	must("status", bytes.Contains(status, []byte(`"version":"v2"`)), err)

	// The server of this test has no Kafka, and says so.
	var sent *client.Error
	c.Retries = 0
	_, err = c.Events(ctx, []client.ShopEvent{{VisitorID: "v1", Event: "view", ItemID: "i1"}, {VisitorID: "v1", Event: "transaction", ItemID: "i1", TransactionID: "t", Timestamp: 1433221332117}})
	must("events", errors.As(err, &sent) && sent.Status == 503, nil)
	trending, err := c.Trending(ctx, client.Options{Limit: 5})
	must("trending", len(trending.Items) == 5 && trending.Items[0].Score == 2, err)
	_, err = c.PopularNow(ctx, "1h", "view", client.Options{})
	must("popular now", errors.As(err, &sent) && sent.Status == 503, nil)
	err = c.Erase(ctx, "v1")
	must("erase", errors.As(err, &sent) && sent.Status == 503, nil)

	narrow := client.Options{Limit: 50, Offset: 1, Exclude: []string{"i2"}, Only: []string{"i1", "i2", "i3", "i4"}, Category: "c0"}
	ofVisitors := narrow
	ofVisitors.Seen, ofVisitors.Explain = "include", true
	for name, ask := range map[string]func() (client.List, error){
		"similar, narrowed":  func() (client.List, error) { return c.Similar(ctx, "i1", "", narrow) },
		"popular, narrowed":  func() (client.List, error) { return c.Popular(ctx, "", narrow) },
		"trending, narrowed": func() (client.List, error) { return c.Trending(ctx, narrow) },
		"session, narrowed":  func() (client.List, error) { return c.Session(ctx, []client.Event{{ItemID: "i1"}}, ofVisitors) },
		"visitors, narrowed": func() (client.List, error) {
			lists, err := c.Visitors(ctx, []string{"v1"}, ofVisitors)
			if err != nil {
				return client.List{}, err
			}
			return client.List{Items: lists.Visitors[0].Items}, nil
		},
	} {
		list, err := ask()
		must(name, len(list.Items) < 3, err) // of the four, one is excluded and one passed over
	}

	_, err = c.Similar(ctx, "nothing", "", client.Options{})
	if !errors.As(err, &sent) || sent.Status != 404 || sent.Field != "itemid" || sent.RequestID == "" || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("an unknown item: %#v", err)
	}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			switch path {
			case "/metrics", "/openapi.yaml", "/docs", "/", "/dashboard/{file}", "/v1/status/stream": // for people and their browsers
			default:
				if !check.used[method+" "+path] {
					t.Errorf("the client has no call for %s %s: give it one in calls.go, and ask it here", method, path)
				}
				for _, parameter := range operation.Parameters {
					if name := parameter.Value.Name; parameter.Value.In == "query" && !check.used[method+" "+path+"?"+name] {
						t.Errorf("%s %s is never asked with %s: give the client a way, and use it here", method, path, name)
					}
				}
			}
		}
	}
}

// What the server could not do for the moment is asked again, whole, and not before the server wants it.
func TestRetries(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var last time.Time
	answers := []int{503, 429, 200}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), `"i1"`) {
			t.Errorf("the body is %s", body)
		}
		i := asked.Add(1) - 1
		if i == 2 && time.Since(last) < time.Second {
			t.Errorf("asked again after %v, before the second was over", time.Since(last))
		}
		last = time.Now()
		status := answers[i]
		w.Header().Set("Content-Type", "application/problem+json")
		if status == 429 {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"model_version":"v1","detail":"later"}`)
	}))
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.HTTP = server.Client()
	list, err := c.Session(t.Context(), []client.Event{{ItemID: "i1"}}, client.Options{})
	if err != nil || list.ModelVersion != "v1" || asked.Load() != 3 {
		t.Errorf("asked %d times: %+v, %v", asked.Load(), list, err)
	}
}

// A date says as well as a number of seconds when to come again.
func TestRetryAfterADate(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.HTTP = server.Client()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.Popular(ctx, "", client.Options{}); err == nil || asked.Load() != 1 || ctx.Err() != nil {
		t.Errorf("asked %d times though the server wants an hour: %v", asked.Load(), err)
	}
}

func TestWhatIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	status, after := 400, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", after)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html>a proxy's page</html>")
	}))
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.HTTP = server.Client()
	soon, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	over, end := context.WithCancel(t.Context())
	end()
	for _, test := range []struct {
		name    string
		ctx     context.Context
		status  int
		after   string
		retries int
		asked   int32
		says    string
	}{
		{"a mistake", t.Context(), 400, "", 3, 1, "400 Bad Request: <html>"},
		{"more time than there is", soon, 503, "3600", 3, 1, "503"},
		{"no tries left", t.Context(), 503, "", 1, 2, "503"},
		{"the context is over", over, 503, "", 3, 0, "context canceled"},
	} {
		asked.Store(0)
		status, after, c.Retries = test.status, test.after, test.retries
		_, err := c.Popular(test.ctx, "", client.Options{})
		if err == nil || !strings.Contains(err.Error(), test.says) || asked.Load() != test.asked {
			t.Errorf("%s: asked %d times, want %d: %v", test.name, asked.Load(), test.asked, err)
		}
	}
	server.Close()
	c.Retries = 1
	if _, err := c.Popular(t.Context(), "", client.Options{}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("with nobody there: %v", err)
	}
	for _, base := range []string{"", "localhost:8000", "ftp://x", "http://", "http://x?y=1"} {
		if _, err := client.New(base); err == nil {
			t.Errorf("%q was taken for a URL", base)
		}
	}
}
