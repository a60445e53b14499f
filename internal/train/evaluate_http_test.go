package train

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
	"cartwheel/internal/serve"
)

// What a training measures is what the API answers: the same questions, put over HTTP to an API that serves a version which Spark
// trained, get the same figures as from that version's tables in process. A training asks a model of the earlier events only, which
// is never served; so both are asked about the served version here, by held-out events that are made up from its neighbours.
func TestOfflineEqualsOnline(t *testing.T) {
	t.Parallel()
	trained, err := filepath.Glob("../model/testdata/2*")
	if err != nil || len(trained) != 1 {
		t.Fatalf("%v, %v", trained, err)
	}
	v, err := model.Load(trained[0])
	if err != nil {
		t.Fatal(err)
	}
	events := walks(v)
	asked := append(questions(events, v), strangers(events, v)...)
	e := newEvaluation(asked, v.Items)
	r := recommend.New(v)
	e.ask("offline", func(q question) []string { return ask(r, q) })
	api := served(t, trained[0])
	e.ask("online", func(q question) []string { return api.ask(t, q) })
	measured := e.measurements(1)
	if t.Failed() {
		return
	}
	for _, kind := range kinds {
		for _, part := range parts {
			offline, online := measured[kind+part.suffix+": offline"], measured[kind+part.suffix+": online"]
			if part.suffix == "" && (offline.Cases < 500 || offline.Values["ndcg@10"].Mean < 0.01) {
				t.Errorf("%s: %d questions with an NDCG of %v say little", kind, offline.Cases, offline.Values["ndcg@10"].Mean)
			}
			for _, metric := range metricNames {
				if a, b := offline.Values[metric], online.Values[metric]; !(max(a.Mean-b.Mean, b.Mean-a.Mean) < 0.001) {
					t.Errorf("%s%s: %s is %v offline and %v online", kind, part.suffix, metric, a.Mean, b.Mean)
				}
			}
		}
	}
	for i, q := range asked {
		if a, b := e.answers["offline"][i].list, e.answers["online"][i].list; !slices.Equal(a, b) {
			t.Fatalf("%+v is answered %v offline and %v online", q, a, b)
		}
	}
}

// walks are events of visitors whom the version knows and of others, each from item to neighbour.
func walks(v *model.Version) (events []heldOut) {
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range 800 {
		visitor := fmt.Sprint("stranger-", i)
		item := int32(dice.IntN(v.Items.Len()))
		if number := int32(i * 7 % v.Visitors.Len()); i%4 > 0 {
			visitor = v.Visitors.Name(number)
			if seen, _ := v.Seen.Of(number); len(seen) > 0 {
				item = seen[0]
			}
		}
		for step := range 2 + dice.IntN(4) {
			events = append(events, heldOut{visitor, v.Items.Name(item), event.Kinds[dice.IntN(len(event.Kinds))], int64(1000 * step)})
			if near, _ := v.Near.Of(item); len(near) > 0 {
				item = near[dice.IntN(min(5, len(near)))]
			}
		}
	}
	return events
}

// api is where a version is served.
type api string

// served serves a version until the test ends.
func served(t *testing.T, version string) api {
	t.Helper()
	data := t.TempDir()
	models, name := filepath.Join(data, "models"), filepath.Base(version)
	if err := os.CopyFS(filepath.Join(models, name), os.DirFS(version)); err != nil {
		t.Fatal(err)
	}
	modeltest.MakeChampion(t, models, name)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := serve.New(serve.Options{DataDir: data, Poll: time.Second, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		<-ended // at once, which it calls an error
	})
	a := api("http://" + listener.Addr().String())
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		response, err := http.Get(string(a) + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return a
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the API is never ready: %v, %v", response, err)
		}
	}
}

// ask puts a question over HTTP.
func (a api) ask(t *testing.T, q question) []string {
	seen := "include"
	if q.kind == visitorNew {
		seen = "exclude"
	}
	options := fmt.Sprintf("/recommendations?limit=%d&seen=%s", answered, seen)
	var response *http.Response
	var err error
	if q.kind == session {
		type click struct {
			ItemID string `json:"itemid"`
			Event  string `json:"event"`
		}
		body := map[string][]click{"events": {}}
		for _, c := range q.clicks {
			body["events"] = append(body["events"], click{c.ItemID, c.Event})
		}
		data, _ := json.Marshal(body) // strings always have a JSON form
		response, err = http.Post(string(a)+"/v1/sessions"+options, "application/json", bytes.NewReader(data))
	} else {
		response, err = http.Get(string(a) + "/v1/visitors/" + url.PathEscape(q.visitor) + options)
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	defer response.Body.Close()
	var list struct{ Items []struct{ ItemID string } }
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%+v: %s, %v", q, response.Status, err)
	}
	var names []string
	for _, item := range list.Items {
		names = append(names, item.ItemID)
	}
	return names
}
