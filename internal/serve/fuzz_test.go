package serve

import (
	"encoding/json"
	"math"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/event"
	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

// Whatever a body holds, it is refused with a reason or gives what keeps the rules of the contract.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{`{"items":["a",7]}`, `{"events":[{"itemid":"a","event":"view","timestamp":1}]}`, `{"visitorids":["a"]}`,
		`{"visitorid":1,"itemids":["b"]}`, `{"items":["a"],"items":[]}`, `[[[[`, `{"items":[1e400]}`, "{\"items\":[\"\\ud800\"]}", `null`, `{"items":null}`,
		`{"at":1433221332119,"features":{"first_seen":1433221332117,"last_seen":1433221332117,"views":1,"items":1,"viewed_items":1,"sessions":1,"recent_events":1}}`,
		`{"events":[{"itemid":"a","event":"transaction","timestamp":1433221332117}],"at":1433221332119}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sound := func(bad *badField, ids ...id) {
			if bad != nil {
				if bad.detail == "" {
					t.Error("refused without a reason")
				}
				return
			}
			if !json.Valid(data) || !utf8.Valid(data) {
				t.Errorf("%q was taken", data)
			}
			for _, id := range ids {
				if err := event.ValidateID("id", string(id)); err != nil {
					t.Errorf("%q let through: %v", data, err)
				}
			}
		}
		var session sessionBody
		bad := decodeJSON(data, &session)
		var clicks []recommend.Click
		if bad == nil {
			clicks, bad = session.clicks()
		}
		var ids []id
		for _, click := range clicks {
			ids = append(ids, id(click.ItemID))
		}
		sound(bad, ids...)
		var many manyBody
		if bad = decodeJSON(data, &many); bad == nil {
			bad = checkMany("visitorids", "visitorid", many.VisitorIDs)
		}
		sound(bad, many.VisitorIDs...)
		var asked scoresBody
		if bad = decodeJSON(data, &asked); bad == nil {
			bad = checkMany("itemids", "itemid", asked.ItemIDs)
		}
		sound(bad, asked.ItemIDs...)
		var told deedsBody
		var what *deeds
		if bad = decodeJSON(data, &told); bad == nil {
			what, bad = told.deeds(time.UnixMilli(1433300000000))
		}
		sound(bad)
		for _, days := range []int64{28, 1e6} {
			if bad != nil {
				break
			}
			w := features.Window{From: max(0, what.at-days*24*3600_000), At: what.at}
			p, impossible := what.profile(w)
			if impossible == nil && w.Check(p) != nil {
				t.Errorf("%q gives %+v, which cannot be: %v", data, p, w.Check(p))
			}
			for i, v := range features.Values(p, what.at) {
				if impossible == nil && (math.IsNaN(v) || math.IsInf(v, 0) || v < 0) {
					t.Errorf("%q: %s is %v", data, features.VisitorNames()[i], v)
				}
			}
		}
	})
}

// Whatever a query string holds, it is refused with a reason or gives options within the contract's bounds.
func FuzzParams(f *testing.F) {
	v, err := model.Load(modeltest.Write(f, f.TempDir(), modeltest.Random("x", 1, 5, 20, 2)))
	if err != nil {
		f.Fatal(err)
	}
	now := &served{Recommender: recommend.New(v), version: "x"}
	for _, seed := range []string{"limit=5&offset=2", "only=i1,i2&only=i3&exclude=", "seen=include&explain=true", "category=c0", "limit=+5", "limit=%31", "a=%zz", "limit=1;offset=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		c.Request = httptest.NewRequest("GET", "/", nil)
		c.Request.URL = &url.URL{Path: "/", RawQuery: text}
		values, bad := query(c, listParams...)
		var o recommend.Options
		if bad == nil {
			o, bad = now.listOptions(values, false)
		}
		if bad != nil {
			if bad.detail == "" {
				t.Error("refused without a reason")
			}
			return
		}
		if o.Limit < 1 || o.Limit > maxLimit || o.Offset < 0 || o.Offset > maxOffset || len(o.Exclude) > maxFilterIDs || len(o.Only) > maxFilterIDs {
			t.Errorf("%q gives %+v", text, o)
		}
		for _, item := range now.Visitor("v1", o).Items {
			if o.Only != nil && !strings.Contains(strings.Join(o.Only, ","), item.ID) {
				t.Errorf("%q gives %s", text, item.ID)
			}
		}
	})
}

// Whatever is posted as events, alone, as an array or by line, it is refused with a reason or gives events that keep the rules.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{`{"visitorid":"v","event":"view","itemid":7}`, `[{"visitorid":"v","event":"view","itemid":"i","timestamp":1,"eventid":"e"}]`, "{}\n{}", `[`, `[]`, ` [1,`,
		`[{"visitorid":"v","visitorid":"v"}]`, `{"visitorid":"v","event":"transaction","itemid":"i","transactionid":9,"timestamp":99999999999999999999}`} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	now := time.UnixMilli(1433300000000)
	f.Fuzz(func(t *testing.T, data []byte, lines bool) {
		list, _, bad := splitEvents(data, lines)
		if bad == nil && (len(list) == 0 || len(list) > maxEvents) {
			t.Errorf("%q gives %d events", data, len(list))
		}
		for i := range list {
			var e event.Event
			if bad = parseEvent(list[i], now, &e); bad != nil {
				break
			}
			if err := e.Validate(); err != nil || e.EventID == "" || e.Timestamp > now.Add(maxAhead).UnixMilli() {
				t.Errorf("%q gives %+v: %v", data, e, err)
			}
		}
		if bad != nil && bad.detail == "" {
			t.Error("refused without a reason")
		}
	})
}

func FuzzCatalogue(f *testing.F) {
	for _, seed := range []string{"a\nb\r\n", `{"boosts":{"items":{"a":2}}}`, `{"boosts":{"items":{"a":1e999}}}`, `{"boosts":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ids, err := parseUnavailable(data)
		for id := range ids {
			if event.ValidateID("itemid", id) != nil || err != nil {
				t.Errorf("%q is taken for an id, %v", id, err)
			}
		}
		items, categories, err := parseBoosts(data)
		for _, boosts := range []map[string]float64{items, categories} {
			for id, boost := range boosts {
				if event.ValidateID("id", id) != nil || !(boost >= minBoost && boost <= maxBoost) || err != nil {
					t.Errorf("%q has the boost %v, %v", id, boost, err)
				}
			}
		}
	})
}
