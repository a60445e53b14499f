package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
	"cartwheel/internal/live"
	"cartwheel/internal/model/modeltest"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// startLive runs the program on a version and a broker, and waits until it has read the topic.
func startLive(t *testing.T, data, broker string, args ...string) *program {
	t.Helper()
	p := start(t, data, append([]string{"--bootstrap-servers", broker, "--topic", "events"}, args...)...)
	p.waitFor(t, "cartwheel_live_writable", "1")
	p.log.wait(t, "live history read")
	return p
}

// waitFor waits until a figure has a value.
func (p *program) waitFor(t *testing.T, name, value string) {
	t.Helper()
	p.await(t, name+" "+value, func() bool { return p.metric(t, name) == value })
}

// await waits until something holds.
func (p *program) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s\n%s", what, p.log.text())
		}
	}
}

func liveShop(t *testing.T) (data string) {
	t.Helper()
	data = t.TempDir()
	modeltest.Write(t, data+"/models", shop("v1"))
	modeltest.MakeChampion(t, data+"/models", "v1")
	return data
}

func broker(t *testing.T) (*kfake.Cluster, string) {
	return kafkatest.Start(t, kfake.SeedTopics(3, "events"))
}

const posted = "/v1/events"

func (p *program) post(t *testing.T, body string) answer {
	t.Helper()
	kind := "application/json"
	if strings.Contains(body, "\n") {
		kind = "application/x-ndjson"
	}
	return p.do(t, "POST", posted, body, "Content-Type", kind)
}

func view(visitor, item string) string {
	return fmt.Sprintf(`{"visitorid":%q,"event":"view","itemid":%q}`, visitor, item)
}

// checkLiveContract asks the paths that need a broker, with one and without.
func checkLiveContract(t *testing.T, c *contractChecker, without *program) {
	t.Helper()
	_, addr := broker(t)
	with := startLive(t, liveShop(t), addr)
	for _, p := range []*program{without, with} {
		for _, path := range []string{"/v1/items/trending?limit=3&category=b", "/v1/items/popular?window=1h", "/v1/items/popular?window=7d&event=addtocart&only=a1"} {
			c.check(t, p, true, "GET", path, "")
		}
		for _, body := range []string{view("anna", "b1"), "[" + view("anna", "b1") + "," + `{"visitorid":7,"event":"transaction","itemid":9,"transactionid":3,"eventid":"x","timestamp":1433221332117}` + "]"} {
			c.check(t, p, true, "POST", posted, body)
		}
		c.check(t, p, true, "DELETE", "/v1/visitors/nobody", "")
	}
	for _, body := range []string{`{}`, `[]`, `{"visitorid":"a","event":"click","itemid":"b"}`, `{"visitorid":"","event":"view","itemid":"b"}`, `{"visitorid":"a","event":"view","itemid":"b","x":1}`,
		`[{"visitorid":"a","event":"view","itemid":"b","timestamp":0}]`, `[{"visitorid":"a","event":"view","itemid":"b","eventid":null}]`} {
		c.check(t, with, false, "POST", posted, body)
	}
	c.check(t, with, false, "GET", "/v1/items/popular?window=2h", "")
}

// What trends is told by the version where the topic says nothing of it, or there is none.
func TestTrending(t *testing.T) {
	t.Parallel()
	_, addr := broker(t)
	const path = "/v1/items/trending?limit=2"
	p := startLive(t, liveShop(t), addr)
	if got := p.do(t, "GET", path, "").items(t); got.ids() != "b2 a2" || got.Items[0].Score != 3 {
		t.Errorf("with nothing in the topic %v", got)
	}
	p.post(t, view("anna", "b1"))
	p.await(t, "a view of b1 as a trend", func() bool { return p.do(t, "GET", path, "").items(t).ids() == "b1 new" })

	old := shop("v1")
	old.Trending = nil
	startWith(t, old).do(t, "GET", path, "").problem(t, 503, "", "no broker")
	data := t.TempDir()
	modeltest.Write(t, data+"/models", old)
	modeltest.MakeChampion(t, data+"/models", "v1")
	_, quiet := broker(t)
	if got := startLive(t, data, quiet).do(t, "GET", path, "").items(t); got.ids() != "new a1" {
		t.Errorf("where neither tells %v", got)
	}
}

// What is posted to one server changes what another answers: for a visitor whom nobody knew, from the first click.
func TestAPostChangesTheAnswersOfAnotherServer(t *testing.T) {
	t.Parallel()
	_, addr := broker(t)
	data := liveShop(t)
	one, two := startLive(t, data, addr), startLive(t, data, addr)
	const path = "/v1/visitors/stranger/recommendations?limit=3&seen=include"
	if before := two.do(t, "GET", path, "").items(t); before.Strategy != "popular" {
		t.Fatalf("a stranger gets %s", before.Strategy)
	}
	before := two.do(t, "GET", "/v1/visitors/anna/recommendations?seen=include", "").items(t)
	a := one.post(t, view("stranger", "b1")+"\n"+view("anna", "b1")+"\n")
	var ids struct{ EventIDs []string }
	if err := json.Unmarshal(a.body, &ids); a.status != 202 || err != nil || len(ids.EventIDs) != 2 || len(ids.EventIDs[0]) != 24 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	two.await(t, "the stranger's session", func() bool { return two.do(t, "GET", path, "").items(t).Strategy == "session" })
	two.waitFor(t, "cartwheel_live_events_total", "2")
	after := two.do(t, "GET", "/v1/visitors/anna/recommendations?seen=include", "").items(t)
	if before.ids() == after.ids() {
		t.Errorf("anna's answer is still %s", after.ids())
	}
	if excluded := two.do(t, "GET", "/v1/visitors/anna/recommendations", "").items(t).ids(); strings.Contains(excluded, "b1") {
		t.Errorf("what anna has just seen is shown: %s", excluded)
	}
	many := two.do(t, "POST", "/v1/visitors/recommendations?seen=include", `{"visitorids":["anna"]}`, "Content-Type", "application/json")
	if !strings.Contains(string(many.body), fmt.Sprintf(`"itemid":%q,"score":%v`, after.Items[0].ItemID, after.Items[0].Score)) {
		t.Errorf("one by one anna gets %v, with others %s", after, many.body)
	}
	scores := two.do(t, "POST", "/v1/scores", fmt.Sprintf(`{"visitorid":"anna","itemids":[%q]}`, after.Items[0].ItemID), "Content-Type", "application/json")
	if !strings.Contains(string(scores.body), fmt.Sprintf(`"score":%v`, after.Items[0].Score)) {
		t.Errorf("the list says %v, the scores %s", after.Items[0], scores.body)
	}
	if popular := two.do(t, "GET", "/v1/items/popular?window=1h&limit=1", "").items(t); popular.ids() != "b1" || popular.Items[0].Score < 1.9 {
		t.Errorf("popular in the last hour is %v", popular)
	}

	// The same event again changes nothing.
	same := fmt.Sprintf(`{"visitorid":"anna","event":"view","itemid":"b1","eventid":%q,"timestamp":%d}`, ids.EventIDs[1], time.Now().UnixMilli())
	one.post(t, same)
	two.waitFor(t, "cartwheel_live_passed_over_total", "1")
	if again := two.do(t, "GET", "/v1/visitors/anna/recommendations?seen=include", "").items(t); fmt.Sprint(again) != fmt.Sprint(after) {
		t.Errorf("after the repeat %v, before %v", again, after)
	}

	// A server that is started anew reads what there was.
	three := startLive(t, data, addr)
	if again := three.do(t, "GET", "/v1/visitors/anna/recommendations?seen=include", "").items(t); fmt.Sprint(again) != fmt.Sprint(after) {
		t.Errorf("after a restart %v, before %v", again, after)
	}

	// A version with other items, in the middle of it.
	other := shop("v2")
	other.Visitors, other.VisitorFactors, other.Seen = []string{"ben"}, [][]float32{{0, 1}}, nil
	other.Items[0], other.Items[3] = "b1", "a1"
	other.Popular = map[string][]modeltest.Scored{"all": {{Item: "new", Score: 9}}}
	other.Near, other.Categories, other.Parents = nil, nil, nil
	modeltest.Write(t, two.models, other)
	modeltest.MakeChampion(t, two.models, "v2")
	two.ready(t, "v2")
	if swapped := two.do(t, "GET", "/v1/visitors/anna/recommendations", "").items(t); swapped.Strategy != "session" || strings.Contains(swapped.ids(), "b1") {
		t.Errorf("by a version that does not know anna: %v", swapped)
	}
}

// Events of one request that bear no time of their own happened in the order in which they stand there.
func TestEventsOfARequestStayInOrder(t *testing.T) {
	t.Parallel()
	_, addr := broker(t)
	data := liveShop(t)
	one, two := startLive(t, data, addr), startLive(t, data, addr)
	one.post(t, view("stranger", "b1")+"\n"+view("stranger", "a2")+"\n"+view("stranger", "b2")+"\n"+view("stranger", "a1")+"\n"+view("stranger", "a3"))
	for _, p := range []*program{one, two} {
		p.waitFor(t, "cartwheel_live_events_total", "5")
		if a := p.do(t, "GET", "/v1/visitors/stranger", ""); !strings.Contains(string(a.body), `"recent_items":["a3","a1","b2","a2","b1"]`) {
			t.Errorf("status %d: %s", a.status, a.body)
		}
	}
}

// An erased visitor is unknown at once, on every server, and stays so.
func TestErasure(t *testing.T) {
	t.Parallel()
	_, addr := broker(t)
	data := liveShop(t)
	one, two := startLive(t, data, addr), startLive(t, data, addr)
	one.post(t, view("anna", "b1"))
	two.waitFor(t, "cartwheel_live_events_total", "1")
	if a := one.do(t, "DELETE", "/v1/visitors/anna", ""); a.status != 204 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	const path = "/v1/visitors/anna/recommendations"
	if got := one.do(t, "GET", path, "").items(t).Strategy; got != "popular" {
		t.Errorf("where she was erased anna gets %s", got)
	}
	two.waitFor(t, "cartwheel_live_erased_visitors", "1")
	one.post(t, view("anna", "b2"))
	two.waitFor(t, "cartwheel_live_passed_over_total", "1")
	three := startLive(t, data, addr)
	three.waitFor(t, "cartwheel_live_erased_visitors", "1")
	for _, p := range []*program{two, three} {
		scores := p.do(t, "POST", "/v1/scores", `{"visitorid":"anna","itemids":["a1"]}`, "Content-Type", "application/json")
		if got := p.do(t, "GET", path, "").items(t).Strategy; got != "popular" || !strings.Contains(string(scores.body), `"popular"`) || p.metric(t, "cartwheel_live_visitors") != "0" {
			t.Errorf("elsewhere anna gets %s, %s", got, scores.body)
		}
	}
}

// A topic of erasures that somebody else has made is read whole, and told if Kafka would delete from it.
func TestErasuresTopicOfSomebodyElse(t *testing.T) {
	t.Parallel()
	cluster, addr := kafkatest.Start(t, kfake.SeedTopics(3, "events"), kfake.SeedTopics(4, live.ErasuresTopic))
	cluster.ControlKey(int16(kmsg.CreateTopics), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		t.Error("a topic is made that is there, which may not be allowed")
		return nil, nil, false
	})
	producer, err := kafkatest.Open(t, addr).NewProducer(t.Context(), live.ErasuresTopic, 4)
	if err != nil {
		t.Fatal(err)
	}
	for partition := range 4 {
		var b kafka.Batch
		b.Append(1, fmt.Append(nil, "visitor-", partition), []byte("{}"))
		if err := errors.Join(b.Seal(0), producer.Send(t.Context(), partition, &b)); err != nil {
			t.Fatal(err)
		}
	}
	p := startLive(t, liveShop(t), addr)
	p.waitFor(t, "cartwheel_live_erased_visitors", "4")
	p.await(t, "how to mend it", func() bool {
		return p.log.count(`"cleanup.policy":"delete"`) == 1 && p.log.count("--entity-name "+live.ErasuresTopic+" --add-config cleanup.policy=compact") == 1
	})
	if a := p.do(t, "DELETE", "/v1/visitors/anna", ""); a.status != 204 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	_, own := broker(t)
	other := startLive(t, liveShop(t), own)
	other.do(t, "DELETE", "/v1/visitors/anna", "")
	other.waitFor(t, "cartwheel_live_erased_visitors", "1")
	if told := other.log.count("not compacted"); told > 0 {
		t.Errorf("of a topic that the API made itself: %s", other.log.text())
	}
}

// A server that does not know yet who was erased is not ready, for it would answer for them.
func TestNotReadyBeforeErasuresAreKnown(t *testing.T) {
	t.Parallel()
	cluster, addr := broker(t)
	data := liveShop(t)
	if a := startLive(t, data, addr).do(t, "DELETE", "/v1/visitors/anna", ""); a.status != 204 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	var readable atomic.Bool
	cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		for _, topic := range r.(*kmsg.ListOffsetsRequest).Topics {
			if topic.Topic == live.ErasuresTopic && !readable.Load() {
				return nil, errors.New("not now"), true
			}
		}
		return nil, nil, false
	})
	p := start(t, data, "--bootstrap-servers", addr, "--topic", "events")
	p.ready(t, "v1")
	p.waitFor(t, "cartwheel_live_writable", "1")
	p.do(t, "GET", "/readyz", "").problem(t, 503, "", "topic of erasures")
	p.post(t, view("ben", "b1"))
	p.waitFor(t, "cartwheel_live_events_total", "1")
	const trending = "/v1/items/trending?limit=1"
	if got := p.do(t, "GET", trending, "").items(t).ids(); got != "b2" {
		t.Errorf("before all is read %s is trending, which is not the version's", got)
	}
	readable.Store(true)
	p.await(t, "ready", func() bool { return p.do(t, "GET", "/readyz", "").status == http.StatusOK })
	p.await(t, "what trends now", func() bool { return p.do(t, "GET", trending, "").items(t).ids() == "b1" })
	if got := p.do(t, "GET", "/v1/visitors/anna/recommendations", "").items(t).Strategy; got != "popular" {
		t.Errorf("anna gets %s", got)
	}
}

func TestEventsAreRefusedWhole(t *testing.T) {
	t.Parallel()
	_, addr := broker(t)
	p := startLive(t, liveShop(t), addr)
	ahead := time.Now().Add(48 * time.Hour).UnixMilli()
	for _, wrong := range []struct{ body, field, says string }{
		{"", "", "empty"}, {"[]", "", "no events"}, {"[" + strings.Repeat(view("a", "b")+",", 1000) + view("a", "b") + "]", "", "more than 1000 events"},
		{"[" + view("a", "b") + `,{"visitorid":"a","event":"click","itemid":"b"}]`, "[1].event", "click"},
		{view("a", "b") + "\n{\n", "[1]", "breaks off"}, {`{"visitorid":"a","event":"view"}`, "itemid", "empty"},
		{`{"visitorid":"a","event":"view","itemid":"b","eventid":""}`, "eventid", "empty"}, {`{"visitorid":1.5,"event":"view","itemid":"b"}`, "visitorid", "whole number"},
		{fmt.Sprintf(`{"visitorid":"a","event":"view","itemid":"b","timestamp":%d}`, ahead), "timestamp", "ahead"},
		{`{"visitorid":"a","event":"view","itemid":"b","timestamp":1500000000}`, "timestamp", "1970-01-18: it is in milliseconds, and this looks like seconds"},
		{`{"visitorid":"a","visitorid":"b","event":"view","itemid":"b"}`, "visitorid", "twice"}, {`{"visitor":"a"}`, "visitor", "no member"},
	} {
		p.post(t, wrong.body).problem(t, 400, wrong.field, wrong.says)
	}
	p.do(t, "POST", posted, view("a", "b"), "Content-Type", "text/csv").problem(t, 415, "", "text/csv")
	p.do(t, "POST", posted, view("a", strings.Repeat("b", 2<<20)), "Content-Type", "application/json").problem(t, 413, "", "bytes")
	p.do(t, "POST", posted+"?x=1", view("a", "b"), "Content-Type", "application/json").problem(t, 400, "x", "no parameter")
	if n := p.metric(t, "cartwheel_events_written_total"); n != "0" {
		t.Errorf("%s events were written", n)
	}
	start(t, t.TempDir()).post(t, view("a", "b")).problem(t, 503, "", "no broker")
}

func TestEventsNeedAWriter(t *testing.T) {
	t.Parallel()
	_, addr := broker(t)
	p := startLive(t, liveShop(t), addr, "--api-keys", "reader:reader-key-0123456789,writer:writer-key-0123456789,admin:admin-key-0123456789")
	for key, want := range map[string]int{"reader": 403, "writer": 202, "admin": 202} {
		a := p.do(t, "POST", posted, view("a", "b"), "Content-Type", "application/json", "Authorization", "Bearer "+key+"-key-0123456789")
		if a.status != want {
			t.Errorf("a %s's post: status %d: %s", key, a.status, a.body)
		}
	}
	for key, want := range map[string]int{"reader": 403, "writer": 403, "admin": 204} {
		if a := p.do(t, "DELETE", "/v1/visitors/a", "", "Authorization", "Bearer "+key+"-key-0123456789"); a.status != want {
			t.Errorf("a %s's erasure: status %d: %s", key, a.status, a.body)
		}
	}
}

// Without Kafka, reading goes on, posts are refused clearly, and readiness and lag say so where that was asked for.
func TestKafkaAway(t *testing.T) {
	t.Parallel()
	p := start(t, liveShop(t), "--bootstrap-servers", "127.0.0.1:1", "--ready-max-lag", "1ms")
	p.ready(t, "v1")
	a := p.post(t, view("anna", "b1"))
	var refused struct {
		Status         int
		EventIDs       []string
		Unacknowledged []int
	}
	if err := json.Unmarshal(a.body, &refused); err != nil || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" ||
		len(refused.EventIDs) != 1 || len(refused.Unacknowledged) != 1 {
		t.Errorf("status %d, %v: %s", a.status, a.header, a.body)
	}
	p.do(t, "DELETE", "/v1/visitors/anna", "").problem(t, 503, "", "not acknowledged")
	if got := p.do(t, "GET", "/v1/visitors/anna/recommendations", "").items(t); got.Strategy != "als" {
		t.Errorf("anna gets %v", got)
	}
	p.do(t, "GET", "/readyz", "").problem(t, 503, "", "live history")
	if behind, err := strconv.ParseFloat(p.metric(t, "cartwheel_live_lag_seconds"), 64); err != nil || behind <= 0 {
		t.Errorf("lag %v, %v", behind, err)
	}
}

// What is no event is passed over, and told, however much of it comes.
func TestMalformedRecords(t *testing.T) {
	t.Parallel()
	_, addr := broker(t)
	p := startLive(t, liveShop(t), addr)
	client := kafkatest.Open(t, addr)
	values := []string{"", "{}", "no JSON", "\xff\xfe", "null", "[]", strings.Repeat("[", 10_000), strings.Repeat("x", 900_000), view("anna", "b1")} // an event without an id cannot be told from its repeats
	for i := range 50_000 {
		values = append(values, fmt.Sprintf(`{"visitorid":"v-%d","event":"view","itemid":"i","eventid":"e-%d","timestamp":-1}`, i, i))
	}
	lines := strings.Count(p.log.text(), "\n")
	for partition := range 3 {
		kafkatest.Send(t, client, "events", partition, values...)
	}
	if a := p.post(t, view("anna", "b1")); a.status != 202 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	p.waitFor(t, "cartwheel_live_events_total", "1")
	p.await(t, "all are told", func() bool {
		n, err := strconv.ParseFloat(p.metric(t, "cartwheel_live_malformed_total"), 64)
		return err == nil && n == float64(3*len(values))
	})
	if visitors := p.metric(t, "cartwheel_live_visitors"); visitors != "1" {
		t.Errorf("%s visitors are held", visitors)
	}
	if more := strings.Count(p.log.text(), "\n") - lines; more > 5 {
		t.Errorf("the log grew by %d lines", more)
	}
}
