package features

import (
	"context"
	"fmt"

	"cartwheel/internal/event"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/apache/spark-connect-go/v40/spark/sql/column"
	"github.com/apache/spark-connect-go/v40/spark/sql/functions"
	"github.com/apache/spark-connect-go/v40/spark/sql/utils"
)

// What an item's trend compares, and how many expected events it has to its name before it has any.
const (
	recentDays  = 7
	earlierDays = 28
	trendPrior  = 5
)

// Items sums up what happened to each item, from events with the columns item, event and timestamp: columns item, and for each kind of
// event how often it happened, such as views (long), and how popular that makes the item, such as view_score (double): the sum over
// these events of Decay. All kinds together are the sum of their scores, each times what such an event is worth.
//
// The column trend (double) is how much more the item is wanted of late than before, beside all others:
//
//	(n + a) / (E + a)
//
// with n the item's events of the last 7 days up to the moment at, and later ones; E = m N/M what the m events of the 28 days before
// lead to expect, where N and M are all items' events of the same days; and a = 5. So few events make no trend, nor does a season in
// which everything is wanted more; if nothing happened in the 28 days, every trend is 1. It is the mean of what an item's true rise may
// be, if rises are spread about 1 by Gamma(a, a), and E is the count expected from the margins of the table: DuMouchel 1999, "Bayesian
// Data Mining in Large Frequency Tables", with one component.
//
// The column category (string) is the item's in categories, which has the columns item and category, an item at most once; it is null
// for an item that is not there, and for all if categories is nil.
func Items(ctx context.Context, events sql.DataFrame, halfLifeDays float64, at int64, categories sql.DataFrame) (sql.DataFrame, error) {
	recent, earlier := at-recentDays*day.Milliseconds(), at-(recentDays+earlierDays)*day.Milliseconds()
	sums := []column.Convertible{expr(fmt.Sprintf("count_if(timestamp > %d)", recent), "recent"),
		expr(fmt.Sprintf("count_if(timestamp > %d AND timestamp <= %d)", earlier, recent), "earlier")}
	columns := []string{"item"}
	for _, kind := range event.Kinds {
		sums = append(sums, count(fmt.Sprintf("event = '%s'", kind), ItemCount(kind)),
			expr(fmt.Sprintf("sum(IF(event = '%s', %s, 0D))", kind, Decay(halfLifeDays, at)), ItemScore(kind)))
		columns = append(columns, ItemCount(kind), ItemScore(kind))
	}
	failed := func(err error) error { return fmt.Errorf("summing up events by item: %w", spark.Explain(err)) }
	items, err := events.GroupBy(col("item")).Agg(ctx, sums...)
	if err != nil {
		return nil, failed(err)
	}
	category := "CAST(NULL AS STRING) category"
	if categories != nil {
		category = "category"
		if categories, err = categories.SelectExpr(ctx, "item placed", "category"); err != nil {
			return nil, failed(err)
		}
		if items, err = items.Join(ctx, categories, functions.Expr("item = placed"), utils.JoinTypeLeftOuter); err != nil {
			return nil, failed(err)
		}
	}
	columns = append(columns, fmt.Sprintf("(recent + %[1]dD) / (coalesce(earlier * sum(recent) OVER () / nullif(sum(earlier) OVER (), 0), recent) + %[1]dD) trend", trendPrior), category)
	if items, err = items.SelectExpr(ctx, columns...); err != nil {
		return nil, failed(err)
	}
	return items, nil
}

// ItemCount and ItemScore are the columns of Items for a kind of event.
func ItemCount(kind string) string { return kind + "s" }

// ItemScore is said at ItemCount.
func ItemScore(kind string) string { return kind + "_score" }

// Decay is SQL for what an event weighs by its age: 2^(-age/halfLife), its age counted from the moment at (Unix ms) back to the column
// timestamp, and 0 if the event is later.
func Decay(halfLifeDays float64, at int64) string {
	return fmt.Sprintf("pow(2D, least(timestamp - %d, 0) / %gD)", at, halfLifeDays*float64(day.Milliseconds()))
}
