package features

import (
	"context"
	"fmt"

	"cartwheel/internal/model"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// visitorFeature is a number that models learn from, defined twice: for the cluster and for serving. A test holds the two together,
// to the bit, for a tree asks on which side of a threshold a number is.
type visitorFeature struct {
	name string
	sql  string // over the columns of Profiles
	of   func(p *model.Profile, at int64) float64
}

// events is model.Profile.Events in SQL.
const events = "(views + addtocarts + transactions)"

var visitorFeatures = []visitorFeature{
	{"views", "views", func(p *model.Profile, _ int64) float64 { return float64(p.Views) }},
	{"addtocarts", "addtocarts", func(p *model.Profile, _ int64) float64 { return float64(p.Carts) }},
	{"transactions", "transactions", func(p *model.Profile, _ int64) float64 { return float64(p.Orders) }},
	{"items", "items", func(p *model.Profile, _ int64) float64 { return float64(p.Items) }},
	{"sessions", "sessions", func(p *model.Profile, _ int64) float64 { return float64(p.Sessions) }},
	{"recency_days", "greatest(at - last_seen, 0) / 86400000D", func(p *model.Profile, at int64) float64 { return days(at - p.LastSeen) }},
	{"tenure_days", "greatest(at - first_seen, 0) / 86400000D", func(p *model.Profile, at int64) float64 { return days(at - p.FirstSeen) }},
	{"events_per_session", ratioSQL(events, "sessions"), func(p *model.Profile, _ int64) float64 { return ratio(p.Events(), p.Sessions) }},
	{"events_per_item", ratioSQL(events, "items"), func(p *model.Profile, _ int64) float64 { return ratio(p.Events(), p.Items) }},
	{"cart_rate", ratioSQL("addtocarts", events), func(p *model.Profile, _ int64) float64 { return ratio(p.Carts, p.Events()) }},
	{"view_to_cart", ratioSQL("viewed_addtocart_items", "viewed_items"), func(p *model.Profile, _ int64) float64 { return ratio(p.ViewedCarted, p.Viewed) }},
	{"cart_to_buy", ratioSQL("addtocart_transaction_items", "addtocart_items"), func(p *model.Profile, _ int64) float64 { return ratio(p.CartedBought, p.Carted) }},
	{"open_carts", "addtocart_items - addtocart_transaction_items", func(p *model.Profile, _ int64) float64 { return float64(p.Carted - p.CartedBought) }},
	{"recent_events", "recent_events", func(p *model.Profile, _ int64) float64 { return float64(p.RecentEvents) }},
	{"recent_addtocarts", "recent_addtocarts", func(p *model.Profile, _ int64) float64 { return float64(p.RecentCarts) }},
	{"morning_share", ratioSQL("morning", events), func(p *model.Profile, _ int64) float64 { return ratio(p.Morning, p.Events()) }},
	{"afternoon_share", ratioSQL("afternoon", events), func(p *model.Profile, _ int64) float64 { return ratio(p.Afternoon, p.Events()) }},
	{"evening_share", ratioSQL("evening", events), func(p *model.Profile, _ int64) float64 { return ratio(p.Evening, p.Events()) }},
	{"weekend_share", ratioSQL("weekend", events), func(p *model.Profile, _ int64) float64 { return ratio(p.Weekend, p.Events()) }},
}

// VisitorNames are the visitor features' names, in the order of Visitors and Values.
func VisitorNames() []string {
	names := make([]string, len(visitorFeatures))
	for i, f := range visitorFeatures {
		names[i] = f.name
	}
	return names
}

// Visitors turns profiles into what models learn from: columns at, visitor, and VisitorNames (double).
func Visitors(ctx context.Context, profiles sql.DataFrame) (sql.DataFrame, error) {
	columns := []string{"at", "visitor"}
	for _, f := range visitorFeatures {
		columns = append(columns, fmt.Sprintf("CAST(%s AS DOUBLE) %s", f.sql, f.name))
	}
	df, err := profiles.SelectExpr(ctx, columns...)
	if err != nil {
		return nil, fmt.Errorf("working out visitor features: %w", spark.Explain(err))
	}
	return df, nil
}

// Values are a profile's features as of a moment, in the order of VisitorNames and bit for bit those of Visitors.
func Values(p model.Profile, at int64) []float64 {
	values := make([]float64, len(visitorFeatures))
	for i, f := range visitorFeatures {
		values[i] = f.of(&p, at)
	}
	return values
}

// days is never below 0: of a profile that reaches beyond the moment, whose last events have the time of a wrong clock, say.
func days(ms int64) float64 { return float64(max(ms, 0)) / float64(day.Milliseconds()) }

// ratio is part per whole, and 0 where there is no whole.
func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func ratioSQL(part, whole string) string {
	return fmt.Sprintf("IF(%[2]s = 0, 0D, %[1]s / CAST(%[2]s AS DOUBLE))", part, whole)
}
