package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cartwheel/internal/features"
	"cartwheel/internal/model/modeltest"
)

// swapped returns a version of its own seed whose items' names end in its name, so that an answer shows what it was made from.
func swapped(version string, seed uint64, visitors, items int) modeltest.Spec {
	spec := modeltest.Random(version, seed, visitors, items, 8)
	spec.Features = features.VisitorNames()
	for i := range spec.Items {
		spec.Items[i] += "@" + version
	}
	for i := range spec.Trending {
		spec.Trending[i].Item += "@" + version
	}
	spec.Parents, spec.Categories = nil, nil
	for visitor, pairs := range spec.Seen {
		for i := range pairs {
			spec.Seen[visitor][i].Item += "@" + version
		}
	}
	for _, lists := range []map[string][]modeltest.Scored{spec.Popular, spec.Near, spec.Recent} {
		for key, list := range maps.Clone(lists) {
			for i := range list {
				list[i].Item += "@" + version
			}
			if slices.Contains(spec.Items, key+"@"+version) {
				delete(lists, key)
				lists[key+"@"+version] = list
			}
		}
	}
	return spec
}

// question is a request that every version answers in its own way.
type question struct{ method, path, body string }

func questions(versions []string) (all []question) {
	for i := range 12 {
		visitor := fmt.Sprint("/v1/visitors/v", i)
		all = append(all, question{"GET", visitor + "/recommendations?limit=20", ""}, question{"GET", visitor, ""}, question{"GET", visitor + "/purchase-probability", ""},
			question{"GET", visitor + "/segment", ""}, question{"POST", "/v1/scores", fmt.Sprintf(`{"visitorid":"v%d","itemids":["i1@%s","i1@%s"]}`, i, versions[0], versions[1])},
			question{"POST", "/v1/sessions/recommendations", fmt.Sprintf(`{"items":["i%d@%s","i%d@%s"]}`, i, versions[0], i, versions[1])})
	}
	return append(all, question{"GET", "/v1/items/popular", ""}, question{"GET", "/v1/items/trending", ""}, question{"GET", "/v1/segments", ""}, question{"POST", "/v1/visitors/recommendations?limit=3", `{"visitorids":["v1","v2","v3"]}`},
		question{"POST", "/v1/purchase-probability", `{"at":1433300000000,"events":[{"itemid":"x","timestamp":1433221332117}]}`})
}

// Champions change under load: no request fails, and each is answered, to the byte, as its version answers when nothing else goes on.
// At full length that is a change every 2 s for 2 minutes under 500 requests a second.
func TestFaultChampionsChangeUnderLoad(t *testing.T) {
	visitors, items, changes, every, perSecond := 60, 200, 3, time.Duration(0), 200
	if whole {
		visitors, items, changes, every, perSecond = 20_000, 5_000, 60, 2*time.Second, 500
	}
	versions := []string{"v0", "v1", "v2"}
	p := startWith(t, swapped("v0", 1, visitors, items))
	for i, version := range versions[1:] {
		modeltest.Write(t, p.models, swapped(version, uint64(i)+2, visitors, items))
	}
	all := questions(versions)
	want := map[string]map[question]string{}
	for _, version := range append(versions[1:], versions[0]) {
		if a := p.do(t, "POST", "/v1/models/"+version+"/activate", ""); a.status != 200 {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
		p.ready(t, version)
		want[version] = map[question]string{}
		for _, q := range all {
			a := p.do(t, q.method, q.path, q.body, "Content-Type", "application/json")
			if other := slices.IndexFunc(versions, func(v string) bool { return v != version && strings.Contains(string(a.body), "@"+v) }); a.status != 200 || other >= 0 && q.path != "/v1/scores" {
				t.Fatalf("%s %s: status %d: %s", version, q.path, a.status, a.body)
			}
			want[version][q] = string(a.body)
		}
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()

	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	client := &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	steady := askAll(t, p, client, all, want, perSecond, func() {
		if whole {
			<-time.After(20 * time.Second)
		}
	})
	var apart []time.Duration // from one change to the next
	last := time.Now()
	moving := askAll(t, p, client, all, want, perSecond, func() {
		for i := 1; i <= changes; i++ {
			version := versions[i%len(versions)]
			begun := time.Now()
			modeltest.MakeChampion(t, p.models, version)
			p.ready(t, version)
			apart, last = append(apart, time.Since(last)), time.Now()
			<-time.After(time.Until(begun.Add(every)))
		}
	})
	if loads := p.metric(t, "cartwheel_model_loads_total"); loads != fmt.Sprint(1+len(versions)+changes) {
		t.Errorf("%s loads are counted, want %d", loads, 1+len(versions)+changes)
	}
	if after := heap(); after > before+before/2+16<<20 {
		t.Errorf("after the changes the heap has %d bytes, before them it had %d", after, before)
	}
	slices.Sort(apart)
	t.Logf("steady: %s; with %d changes, %v to %v apart, median %v: %s; p99 with changes is %.2f of the steady one", steady, changes, apart[0], apart[len(apart)-1], apart[len(apart)/2],
		moving, moving.p99.Seconds()/steady.p99.Seconds())
}

// delays are how long answers took.
type delays struct {
	answers       int
	p50, p99, max time.Duration
}

func (d delays) String() string {
	return fmt.Sprintf("%d answers, p50 %v, p99 %v, max %v", d.answers, d.p50, d.p99, d.max)
}

// askAll asks so many questions a second while something happens, and holds every answer against what its version should say. It
// returns how long they took, from when each was due.
func askAll(t *testing.T, p *program, client *http.Client, all []question, want map[string]map[question]string, perSecond int, meanwhile func()) delays {
	t.Helper()
	type due struct {
		at time.Time
		q  question
	}
	asked := make(chan due, 10_000)
	var (
		workers sync.WaitGroup
		mu      sync.Mutex
		took    []time.Duration
		bad     atomic.Int64
	)
	for range 8 {
		workers.Go(func() {
			for d := range asked {
				a, err := p.try(client, d.q.method, d.q.path, d.q.body, "Content-Type", "application/json")
				var of struct {
					Version string `json:"model_version"`
				}
				if err == nil {
					err = json.Unmarshal(a.body, &of)
				}
				if err != nil || a.status != 200 || of.Version != a.header.Get("X-Model-Version") || string(a.body) != want[of.Version][d.q] {
					if bad.Add(1) < 5 {
						t.Errorf("%s %s: status %d, version %s, %v: %s", d.q.method, d.q.path, a.status, a.header.Get("X-Model-Version"), err, a.body)
					}
				}
				mu.Lock()
				took = append(took, time.Since(d.at))
				mu.Unlock()
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	var sender sync.WaitGroup
	sender.Go(func() {
		begun := time.Now()
		for i := 0; ; i++ {
			at := begun.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
			select {
			case <-time.After(time.Until(at)):
			case <-ctx.Done():
				if i >= len(all) {
					return
				}
				at = time.Now() // the rest, so that each is asked at least once
			}
			asked <- due{at, all[i%len(all)]}
		}
	})
	meanwhile()
	cancel()
	sender.Wait()
	close(asked)
	workers.Wait()
	slices.Sort(took)
	if n := bad.Load(); n > 0 {
		t.Errorf("%d of %d answers are not what their version says", n, len(took))
	}
	return delays{len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1]}
}
