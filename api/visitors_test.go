package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/purchase"
	"cartwheel/internal/segment"
)

const (
	foretell = "/v1/purchase-probability"
	assign   = "/v1/segments/assign"
)

// checkVisitorsContract asks what is told of visitors, of a server with a version and of one without.
func checkVisitorsContract(t *testing.T, c *contractChecker, p, empty *program) {
	t.Helper()
	for _, path := range []string{"/v1/visitors/anna", "/v1/visitors/nobody", "/v1/visitors/anna/purchase-probability", "/v1/visitors/nobody/purchase-probability",
		"/v1/visitors/anna/segment", "/v1/visitors/nobody/segment", "/v1/segments"} {
		c.check(t, p, true, "GET", path, "")
		c.check(t, empty, true, "GET", path, "")
	}
	c.check(t, p, false, "GET", "/v1/visitors/"+strings.Repeat("x", 129), "")
	for _, path := range []string{foretell, assign} {
		for _, body := range []string{`{"events":[]}`, `{"events":[{"itemid":7,"timestamp":1433221332117},{"itemid":"a","event":"transaction","timestamp":1433221332118}],"at":1433221332119}`,
			`{"features":{}}`, `{"at":1433221332119,"features":{"first_seen":1433221332117,"last_seen":1433221332117,"views":1,"items":1,"viewed_items":1,"sessions":1,"recent_events":1}}`} {
			c.check(t, p, true, "POST", path, body)
			c.check(t, empty, true, "POST", path, body)
		}
		for _, body := range []string{`{}`, `{"at":5}`, `{"events":[],"features":{}}`, `{"events":[{"itemid":"a"}]}`, `{"events":[{"itemid":"a","timestamp":0}]}`, `{"events":[],"at":0}`,
			`{"features":{"views":-1}}`, `{"features":{"views":1.5}}`, `{"features":{"views":3000000000}}`, `{"features":{"views":null}}`, `{"features":{"cart_rate":0}}`, `{"features":[]}`, `{"events":[],"at":null}`, `{"events":[],"features":null}`} {
			c.check(t, p, false, "POST", path, body)
		}
	}
}

type told struct {
	VisitorID   string
	FirstSeen   int64 `json:"first_seen"`
	LastSeen    int64 `json:"last_seen"`
	Views       int64
	AddToCarts  int64
	Orders      int64 `json:"transactions"`
	Items       int64
	Sessions    int64
	RecentItems []string `json:"recent_items"`
	Segment     *group
	Purchase    *odds
}

type group struct {
	ID   int
	Name string
}

type odds struct {
	Probability float64
	WithinDays  int `json:"within_days"`
	Active      bool
	AsOf        int64 `json:"as_of"`
}

// into reads a good answer, whose version must be the one in the header.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	var of struct {
		Version string `json:"model_version"`
	}
	if err := json.Unmarshal(a.body, v); err != nil || a.status != 200 {
		t.Fatalf("status %d, %v: %s", a.status, err, a.body)
	}
	if err := json.Unmarshal(a.body, &of); err != nil || of.Version == "" || of.Version != a.header.Get("X-Model-Version") {
		t.Errorf("the header names version %q: %s", a.header.Get("X-Model-Version"), a.body)
	}
}

// readers are what package serve should answer from, loaded here.
func readers(t *testing.T, dir string) (*model.Version, *purchase.Scorer, *segment.Assigner) {
	t.Helper()
	v, err := model.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	scorer, err := purchase.Load(dir, v.Manifest.Purchase)
	if err != nil {
		t.Fatal(err)
	}
	assigner, err := segment.Load(dir, v.Manifest.Segments)
	if err != nil {
		t.Fatal(err)
	}
	return v, scorer, assigner
}

func TestWhatIsKnownOfVisitors(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	_, scorer, assigner := readers(t, filepath.Join(p.models, "v1"))
	for id, profile := range map[string]model.Profile{"anna": anna, "ben": ben} {
		a := p.do(t, "GET", "/v1/visitors/"+id, "")
		var got told
		a.into(t, &got)
		want := told{VisitorID: id, FirstSeen: profile.FirstSeen, LastSeen: profile.LastSeen, Views: profile.Views, AddToCarts: profile.Carts, Orders: profile.Orders,
			Items: profile.Items, Sessions: profile.Sessions, RecentItems: map[string][]string{"anna": {"a1"}, "ben": {"b1"}}[id],
			Purchase: &odds{scorer.Inactive(), modeltest.LabelDays, false, end}}
		if id == "anna" {
			want.Purchase.Active, want.Purchase.Probability = true, scorer.Probability(profile, end)
		}
		number := assigner.Assign(profile, end)
		want.Segment = &group{number, []string{"window shoppers", "frequent buyers"}[number]}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %s\nwant %+v, %+v, %+v", id, a.body, want, want.Segment, want.Purchase)
		}
		var alone odds
		var in struct {
			VisitorID string
			Segment   group
		}
		p.do(t, "GET", "/v1/visitors/"+id+"/purchase-probability", "").into(t, &alone)
		p.do(t, "GET", "/v1/visitors/"+id+"/segment", "").into(t, &in)
		if alone != *want.Purchase || in.Segment != *want.Segment || in.VisitorID != id {
			t.Errorf("%s: asked for alone, %+v and %+v; together %+v and %+v", id, alone, in, want.Purchase, want.Segment)
		}
		if again := p.do(t, "GET", "/v1/visitors/"+id, "", "If-None-Match", a.header.Get("ETag")); again.status != 304 || a.header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("%s: with the ETag status %d, %v", id, again.status, a.header)
		}
	}

	p.do(t, "GET", "/v1/visitors/nobody", "").problem(t, 404, "visitorid", `nothing is known of the visitor "nobody"`)
	var nobody odds
	p.do(t, "GET", "/v1/visitors/nobody/purchase-probability", "").into(t, &nobody)
	if want := (odds{modeltest.InactiveRate, modeltest.LabelDays, false, end}); nobody != want {
		t.Errorf("somebody unknown: %+v, want %+v", nobody, want)
	}
	if a := p.do(t, "GET", "/v1/visitors/nobody/segment", ""); a.status != 200 || !strings.Contains(string(a.body), `"segment":null`) {
		t.Errorf("somebody unknown: status %d, %s", a.status, a.body)
	}
	a := p.do(t, "GET", "/v1/segments", "")
	const want = `{"model_version":"v1","as_of":1442545200000,"visitors":3,"means":{"recency_days":12,"transactions":0.5,"views":2},"segments":[` +
		`{"id":0,"name":"window shoppers","visitors":2,"means":{"recency_days":15,"transactions":0,"views":1}},{"id":1,"name":"frequent buyers","visitors":1,"means":{"recency_days":3,"transactions":2,"views":5}}]}`
	if strings.TrimSpace(string(a.body)) != want || a.header.Get("ETag") == "" {
		t.Errorf("got %s\nwant %s", a.body, want)
	}
}

// Events in a body are answered as the readers answer for their profile, and so are the numbers of that profile.
func TestDeedsInBodies(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	_, scorer, assigner := readers(t, filepath.Join(p.models, "v1"))
	at := end - 1000
	events := []event.Event{{ItemID: "x", Event: event.View, Timestamp: at - 60*dayMS}, {ItemID: "x", Event: event.View, Timestamp: at - 2*dayMS}, {ItemID: "y", Event: event.View, Timestamp: at - dayMS},
		{ItemID: "y", Event: event.AddToCart, Timestamp: at - dayMS + 5000}, {ItemID: "x", Event: event.Transaction, Timestamp: at - 1}}
	var list []map[string]any
	for _, e := range events {
		list = append(list, map[string]any{"itemid": e.ItemID, "event": e.Event, "timestamp": e.Timestamp})
	}
	for _, window := range []features.Window{scorer.Window(at), {At: at}} {
		profile := features.ProfileOf(events, window)
		numbers := map[string]int64{}
		for i, n := range profile.Numbers() {
			numbers[model.ProfileColumns[i]] = *n
		}
		for _, body := range []map[string]any{{"at": at, "events": list}, {"at": at, "features": numbers}} {
			data, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			if window.From > 0 {
				var got odds
				p.do(t, "POST", foretell, string(data), "Content-Type", "application/json").into(t, &got)
				if want := (odds{scorer.Probability(profile, at), modeltest.LabelDays, true, at}); got != want {
					t.Errorf("%s: got %+v, want %+v", data, got, want)
				}
				continue
			}
			var got struct{ Segment group }
			p.do(t, "POST", assign, string(data), "Content-Type", "application/json").into(t, &got)
			if got.Segment.ID != assigner.Assign(profile, at) || got.Segment.Name == "" {
				t.Errorf("%s: got %+v, want %d", data, got, assigner.Assign(profile, at))
			}
		}
	}
	// Without a moment, now is meant, or just after the latest event where the client's clock is ahead.
	before := time.Now().UnixMilli()
	for _, c := range []struct {
		body string
		from int64
	}{{`{"events":[]}`, before}, {fmt.Sprintf(`{"events":[{"itemid":"a","timestamp":%d}]}`, before+3600_000), before + 3600_001}} {
		var got odds
		p.do(t, "POST", foretell, c.body, "Content-Type", "application/json").into(t, &got)
		if got.AsOf < c.from || got.AsOf > c.from+60_000 || got.Active == (c.from == before) {
			t.Errorf("%s: %+v, want a moment from %d on", c.body, got, c.from)
		}
	}
}

func TestDeedsThatAreRefused(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	const at, sound = `"at":1433221332119,`, `"first_seen":1433221332117,"last_seen":1433221332117,"views":1,"items":1,"viewed_items":1,"sessions":1,"recent_events":1`
	ahead := time.Now().Add(48 * time.Hour).UnixMilli()
	for _, c := range []struct {
		body        string
		status      int
		field, says string
	}{
		{`{"features":{"views":1,"viewed_items":2}}`, 422, "features.viewed_items", "more than views"},
		{`{` + at + `"features":{` + sound + `,"addtocarts":1}}`, 422, "features.addtocart_items", "no addtocart_items"},
		{`{` + at + `"features":{` + sound + `,"weekend":2}}`, 422, "features.weekend", "more than the events"},
		{`{` + at + `"features":{"first_seen":1433221332119}}`, 422, "features.first_seen", "after last_seen"},
		{`{` + at + `"features":{"last_seen":1433221332117}}`, 422, "features.last_seen", "no event"},
		{`{"at":1433221332117,"features":{` + sound + `}}`, 422, "features.last_seen", "not before 1433221332117"},
		{`{"at":1433999999999,"features":{` + sound + `}}`, 422, "features.recent_events", "not within"},
		{`{` + at + `"features":{` + strings.Replace(sound, `"recent_events":1`, `"recent_events":0`, 1) + `}}`, 422, "features.recent_events", "no recent_events"},
		{`{"features":{"cart_rate":0.5}}`, 400, "features.cart_rate", "worked out here"},
		{`{"features":{"height":180}}`, 400, "features", `"height"`},
		{`{"features":{"views":"3"}}`, 400, "features.views", "whole number"},
		{`{"features":{"views":1e3}}`, 400, "features.views", "whole number"},
		{`{"features":{"views":1,"views":2}}`, 400, "features.views", "twice"},
		{`{"features":null}`, 400, "", "null"},
		{`{"events":[],"at":null}`, 400, "", "null"},
		{`{"events":[{"itemid":"a","timestamp":1433221332119}],` + at[:len(at)-1] + `}`, 422, "events[0].timestamp", "not before 1433221332119"},
		{fmt.Sprintf(`{"events":[{"itemid":"a","timestamp":5},{"itemid":"a","timestamp":%d}]}`, ahead), 422, "events[1].timestamp", "ahead of this server's clock"},
		{`{"events":[{"itemid":"a"}]}`, 400, "events[0].timestamp", "no timestamp"},
		{`{"events":[{"itemid":"","timestamp":5}]}`, 400, "events[0].itemid", "empty"},
		{`{"events":[],"at":-1}`, 400, "at", "-1"},
		{`{"events":[],"at":9223372036854775807}`, 400, "at", "Unix time"},
		{`{"events":[],"at":9223372036854775808}`, 400, "at", "number"},
		{`{"probability":1}`, 400, "probability", "no member"},
	} {
		for _, path := range []string{foretell, assign} {
			p.do(t, "POST", path, c.body, "Content-Type", "application/json").problem(t, c.status, c.field, c.says)
		}
	}
	p.do(t, "POST", foretell, `{"at":1434999999999,"features":{`+strings.Replace(sound, `,"recent_events":1`, ``, 1)+`}}`, "Content-Type", "application/json").
		problem(t, 422, "features.first_seen", "where the window begins")
	p.do(t, "GET", "/v1/segments?limit=3", "").problem(t, 400, "limit", "no parameter")
	p.do(t, "GET", "/v1/visitors/anna?limit=3", "").problem(t, 400, "limit", "no parameter")
}

// A version whose data was too little says so, and one of an older program, too.
func TestVersionsWithoutForetelling(t *testing.T) {
	t.Parallel()
	old, little := shop("old"), shop("little")
	old.Profiles, old.Features, little.Features = nil, nil, nil
	p := startWith(t, old)
	dir := modeltest.Write(t, p.models, little)
	m, err := model.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.Purchase, m.Segments = &model.Purchase{None: "0 bought", WindowDays: 28, LabelDays: 7}, &model.Segments{None: "there are 4 visitors"}
	modeltest.Seal(t, dir, *m)
	for _, version := range []string{"old", "little"} {
		if version == "little" {
			modeltest.MakeChampion(t, p.models, version)
			p.ready(t, version)
		}
		for path, says := range map[string]string{"/v1/visitors/anna/purchase-probability": "0 bought", "/v1/visitors/anna/segment": "there are 4 visitors", "/v1/segments": "there are 4 visitors"} {
			if version == "old" {
				says = "its training made none"
			}
			p.do(t, "GET", path, "").problem(t, 404, "", says)
		}
		p.do(t, "POST", foretell, `{"events":[]}`, "Content-Type", "application/json").problem(t, 404, "", "no model of purchases")
		p.do(t, "POST", assign, `{"events":[]}`, "Content-Type", "application/json").problem(t, 404, "", "no segments")
		a := p.do(t, "GET", "/v1/visitors/anna", "")
		if version == "old" {
			a.problem(t, 404, "", "trained without profiles")
		} else if a.status != 200 || !strings.Contains(string(a.body), `"segment":null,"purchase":null`) {
			t.Errorf("status %d: %s", a.status, a.body)
		}
	}
}

// What a visitor did a moment ago is counted in; an erased one is unknown.
func TestVisitorsLive(t *testing.T) {
	t.Parallel()
	_, addr := broker(t)
	p := startLive(t, liveShop(t), addr)
	_, scorer, _ := readers(t, filepath.Join(p.models, "v1"))
	at := end + dayMS
	for i, e := range []struct{ visitor, kind, item string }{{"anna", "view", "b2"}, {"anna", "addtocart", "b2"}, {"anna", "transaction", "a1"}, {"stranger", "view", "b1"}} {
		p.post(t, fmt.Sprintf(`{"visitorid":%q,"event":%q,"itemid":%q,"timestamp":%d}`, e.visitor, e.kind, e.item, at+int64(i)))
	}
	p.waitFor(t, "cartwheel_live_events_total", "4")
	// The profile of the training, and these three: b2 is new, a1 was in the cart.
	want := model.Profile{FirstSeen: anna.FirstSeen, LastSeen: at + 2, Views: 4, Carts: 2, Orders: 1, Items: 2, Viewed: 2, Carted: 2, Bought: 1, ViewedCarted: 2, CartedBought: 1,
		Sessions: 3, RecentEvents: 3, RecentCarts: 1, Morning: anna.Morning, Weekend: anna.Weekend + 3}
	var got told
	a := p.do(t, "GET", "/v1/visitors/anna", "")
	a.into(t, &got)
	if got.Views != want.Views || got.AddToCarts != want.Carts || got.Orders != want.Orders || got.Items != want.Items || got.Sessions != want.Sessions || got.LastSeen != want.LastSeen ||
		got.FirstSeen != want.FirstSeen || strings.Join(got.RecentItems, " ") != "a1 b2" {
		t.Errorf("got %s", a.body)
	}
	if got.Purchase.AsOf != at+3 || math.Abs(got.Purchase.Probability-scorer.Probability(want, at+3)) > 1e-12 {
		t.Errorf("got %+v, want %v as of %d", got.Purchase, scorer.Probability(want, at+3), at+3)
	}
	var stranger told
	p.do(t, "GET", "/v1/visitors/stranger", "").into(t, &stranger)
	if stranger.Views != 1 || !stranger.Purchase.Active || stranger.Segment == nil || strings.Join(stranger.RecentItems, " ") != "b1" {
		t.Errorf("got %+v", stranger)
	}
	for _, visitor := range []string{"anna", "stranger"} {
		if a := p.do(t, "DELETE", "/v1/visitors/"+visitor, ""); a.status != 204 {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
		p.do(t, "GET", "/v1/visitors/"+visitor, "").problem(t, 404, "visitorid", "nothing is known")
		var gone odds
		p.do(t, "GET", "/v1/visitors/"+visitor+"/purchase-probability", "").into(t, &gone)
		if gone.Active || gone.Probability != modeltest.InactiveRate {
			t.Errorf("%s was erased, and has %+v", visitor, gone)
		}
		if a := p.do(t, "GET", "/v1/visitors/"+visitor+"/segment", ""); !strings.Contains(string(a.body), `"segment":null`) {
			t.Errorf("%s was erased: %s", visitor, a.body)
		}
	}
}
