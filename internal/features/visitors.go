package features

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/apache/spark-connect-go/v40/spark/sql/column"
	"github.com/apache/spark-connect-go/v40/spark/sql/functions"
)

const (
	// SessionPause ends a session.
	SessionPause = 30 * time.Minute
	// Recent is how long before the moment of a profile an event counts as recent.
	Recent = 3 * 24 * time.Hour

	day = 24 * time.Hour
)

// Window is the stretch of time that profiles are of: events from From on and before At, both Unix milliseconds. At is the moment
// that a visitor is looked at: nothing that happens then or later has a part in a feature.
type Window struct{ From, At int64 }

// Moments adds to events, with the columns visitor, item, event and timestamp, the column before: the time of the visitor's event
// before, or null. Visitors and items may be of any type that can be compared. Profiles starts from here, for any number of windows.
func Moments(ctx context.Context, events sql.DataFrame) (sql.DataFrame, error) {
	df, err := events.SelectExpr(ctx, "visitor", "item", "event", "timestamp", "lag(timestamp) OVER (PARTITION BY visitor ORDER BY timestamp) before")
	if err != nil {
		return nil, fmt.Errorf("finding each event's predecessor: %w", spark.Explain(err))
	}
	return df, nil
}

// Profiles sums up what each visitor did within each window, from the events that Moments returned: columns at (long, the window's),
// visitor, and model.ProfileColumns (long). A visitor without an event in a window has no row for it. All windows are worked out in
// one pass.
func Profiles(ctx context.Context, moments sql.DataFrame, windows ...Window) (sql.DataFrame, error) {
	var all []string
	for _, w := range windows {
		all = append(all, fmt.Sprintf("struct(%dL AS from, %dL AS at)", w.From, w.At))
	}
	within, err := moments.SelectExpr(ctx, "visitor", "item", "event", "timestamp", "before", fmt.Sprintf(
		"explode(filter(array(%s), w -> timestamp >= w.from AND timestamp < w.at)) w", strings.Join(all, ", ")))
	if err != nil {
		return nil, fmt.Errorf("sorting events into windows: %w", spark.Explain(err))
	}
	const hour = "timestamp DIV 3600000 % 24"
	byItem, err := within.GroupBy(expr("w.at", "at"), col("visitor"), col("item")).Agg(ctx,
		expr("min(timestamp)", "first_seen"), expr("max(timestamp)", "last_seen"),
		count("event = 'view'", "views"), count("event = 'addtocart'", "addtocarts"), count("event = 'transaction'", "transactions"),
		// The event before may lie outside the window; then a session begins with this one, as it would if nothing earlier were known.
		count(fmt.Sprintf("before IS NULL OR before < w.from OR timestamp - before > %d", SessionPause.Milliseconds()), "sessions"),
		count(fmt.Sprintf("timestamp >= w.at - %d", Recent.Milliseconds()), "recent_events"),
		count(fmt.Sprintf("timestamp >= w.at - %d AND event = 'addtocart'", Recent.Milliseconds()), "recent_addtocarts"),
		count(hour+" BETWEEN 6 AND 11", "morning"), count(hour+" BETWEEN 12 AND 17", "afternoon"), count(hour+" >= 18", "evening"),
		count("(timestamp DIV 86400000 + 4) % 7 IN (0, 6)", "weekend")) // the first of January 1970 was a Thursday
	if err != nil {
		return nil, fmt.Errorf("summing up events by item: %w", spark.Explain(err))
	}
	sums := []column.Convertible{expr("min(first_seen)", "first_seen"), expr("max(last_seen)", "last_seen"),
		expr("count(*)", "items"), count("views > 0", "viewed_items"), count("addtocarts > 0", "addtocart_items"), count("transactions > 0", "transaction_items"),
		count("views > 0 AND addtocarts > 0", "viewed_addtocart_items"), count("addtocarts > 0 AND transactions > 0", "addtocart_transaction_items")}
	for _, name := range []string{"views", "addtocarts", "transactions", "sessions", "recent_events", "recent_addtocarts", "morning", "afternoon", "evening", "weekend"} {
		sums = append(sums, expr("sum("+name+")", name))
	}
	profiles, err := byItem.GroupBy(col("at"), col("visitor")).Agg(ctx, sums...)
	if err != nil {
		return nil, fmt.Errorf("summing up events by visitor: %w", spark.Explain(err))
	}
	ordered, err := profiles.SelectExpr(ctx, append([]string{"at", "visitor"}, model.ProfileColumns...)...)
	if err != nil {
		return nil, fmt.Errorf("summing up events by visitor: %w", spark.Explain(err))
	}
	return ordered, nil
}

// ProfileOf sums up one visitor's events within a window, as Profiles does.
func ProfileOf(events []event.Event, w Window) model.Profile {
	within := make([]event.Event, 0, len(events))
	for _, e := range events {
		if e.Timestamp >= w.From && e.Timestamp < w.At {
			within = append(within, e)
		}
	}
	slices.SortStableFunc(within, func(a, b event.Event) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	var p model.Profile
	type acts struct{ viewed, carted, bought bool }
	items := map[string]acts{}
	for i, e := range within {
		recent := e.Timestamp >= w.At-Recent.Milliseconds()
		did := items[e.ItemID]
		switch e.Event {
		case event.View:
			p.Views++
			did.viewed = true
		case event.AddToCart:
			p.Carts++
			did.carted = true
			add(&p.RecentCarts, recent)
		case event.Transaction:
			p.Orders++
			did.bought = true
		}
		items[e.ItemID] = did
		add(&p.Sessions, i == 0 || e.Timestamp-within[i-1].Timestamp > SessionPause.Milliseconds())
		add(&p.RecentEvents, recent)
		at := time.UnixMilli(e.Timestamp).UTC()
		add(&p.Morning, at.Hour() >= 6 && at.Hour() < 12)
		add(&p.Afternoon, at.Hour() >= 12 && at.Hour() < 18)
		add(&p.Evening, at.Hour() >= 18)
		add(&p.Weekend, at.Weekday() == time.Saturday || at.Weekday() == time.Sunday)
	}
	for _, did := range items {
		p.Items++
		add(&p.Viewed, did.viewed)
		add(&p.Carted, did.carted)
		add(&p.Bought, did.bought)
		add(&p.ViewedCarted, did.viewed && did.carted)
		add(&p.CartedBought, did.carted && did.bought)
	}
	if len(within) > 0 {
		p.FirstSeen, p.LastSeen = within[0].Timestamp, within[len(within)-1].Timestamp
	}
	return p
}

func add(n *int64, ok bool) {
	if ok {
		*n++
	}
}

func col(name string) column.Column { return functions.Col(name) }

func expr(sql, name string) column.Alias { return column.WithAlias(name, functions.Expr(sql)) }

func count(condition, name string) column.Alias { return expr("count_if("+condition+")", name) }
