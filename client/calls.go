package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// List is a list of items, best first, from one version.
type List struct {
	ModelVersion string `json:"model_version"`
	Strategy     string `json:"strategy"` // als, session, similar or popular
	Items        []Item `json:"items"`
}

// Item is one of a list. Scores can be compared within a list only.
type Item struct {
	ItemID  string  `json:"itemid"`
	Score   float64 `json:"score"`
	Because []Share `json:"because"` // with Explain

	Categories []string `json:"categories"` // likewise
}

// Share is how much of a score one of the visitor's items carries.
type Share struct {
	ItemID string  `json:"itemid"`
	Share  float64 `json:"share"`
}

// Options narrow and cut a list. The zero value asks for the ten best.
type Options struct {
	Limit    int      // 1 to 100; 0 for 10
	Offset   int      // how many of the best to pass over
	Seen     string   // exclude or include, for visitors and sessions; empty for what is usual there
	Exclude  []string // items that may not be shown; no id may hold a comma
	Only     []string // the only items that may be shown, if there are any
	Category string   // the category that items must be in or below
	Explain  bool     // for visitors and sessions: what carries each score
}

func (o Options) query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	if o.Limit != 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	if o.Offset != 0 {
		q.Set("offset", strconv.Itoa(o.Offset))
	}
	set("seen", o.Seen)
	set("exclude", strings.Join(o.Exclude, ","))
	set("only", strings.Join(o.Only, ","))
	set("category", o.Category)
	if o.Explain {
		q.Set("explain", "true")
	}
	return q
}

// Visitor asks for the best items for a visitor, known or not.
func (c *Client) Visitor(ctx context.Context, visitorID string, o Options) (list List, err error) {
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/visitors/" + url.PathEscape(visitorID) + "/recommendations", query: o.query()}, &list)
	return list, err
}

// VisitorLists are lists for visitors, in the order asked, all from one version.
type VisitorLists struct {
	ModelVersion string `json:"model_version"`
	Visitors     []struct {
		VisitorID string `json:"visitorid"`
		Strategy  string `json:"strategy"`
		Items     []Item `json:"items"`
	} `json:"visitors"`
}

// Visitors asks for the best items for up to 1,000 visitors.
func (c *Client) Visitors(ctx context.Context, visitorIDs []string, o Options) (lists VisitorLists, err error) {
	body := map[string][]string{"visitorids": visitorIDs}
	err = c.ask(ctx, call{method: http.MethodPost, path: "/v1/visitors/recommendations", query: o.query(), body: body}, &lists)
	return lists, err
}

// Event is one action in a session.
type Event struct {
	ItemID    string `json:"itemid"`
	Event     string `json:"event,omitempty"`     // view, addtocart or transaction; view if empty
	Timestamp int64  `json:"timestamp,omitempty"` // Unix milliseconds, if known
}

// Session asks for the best items for somebody of whom only what happened in a session is known, oldest event first.
func (c *Client) Session(ctx context.Context, events []Event, o Options) (list List, err error) {
	if events == nil {
		events = []Event{}
	}
	err = c.ask(ctx, call{method: http.MethodPost, path: "/v1/sessions/recommendations", query: o.query(), body: map[string][]Event{"events": events}}, &list)
	return list, err
}

// Similar asks for items like an item, by "visits" or "factors"; by visits if empty.
func (c *Client) Similar(ctx context.Context, itemID, by string, o Options) (list List, err error) {
	q := o.query()
	if by != "" {
		q.Set("by", by)
	}
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/items/" + url.PathEscape(itemID) + "/similar", query: q}, &list)
	return list, err
}

// Popular asks for the items that are wanted most: by one kind of event, or by all kinds if event is empty.
func (c *Client) Popular(ctx context.Context, event string, o Options) (list List, err error) {
	q := o.query()
	if event != "" {
		q.Set("event", event)
	}
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/items/popular", query: q}, &list)
	return list, err
}

// PopularNow asks for the items that are wanted most of late, of which the server counts the events as they come: within "1h", "24h" or
// "7d", by one kind of event, or by all kinds if event is empty. Without a broker the server answers 503.
func (c *Client) PopularNow(ctx context.Context, window, event string, o Options) (list List, err error) {
	q := o.query()
	q.Set("window", window)
	if event != "" {
		q.Set("event", event)
	}
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/items/popular", query: q}, &list)
	return list, err
}

// Scores are one visitor's scores of items, in the order asked.
type Scores struct {
	ModelVersion string `json:"model_version"`
	Strategy     string `json:"strategy"`
	Scores       []struct {
		ItemID string   `json:"itemid"`
		Score  *float64 `json:"score"` // nil for an item that the version does not know
	} `json:"scores"`
}

// Scores asks for a visitor's scores of up to 1,000 items.
func (c *Client) Scores(ctx context.Context, visitorID string, itemIDs []string) (scores Scores, err error) {
	body := struct {
		VisitorID string   `json:"visitorid"`
		ItemIDs   []string `json:"itemids"`
	}{visitorID, itemIDs}
	err = c.ask(ctx, call{method: http.MethodPost, path: "/v1/scores", body: body}, &scores)
	return scores, err
}

// Models are the versions on disk, newest first.
type Models struct {
	Champion *string `json:"champion"` // nil if none is served
	Models   []struct {
		Version  string          `json:"version"`
		Champion bool            `json:"champion"`
		Metrics  json.RawMessage `json:"metrics"`
		Decision *Decision       `json:"decision"` // nil in versions that were promoted without one
		Error    string          `json:"error"`    // why the folder is no sound version
	} `json:"models"`
}

// Decision says whether a training made its version the champion, and why.
type Decision struct {
	Promoted bool   `json:"promoted"`
	Forced   bool   `json:"forced"` // promoted although the comparison was against it
	Reason   string `json:"reason"`
	Champion string `json:"champion"` // that of the time
}

// Models lists the versions.
func (c *Client) Models(ctx context.Context) (models Models, err error) {
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/models"}, &models)
	return models, err
}

// Model returns a version's manifest as the server has it.
func (c *Client) Model(ctx context.Context, version string) (manifest json.RawMessage, err error) {
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/models/" + url.PathEscape(version)}, &manifest)
	return manifest, err
}

// Status returns how the whole system stands, as the contract's Status describes it.
func (c *Client) Status(ctx context.Context) (status json.RawMessage, err error) {
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/status"}, &status)
	return status, err
}

// Activate makes a version the champion and returns what was served before, empty if nothing was. It wants an admin's key.
func (c *Client) Activate(ctx context.Context, version string) (previous string, err error) {
	var answer struct {
		Previous string `json:"previous"`
	}
	err = c.ask(ctx, call{method: http.MethodPost, path: "/v1/models/" + url.PathEscape(version) + "/activate"}, &answer)
	return answer.Previous, err
}

// Health is what a server says of itself.
type Health struct {
	Status       string `json:"status"`
	ModelVersion string `json:"model_version"`
	Fault        string `json:"fault"` // why a newer champion is not served
}

// Ready asks whether the server has a version and is not stopping; if not, that is an error. It asks once.
func (c *Client) Ready(ctx context.Context) (h Health, err error) {
	once := *c
	once.Retries = 0
	err = once.ask(ctx, call{method: http.MethodGet, path: "/readyz"}, &h)
	return h, err
}

// Alive asks whether the process lives. It asks once.
func (c *Client) Alive(ctx context.Context) (h Health, err error) {
	once := *c
	once.Retries = 0
	err = once.ask(ctx, call{method: http.MethodGet, path: "/healthz"}, &h)
	return h, err
}
