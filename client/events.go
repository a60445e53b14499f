package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"
)

// ShopEvent is what a visitor did.
type ShopEvent struct {
	Timestamp     int64  `json:"timestamp,omitempty"` // Unix milliseconds; now if 0
	VisitorID     string `json:"visitorid"`
	Event         string `json:"event"` // view, addtocart or transaction
	ItemID        string `json:"itemid"`
	TransactionID string `json:"transactionid,omitempty"`
	EventID       string `json:"eventid,omitempty"` // names this event; Events gives it one if it has none
}

// Events sends up to 1,000 events and returns their ids in the order sent once the server has them safe. Every event bears an id before
// it is sent, so that sending it again, here or by the caller, does no harm. It wants a writer's key.
func (c *Client) Events(ctx context.Context, events []ShopEvent) (eventIDs []string, err error) {
	events = slices.Clone(events)
	for i := range events {
		if events[i].EventID == "" {
			events[i].EventID = uuid.NewString()
		}
	}
	var answer struct {
		EventIDs []string `json:"eventids"`
	}
	err = c.ask(ctx, call{method: http.MethodPost, path: "/v1/events", body: events}, &answer)
	return answer.EventIDs, err
}

// Erase makes the API forget a visitor, for good. It wants an admin's key.
func (c *Client) Erase(ctx context.Context, visitorID string) error {
	return c.ask(ctx, call{method: http.MethodDelete, path: "/v1/visitors/" + url.PathEscape(visitorID)}, nil)
}

// Trending asks for the items that are wanted more than before.
func (c *Client) Trending(ctx context.Context, o Options) (list List, err error) {
	err = c.ask(ctx, call{method: http.MethodGet, path: "/v1/items/trending", query: o.query()}, &list)
	return list, err
}
