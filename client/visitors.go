package client

import (
	"context"
	"net/http"
	"net/url"
)

// Profile is what is known of a visitor. Times are Unix milliseconds.
type Profile struct {
	ModelVersion string    `json:"model_version"`
	VisitorID    string    `json:"visitorid"`
	FirstSeen    int64     `json:"first_seen"`
	LastSeen     int64     `json:"last_seen"`
	Views        int64     `json:"views"`
	AddToCarts   int64     `json:"addtocarts"`
	Transactions int64     `json:"transactions"`
	Items        int64     `json:"items"` // distinct ones
	Sessions     int64     `json:"sessions"`
	RecentItems  []string  `json:"recent_items"` // newest first
	Segment      *Segment  `json:"segment"`      // nil where the version has no segments
	Purchase     *Purchase `json:"purchase"`     // nil where the version has no model of purchases
}

// Profile asks what is known of a visitor. Of somebody unknown that is an *Error with Status 404.
func (c *Client) Profile(ctx context.Context, visitorID string) (p Profile, err error) {
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/visitors/" + url.PathEscape(visitorID)}, &p)
	return p, err
}

// Purchase is how likely somebody is to buy.
type Purchase struct {
	Probability float64 `json:"probability"` // calibrated: of those with 0.05, about 5 % buy
	WithinDays  int     `json:"within_days"`
	Active      bool    `json:"active"` // whether anything was done in the window that tells; if not, this is the rate of all like that
	AsOf        int64   `json:"as_of"`  // the moment that is asked about, Unix milliseconds
}

// Purchase asks how likely a visitor is to buy, known or not. Where the version has no model of purchases that is an *Error with
// Status 404.
func (c *Client) Purchase(ctx context.Context, visitorID string) (p Purchase, err error) {
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/visitors/" + url.PathEscape(visitorID) + "/purchase-probability"}, &p)
	return p, err
}

// Deeds are what somebody did: Events, each with its time, or, if there are none, Features, which are numbers such as a visitor's
// profile holds ("views", "sessions", "last_seen", … as the contract lists them; what is missing is 0).
type Deeds struct {
	Events   []Event
	Features map[string]int64
	At       int64 // the moment that is asked about, Unix milliseconds; 0 for now
}

func (d Deeds) body() any {
	body := map[string]any{}
	switch {
	case d.Events != nil:
		body["events"] = d.Events
	case d.Features != nil:
		body["features"] = d.Features
	default:
		body["events"] = []Event{}
	}
	if d.At != 0 {
		body["at"] = d.At
	}
	return body
}

// PurchaseOf asks how likely somebody who did this is to buy. For deeds that cannot be, such as more items viewed than views, it returns
// an *Error with Status 422, whose Field says which.
func (c *Client) PurchaseOf(ctx context.Context, d Deeds) (p Purchase, err error) {
	err = c.ask(ctx, call{method: http.MethodPost, path: "/v1/purchase-probability", body: d.body()}, &p)
	return p, err
}

// Segment is a group of visitors. Its number counts from 0, within a version.
type Segment struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// Assigned says into which segment somebody falls.
type Assigned struct {
	ModelVersion string   `json:"model_version"`
	Segment      *Segment `json:"segment"` // nil for somebody of whom nothing is known
	AsOf         int64    `json:"as_of"`   // the moment that ages are counted from, Unix milliseconds
}

// Segment asks for the segment of a visitor, known or not. Where the version has no segments that is an *Error with Status 404.
func (c *Client) Segment(ctx context.Context, visitorID string) (a Assigned, err error) {
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/visitors/" + url.PathEscape(visitorID) + "/segment"}, &a)
	return a, err
}

// SegmentOf asks for the segment of somebody who did this, with errors as those of PurchaseOf.
func (c *Client) SegmentOf(ctx context.Context, d Deeds) (a Assigned, err error) {
	err = c.ask(ctx, call{method: http.MethodPost, path: "/v1/segments/assign", body: d.body()}, &a)
	return a, err
}

// Segments are those of a version's visitors. Means are by feature.
type Segments struct {
	ModelVersion string             `json:"model_version"`
	AsOf         int64              `json:"as_of"` // Unix milliseconds
	Visitors     int64              `json:"visitors"`
	Means        map[string]float64 `json:"means"` // of all visitors
	Segments     []struct {
		Segment
		Visitors int64              `json:"visitors"`
		Means    map[string]float64 `json:"means"`
	} `json:"segments"`
}

// Segments lists the segments.
func (c *Client) Segments(ctx context.Context) (s Segments, err error) {
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/segments"}, &s)
	return s, err
}
