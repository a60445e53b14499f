package serve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"cartwheel/internal/event"
	"cartwheel/internal/recommend"
)

// maxSessionEvents bounds a session. Real ones are far shorter.
const maxSessionEvents = 1000

// sessionBody is what somebody did, oldest first: as events, or as the items of views.
type sessionBody struct {
	Events *[]sessionEvent `json:"events"`
	Items  *[]id           `json:"items"`
}

type sessionEvent struct {
	ItemID    id     `json:"itemid"`
	Event     string `json:"event"`
	Timestamp *int64 `json:"timestamp"`
}

// sessionRecommendations answers POST /v1/sessions/recommendations.
func sessionRecommendations(c *gin.Context, v *served) {
	_, o, ok := v.listQuery(c, true, listParams...)
	if !ok {
		return
	}
	var body sessionBody
	if !readJSON(c, &body) {
		return
	}
	clicks, bad := body.clicks()
	if bad != nil {
		refuse(c, bad)
		return
	}
	answerItems(c, v, v.Session(clicks, o))
}

// clicks are what was done, oldest first: as it came, or by the times where all are given.
func (b *sessionBody) clicks() ([]recommend.Click, *badField) {
	if (b.Events == nil) == (b.Items == nil) {
		return nil, &badField{field: "events", detail: `the body must have either "events" or "items", as an array`}
	}
	if b.Items != nil {
		if len(*b.Items) > maxSessionEvents {
			return nil, &badField{field: "items", detail: fmt.Sprintf("items has %d entries, more than %d", len(*b.Items), maxSessionEvents)}
		}
		clicks := make([]recommend.Click, len(*b.Items))
		for i, item := range *b.Items {
			if err := event.ValidateID("itemid", string(item)); err != nil {
				return nil, &badField{field: fmt.Sprintf("items[%d]", i), detail: err.Error()}
			}
			clicks[i] = recommend.Click{ItemID: string(item), Event: event.View}
		}
		return clicks, nil
	}
	if len(*b.Events) > maxSessionEvents {
		return nil, &badField{field: "events", detail: fmt.Sprintf("events has %d entries, more than %d", len(*b.Events), maxSessionEvents)}
	}
	timed := true
	for i := range *b.Events {
		e := &(*b.Events)[i]
		if e.Event == "" {
			e.Event = event.View
		}
		field := fmt.Sprintf("events[%d]", i)
		if err := event.ValidateID("itemid", string(e.ItemID)); err != nil {
			return nil, &badField{field: field + ".itemid", detail: err.Error()}
		}
		if !slices.Contains(event.Kinds, e.Event) {
			return nil, &badField{field: field + ".event", detail: fmt.Sprintf("event %s is none of %s", show(e.Event), strings.Join(event.Kinds, ", "))}
		}
		if e.Timestamp != nil && (*e.Timestamp <= 0 || *e.Timestamp > event.MaxTimestamp) {
			return nil, &badField{field: field + ".timestamp", detail: fmt.Sprintf("timestamp %d is not a Unix time in milliseconds", *e.Timestamp)}
		}
		timed = timed && e.Timestamp != nil
	}
	if timed {
		slices.SortStableFunc(*b.Events, func(x, y sessionEvent) int { return cmp.Compare(*x.Timestamp, *y.Timestamp) })
	}
	clicks := make([]recommend.Click, len(*b.Events))
	for i, e := range *b.Events {
		clicks[i] = recommend.Click{ItemID: string(e.ItemID), Event: e.Event}
	}
	return clicks, nil
}

// id is an opaque id, which JSON may hold as a string or as a whole number.
type id string

func (i *id) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	value, err := d.ReadValue()
	switch {
	case err != nil:
		return err
	case value.Kind() == '"':
		text, err := jsontext.AppendUnquote(nil, value)
		*i = id(text)
		return err
	case value.Kind() == '0' && strings.Trim(string(value), "0123456789") == "":
		*i = id(value)
		return nil
	}
	return fmt.Errorf("an id is neither a string nor a whole number: %s", show(string(value)))
}
