package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/event"
	"cartwheel/internal/features"
	"cartwheel/internal/model"
)

// deedsBody is what somebody did, as events or as the numbers that a profile holds, and the moment that is asked about. What follows
// from these, such as ratios and ages, is worked out here.
type deedsBody struct {
	Events   *[]sessionEvent             `json:"events"`
	Features *map[string]json.RawMessage `json:"features"`
	At       *int64                      `json:"at"` // Unix ms
}

// deeds is a body that was read: events or, if nil, a profile.
type deeds struct {
	events []event.Event
	told   model.Profile
	at     int64
}

// readDeeds reads the body of a request without parameters. Where it is wrong it answers, and returns false.
func readDeeds(c *gin.Context) (*deeds, bool) {
	if _, bad := query(c); bad != nil {
		refuse(c, bad)
		return nil, false
	}
	var body deedsBody
	if !readJSON(c, &body) {
		return nil, false
	}
	d, bad := body.deeds(time.Now())
	if bad != nil {
		refuse(c, bad)
	}
	return d, bad == nil
}

// deeds checks what can be checked without a window.
func (b *deedsBody) deeds(now time.Time) (*deeds, *badField) {
	if (b.Events == nil) == (b.Features == nil) {
		return nil, &badField{field: "events", detail: `the body must have either "events", as an array, or "features", as an object`}
	}
	if b.At != nil && (*b.At <= 0 || *b.At > event.MaxTimestamp) {
		return nil, &badField{field: "at", detail: fmt.Sprintf("at %d is not a Unix time in milliseconds", *b.At)}
	}
	d := &deeds{at: now.UnixMilli()}
	var bad *badField
	if b.Features != nil {
		d.told, bad = profileFrom(*b.Features)
	} else {
		d.events, bad = timedEvents(*b.Events)
	}
	if bad != nil {
		return nil, bad
	}
	if b.At != nil {
		d.at = *b.At
		return d, nil
	}
	for i, e := range d.events {
		if ahead := now.Add(maxAhead).UnixMilli(); e.Timestamp > ahead {
			return nil, &badField{field: fmt.Sprintf("events[%d].timestamp", i), status: http.StatusUnprocessableEntity,
				detail: fmt.Sprintf("timestamp %d is more than %s ahead of this server's clock; say with \"at\" which moment is asked about", e.Timestamp, maxAhead)}
		}
		d.at = max(d.at, e.Timestamp+1) // a client's clock may be a little ahead
	}
	return d, nil
}

// profile is what was done within a window. What cannot be is refused.
func (d *deeds) profile(w features.Window) (model.Profile, *badField) {
	if d.events == nil {
		var impossible *model.Impossible
		if errors.As(w.Check(d.told), &impossible) {
			return d.told, &badField{field: "features." + impossible.Column, detail: impossible.Why, status: http.StatusUnprocessableEntity}
		}
		return d.told, nil
	}
	for i, e := range d.events {
		if e.Timestamp >= w.At {
			return model.Profile{}, &badField{field: fmt.Sprintf("events[%d].timestamp", i), status: http.StatusUnprocessableEntity,
				detail: fmt.Sprintf("timestamp %d is not before %d, the moment that is asked about", e.Timestamp, w.At)}
		}
	}
	return features.ProfileOf(d.events, w), nil
}

// timedEvents checks events of which each must have a time.
func timedEvents(body []sessionEvent) ([]event.Event, *badField) {
	session := sessionBody{Events: &body}
	clicks, bad := session.clicks()
	if bad != nil {
		return nil, bad
	}
	events := make([]event.Event, len(clicks))
	for i, click := range clicks {
		if body[i].Timestamp == nil {
			return nil, &badField{field: fmt.Sprintf("events[%d].timestamp", i), detail: "an event has no timestamp"}
		}
		events[i] = event.Event{ItemID: click.ItemID, Event: click.Event, Timestamp: *body[i].Timestamp}
	}
	return events, nil
}

// profileFrom reads the numbers of a profile by their columns; one that is not told is 0.
func profileFrom(told map[string]json.RawMessage) (p model.Profile, bad *badField) {
	numbers := p.Numbers()
	for _, name := range slices.Sorted(maps.Keys(told)) {
		field := "features." + name
		place := slices.Index(model.ProfileColumns, name)
		if place < 0 {
			if slices.Contains(features.VisitorNames(), name) {
				return p, &badField{field: field, detail: fmt.Sprintf("%s is worked out here, and not taken: tell %s", name, strings.Join(model.ProfileColumns, ", "))}
			}
			return p, &badField{field: "features", detail: fmt.Sprintf("there is no feature %s here, but %s", show(name), strings.Join(model.ProfileColumns, ", "))}
		}
		most := int64(math.MaxInt32)
		if place < 2 { // first_seen and last_seen
			most = event.MaxTimestamp
		}
		n, err := strconv.ParseInt(string(told[name]), 10, 64)
		if err != nil || n < 0 || n > most {
			return p, &badField{field: field, detail: fmt.Sprintf("%s is %s, not a whole number between 0 and %d", name, show(string(told[name])), most)}
		}
		*numbers[place] = n
	}
	return p, nil
}
