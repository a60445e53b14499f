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
	// sessionPause ends a session.
	sessionPause = 30 * time.Minute
	// recent is how long before the moment of a profile an event counts as recent.
	recent = 3 * 24 * time.Hour

	day = 24 * time.Hour
)

// Window is the stretch of time that profiles are of: events from From on and before At, both Unix milliseconds. At is the moment
// that a visitor is looked at: nothing that happens then or later has a part in a feature.
type Window struct{ From, At int64 }

func (w Window) has(timestamp int64) bool { return timestamp >= w.From && timestamp < w.At }

// Check says why a profile that somebody has told cannot be of events in this window, if it cannot. The error is a *model.Impossible.
func (w Window) Check(p model.Profile) error {
	if err := p.Check(); err != nil {
		return err
	}
	recent := w.At - recent.Milliseconds()
	for _, wrong := range []struct {
		so     bool
		column string
		why    string
	}{
		{p.Events() == 0 && p.LastSeen > 0, "last_seen", "there is a last_seen but no event"},
		{p.Events() > 0 && p.FirstSeen < w.From, "first_seen", fmt.Sprintf("first_seen is before %d, where the window begins that counts", w.From)},
		{p.Events() > 0 && p.LastSeen >= w.At, "last_seen", fmt.Sprintf("last_seen is not before %d, the moment that is asked about", w.At)},
		{p.LastSeen >= recent && p.Events() > 0 && p.RecentEvents == 0, "recent_events", fmt.Sprintf("last_seen is within the %v before %d, but there are no recent_events", recent, w.At)},
		{p.LastSeen < recent && p.RecentEvents > 0, "recent_events", fmt.Sprintf("there are recent_events, but last_seen is not within the %v before %d", recent, w.At)},
		{p.FirstSeen >= recent && p.RecentEvents < p.Events(), "recent_events", fmt.Sprintf("recent_events is less than the events, but first_seen is within the %v before %d", recent, w.At)},
		{p.FirstSeen >= recent && p.RecentCarts < p.Carts, "recent_addtocarts", fmt.Sprintf("recent_addtocarts is less than addtocarts, but first_seen is within the %v before %d", recent, w.At)},
	} {
		if wrong.so {
			return &model.Impossible{Column: wrong.column, Why: wrong.why}
		}
	}
	return nil
}

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
		count(fmt.Sprintf("before IS NULL OR before < w.from OR timestamp - before > %d", sessionPause.Milliseconds()), "sessions"),
		count(fmt.Sprintf("timestamp >= w.at - %d", recent.Milliseconds()), "recent_events"),
		count(fmt.Sprintf("timestamp >= w.at - %d AND event = 'addtocart'", recent.Milliseconds()), "recent_addtocarts"),
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
		if w.has(e.Timestamp) {
			within = append(within, e)
		}
	}
	slices.SortStableFunc(within, func(a, b event.Event) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	var p model.Profile
	for i, e := range within {
		recent := e.Timestamp >= w.At-recent.Milliseconds()
		add(&p.Views, e.Event == event.View)
		add(&p.Carts, e.Event == event.AddToCart)
		add(&p.RecentCarts, e.Event == event.AddToCart && recent)
		add(&p.Orders, e.Event == event.Transaction)
		add(&p.Sessions, i == 0 || e.Timestamp-within[i-1].Timestamp > sessionPause.Milliseconds())
		add(&p.RecentEvents, recent)
		at := time.UnixMilli(e.Timestamp).UTC()
		add(&p.Morning, at.Hour() >= 6 && at.Hour() < 12)
		add(&p.Afternoon, at.Hour() >= 12 && at.Hour() < 18)
		add(&p.Evening, at.Hour() >= 18)
		add(&p.Weekend, at.Weekday() == time.Saturday || at.Weekday() == time.Sunday)
	}
	for _, did := range actsOf(within, w) {
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

// acts are the kinds of event that an item has met.
type acts struct{ viewed, carted, bought bool }

// actsOf says what was done to each item within a window.
func actsOf(events []event.Event, w Window) map[string]acts {
	items := map[string]acts{}
	for _, e := range events {
		if w.has(e.Timestamp) {
			did := items[e.ItemID]
			did.viewed = did.viewed || e.Event == event.View
			did.carted = did.carted || e.Event == event.AddToCart
			did.bought = did.bought || e.Event == event.Transaction
			items[e.ItemID] = did
		}
	}
	return items
}

func add(n *int64, ok bool) {
	if ok {
		*n++
	}
}

func col(name string) column.Column { return functions.Col(name) }

func expr(sql, name string) column.Alias { return column.WithAlias(name, functions.Expr(sql)) }

func count(condition, name string) column.Alias { return expr("count_if("+condition+")", name) }
