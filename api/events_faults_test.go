package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// onProduce has a function see every request that appends to the topic of events, and answer it if it likes.
func onProduce(cluster *kfake.Cluster, see func(*kmsg.ProduceRequest) kmsg.Response) {
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := see(r.(*kmsg.ProduceRequest))
		return answer, nil, answer != nil
	})
}

// Where one partition takes nothing, the answer says which events were not acknowledged. Sent again as it says, each counts once.
func TestSomeEventsOfARequestFail(t *testing.T) {
	t.Parallel()
	cluster, addr := broker(t)
	var refusing atomic.Bool
	refusing.Store(true)
	onProduce(cluster, func(r *kmsg.ProduceRequest) kmsg.Response {
		partition := r.Topics[0].Partitions[0].Partition
		if partition != 1 || !refusing.Load() {
			return nil
		}
		answer := r.ResponseKind().(*kmsg.ProduceResponse)
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = r.Topics[0].Topic, r.Topics[0].TopicID
		failed := kmsg.NewProduceResponseTopicPartition()
		failed.Partition, failed.ErrorCode = partition, kerr.TopicAuthorizationFailed.Code
		topic.Partitions = append(topic.Partitions, failed)
		answer.Topics = append(answer.Topics, topic)
		return answer
	})
	p := startLive(t, liveShop(t), addr)
	var lines []string
	var want []int // fail
	for i := range 30 {
		visitor := fmt.Sprint("visitor-", i)
		lines = append(lines, view(visitor, "b1"))
		if kafka.Partition([]byte(visitor), 3) == 1 {
			want = append(want, i)
		}
	}
	var told struct {
		EventIDs       []string
		Unacknowledged []int
		Detail         string
	}
	a := p.post(t, strings.Join(lines, "\n"))
	if err := json.Unmarshal(a.body, &told); err != nil || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" ||
		len(want) == 0 || !slices.Equal(told.Unacknowledged, want) || !strings.Contains(told.Detail, fmt.Sprintf("%d of 30", len(want))) {
		t.Fatalf("status %d, want that %v are not acknowledged: %s", a.status, want, a.body)
	}
	p.waitFor(t, "cartwheel_live_events_total", strconv.Itoa(30-len(want)))

	refusing.Store(false)
	p.waitFor(t, "cartwheel_live_writable", "1")
	for i, id := range told.EventIDs {
		lines[i] = strings.Replace(lines[i], "{", fmt.Sprintf(`{"eventid":%q,`, id), 1)
	}
	if a := p.post(t, strings.Join(lines, "\n")); a.status != http.StatusAccepted {
		t.Fatalf("sent again: status %d: %s", a.status, a.body)
	}
	p.waitFor(t, "cartwheel_live_events_total", "30")
	p.waitFor(t, "cartwheel_live_passed_over_total", strconv.Itoa(30-len(want)))
}

// While Kafka is slow, what waits for it is bounded: what comes beyond that is refused at once, and says when to come again. Reading
// goes on meanwhile, and what was acknowledged is there.
func TestSlowKafka(t *testing.T) {
	t.Parallel()
	cluster, addr := broker(t)
	slow := make(chan struct{})
	onProduce(cluster, func(*kmsg.ProduceRequest) kmsg.Response {
		cluster.SleepControl(func() { <-slow })
		return nil
	})
	enough := make(chan struct{})
	goOn := sync.OnceFunc(func() { close(enough); close(slow) })
	defer goOn()
	p := startLive(t, liveShop(t), addr)
	var body strings.Builder // as large as it may be, so that few are too many
	long := strings.Repeat("x", event.MaxIDBytes-4)
	for i := range 1000 {
		fmt.Fprintf(&body, "{\"visitorid\":\"%[1]s%[2]d\",\"event\":\"transaction\",\"itemid\":\"%[1]s\",\"transactionid\":\"%[1]s\",\"eventid\":\"%[1]s%[2]d\"}\n", long, i)
	}
	var senders sync.WaitGroup
	refused := make(chan answer, 100)
	var accepted atomic.Bool
	for range 24 {
		senders.Go(func() {
			for again := true; again; {
				switch a, err := p.try(http.DefaultClient, "POST", posted, body.String(), "Content-Type", "application/x-ndjson"); {
				case err != nil:
					t.Error(err)
				case a.status == http.StatusAccepted:
					accepted.Store(true)
				case a.status == http.StatusTooManyRequests:
					refused <- a
					return
				case a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "": // it has waited for too long
					t.Errorf("status %d, %v: %s", a.status, a.header, a.body)
				}
				select {
				case <-enough:
					again = false
				default:
				}
			}
		})
	}
	var a answer
	select {
	case a = <-refused:
	case <-time.After(time.Minute):
		t.Fatal("nothing was refused for a minute")
	}
	a.problem(t, http.StatusTooManyRequests, "", "nothing of this request was written")
	if a.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", a.header)
	}
	if got := p.do(t, "GET", "/v1/visitors/anna/recommendations", "").items(t); got.Strategy != "als" {
		t.Errorf("meanwhile anna gets %v", got)
	}
	goOn()
	senders.Wait()
	p.await(t, "events are taken again", func() bool { return p.post(t, view("stranger", "b1")).status == http.StatusAccepted })
	p.await(t, "what was acknowledged", func() bool {
		return p.do(t, "GET", "/v1/visitors/stranger/recommendations", "").items(t).Strategy == "session"
	})
	if accepted.Load() {
		p.await(t, "the thousand that were acknowledged", func() bool {
			n, err := strconv.ParseFloat(p.metric(t, "cartwheel_live_events_total"), 64)
			return err == nil && n > 1000
		})
	}
}

// A server that starts reads the topic a bounded time back, and says how far, how much and how long it took.
func TestStartReadsABoundedTimeBack(t *testing.T) {
	t.Parallel()
	_, addr := broker(t)
	client, now := kafkatest.Open(t, addr), time.Now()
	for i, ago := range []time.Duration{3 * time.Hour, 2 * time.Hour, 30 * time.Minute, time.Minute} {
		at := now.Add(-ago).UnixMilli()
		e := event.Event{Timestamp: at, VisitorID: fmt.Sprint("visitor-", i), Event: event.View, ItemID: "b1", EventID: fmt.Sprint("id-", i)}
		kafkatest.SendAt(t, client, "events", 0, at, string(event.AppendJSON(nil, &e)))
	}
	p := start(t, liveShop(t), "--bootstrap-servers", addr, "--topic", "events", "--live-back", "1h")
	read := p.log.wait(t, "live history read")
	since, err := time.Parse(time.RFC3339, fmt.Sprint(read["since"]))
	if took, ok := read["seconds"].(float64); err != nil || since.Before(now.Add(-time.Hour-time.Minute)) || since.After(now.Add(-59*time.Minute)) || !ok || took <= 0 {
		t.Errorf("the log says since %v in %v s (%v)", read["since"], read["seconds"], err)
	}
	if read["events"] != 2. || read["visitors"] != 2. || read["bytes"] == 0. {
		t.Errorf("the log says %v", read)
	}
	for i, want := range []string{"popular", "popular", "session", "session"} {
		if got := p.do(t, "GET", fmt.Sprintf("/v1/visitors/visitor-%d/recommendations", i), "").items(t).Strategy; got != want {
			t.Errorf("visitor %d is answered by %s, want %s", i, got, want)
		}
	}
}

// A server that cannot read for a while answers by what it knows, and says that it is behind; afterwards it knows all that others have
// written meanwhile, each once, as does one that starts then.
func TestCutOffFromTheTopic(t *testing.T) {
	t.Parallel()
	cluster, addr := broker(t)
	var cut atomic.Bool
	cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if cut.Load() {
			return nil, errors.New("the line is cut"), true
		}
		return nil, nil, false
	})
	data := liveShop(t)
	p := startLive(t, data, addr, "--ready-max-lag", "1s")
	p.post(t, view("before", "b1"))
	p.waitFor(t, "cartwheel_live_events_total", "1")

	cut.Store(true)
	p.await(t, "that it is behind", func() bool { return p.do(t, "GET", "/readyz", "").status == http.StatusServiceUnavailable })
	const visitors, each = 50, 20
	client, now := kafkatest.Open(t, addr), time.Now().UnixMilli()
	written := make([][]string, 3)
	for i := range visitors * each {
		e := event.Event{Timestamp: now - int64(i*7%5000), VisitorID: fmt.Sprint("v", i%visitors), Event: event.View, ItemID: []string{"a1", "b1", "b2"}[i%3], EventID: fmt.Sprint("id-", i)}
		partition := kafka.Partition([]byte(e.VisitorID), 3)
		written[partition] = append(written[partition], string(event.AppendJSON(nil, &e)))
	}
	for partition, events := range written {
		slices.Reverse(events)
		kafkatest.Send(t, client, "events", partition, append(events, events...)...)
	}
	p.do(t, "GET", "/readyz", "").problem(t, 503, "", "has not been up to date")
	for visitor, want := range map[string]string{"before": "session", "v1": "popular", "anna": "als"} {
		if got := p.do(t, "GET", "/v1/visitors/"+visitor+"/recommendations", "").items(t).Strategy; got != want {
			t.Errorf("meanwhile %s is answered by %s, want %s", visitor, got, want)
		}
	}

	cut.Store(false)
	p.waitFor(t, "cartwheel_live_events_total", strconv.Itoa(1+visitors*each))
	p.waitFor(t, "cartwheel_live_passed_over_total", strconv.Itoa(visitors*each))
	p.waitFor(t, "cartwheel_live_lag_records", "0")
	p.await(t, "ready", func() bool { return p.do(t, "GET", "/readyz", "").status == http.StatusOK })
	fresh := startLive(t, data, addr)
	for i := range visitors {
		path := fmt.Sprintf("/v1/visitors/v%d/recommendations?seen=include", i)
		if got, want := p.do(t, "GET", path, "").items(t), fresh.do(t, "GET", path, "").items(t); got.Strategy != "session" || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("v%d gets %v, and from a server that has just started %v", i, got, want)
		}
	}
}
