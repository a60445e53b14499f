package serve

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"cartwheel/internal/event"
	"cartwheel/internal/live"
)

// maxEvents is how many events one request may bring.
const maxEvents = 1000

// leastTime is in March 1973, as milliseconds, and as seconds far beyond what anybody sends. Taken for milliseconds, an event's time in
// seconds would make it older than all others, and nobody would notice.
const leastTime = 100_000_000_000

// ndjson is the media type of one event a line.
const ndjson = "application/x-ndjson"

// eventBody is an event as a client sends it. Without a time it happens now; without an id it gets one.
type eventBody struct {
	Timestamp     *int64 `json:"timestamp"`
	VisitorID     id     `json:"visitorid"`
	Event         string `json:"event"`
	ItemID        id     `json:"itemid"`
	TransactionID *id    `json:"transactionid"`
	EventID       *id    `json:"eventid"`
}

// postEvents answers POST /v1/events: 202 once Kafka has acknowledged every event. A request with one event that is wrong is refused
// whole, before anything is written.
func (s *Server) postEvents(c *gin.Context) {
	if _, bad := query(c); bad != nil {
		refuse(c, bad)
		return
	}
	if s.needsBroker(c) {
		return
	}
	if s.live.Full() {
		tooFast(c)
		return
	}
	events, ok := readEvents(c, time.Now())
	if !ok {
		return
	}
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = events[i].EventID
	}
	parent, sent := sending(c.Request.Context(), s.live.Topic(), len(events))
	failed, err := s.live.Write(events, parent)
	sent(err)
	switch {
	case err == nil:
		answerJSON(c, http.StatusAccepted, map[string]any{"eventids": ids})
	case errors.Is(err, live.ErrBusy):
		tooFast(c)
	default:
		// A retry under the same ids does no harm: whatever was written is recognised.
		c.Header("Retry-After", "2")
		failWith(c, http.StatusServiceUnavailable, fmt.Sprintf("Kafka did not acknowledge %d of %d events: send them again, under these ids", len(failed), len(events)),
			map[string]any{"eventids": ids, "unacknowledged": failed})
	}
}

// tooFast answers where more events wait for Kafka than may.
func tooFast(c *gin.Context) {
	c.Header("Retry-After", "1")
	fail(c, http.StatusTooManyRequests, "", "events come faster than Kafka takes them; nothing of this request was written")
}

// failWith answers with a problem that has further members.
func failWith(c *gin.Context, status int, detail string, more map[string]any) {
	more["type"], more["title"], more["status"], more["detail"] = "about:blank", http.StatusText(status), status, detail
	more["request_id"] = c.GetString(requestIDKey)
	body, err := json.Marshal(more)
	if err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	c.Header("Cache-Control", "no-store")
	c.Data(status, "application/problem+json", append(body, '\n'))
	c.Abort()
}

// readEvents reads one event, an array of them, or one a line. Where that is not what came, it answers and returns false.
func readEvents(c *gin.Context, now time.Time) ([]event.Event, bool) {
	data, kind, ok := readBody(c, "application/json", ndjson)
	if !ok {
		return nil, false
	}
	list, one, bad := splitEvents(data, kind == ndjson)
	if bad != nil {
		refuse(c, bad)
		return nil, false
	}
	events := make([]event.Event, len(list))
	for i, raw := range list {
		if bad := parseEvent(raw, now, &events[i]); bad != nil {
			if !one {
				bad.detail = fmt.Sprintf("event %d: %s", i, bad.detail)
				place := fmt.Sprintf("[%d]", i)
				if bad.field != "" {
					place += "." + bad.field
				}
				bad.field = place
			}
			refuse(c, bad)
			return nil, false
		}
	}
	return events, true
}

func splitEvents(data []byte, lines bool) (list []jsontext.Value, one bool, bad *badField) {
	switch trimmed := bytes.TrimSpace(data); {
	case lines:
		for line := range bytes.Lines(data) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				list = append(list, line)
			}
			if len(list) > maxEvents {
				break
			}
		}
	case len(trimmed) > 0 && trimmed[0] == '[':
		if bad := decodeJSON(data, (*eventList)(&list), jsontext.AllowDuplicateNames(true)); bad != nil { // which of them has one twice comes later
			return nil, false, bad
		}
	default:
		return []jsontext.Value{data}, true, nil
	}
	switch {
	case len(list) == 0:
		return nil, false, &badField{detail: "the body has no events"}
	case len(list) > maxEvents:
		return nil, false, &badField{detail: errManyEvents.Error()}
	}
	return list, false, nil
}

var errManyEvents = fmt.Errorf("the body has more than %d events: send them in several requests", maxEvents)

// eventList is an array of events that are not read yet. Half a million fit into a body; one too many ends it.
type eventList []jsontext.Value

func (l *eventList) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	_, err := d.ReadToken() // the bracket
	for err == nil && d.PeekKind() != ']' {
		if len(*l) == maxEvents {
			return errManyEvents
		}
		var raw jsontext.Value
		if raw, err = d.ReadValue(); err == nil {
			*l = append(*l, raw.Clone())
		}
	}
	if err == nil {
		_, err = d.ReadToken()
	}
	return err
}

func parseEvent(raw []byte, now time.Time, e *event.Event) *badField {
	var body eventBody
	if bad := decodeJSON(raw, &body); bad != nil {
		return bad
	}
	*e = event.Event{Timestamp: now.UnixMilli(), VisitorID: string(body.VisitorID), Event: body.Event, ItemID: string(body.ItemID)}
	if body.Timestamp != nil {
		e.Timestamp = *body.Timestamp
	}
	for _, given := range []struct {
		from *id
		into *string
		name string
	}{{body.TransactionID, &e.TransactionID, "transactionid"}, {body.EventID, &e.EventID, "eventid"}} {
		if given.from == nil {
			continue
		}
		*given.into = string(*given.from)
		if err := event.ValidateID(given.name, *given.into); err != nil {
			return &badField{field: given.name, detail: err.Error()}
		}
	}
	if err := e.Validate(); err != nil {
		return &badField{field: event.Rule(err), detail: err.Error()}
	}
	if e.Timestamp < leastTime {
		return &badField{field: "timestamp", detail: fmt.Sprintf("timestamp %d would be %s: it is in milliseconds, and this looks like seconds", e.Timestamp, time.UnixMilli(e.Timestamp).UTC().Format(time.DateOnly))}
	}
	if ahead := now.Add(maxAhead).UnixMilli(); e.Timestamp > ahead {
		return &badField{field: "timestamp", detail: fmt.Sprintf("timestamp %d is more than %s ahead of this server's clock", e.Timestamp, maxAhead)}
	}
	if e.EventID == "" {
		var b [event.IDBytes / 2]byte
		_, _ = rand.Read(b[:]) // it never fails
		e.EventID = hex.EncodeToString(b[:])
	}
	return nil
}
