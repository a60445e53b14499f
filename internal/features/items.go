package features

import (
	"context"
	"fmt"
	"time"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/apache/spark-connect-go/v40/spark/sql/functions"
	"github.com/apache/spark-connect-go/v40/spark/sql/utils"
)

const (
	// itemHalfLife and trendHalfLife are those of an item's popularity, and of the shorter one that its trend compares with.
	itemHalfLife  = 30 * day
	trendHalfLife = 5 * day
)

// Items turns events before at, with the columns visitor, item, event and timestamp, into what can be told about items: columns
//
//	item
//	views, addtocarts, transactions  double: counts, an event of age a counting 2^(-a/30 days)
//	visitors                         long: distinct ones
//	conversion                       double: share of the visitors who looked at it, put it into the cart or bought it that bought it
//	age_days                         double: since its first event
//	trend                            double: log2 of how many times as often as over the 30 days' half-life it is met of late, over
//	                                 one of 5 days; smoothed by one event, so that a single one is no trend
//	category                         of categories (columns item and category), null where there is none
//
// categories may be nil.
func Items(ctx context.Context, events, categories sql.DataFrame, at int64) (sql.DataFrame, error) {
	before, err := events.Where(ctx, fmt.Sprintf("timestamp < %d", at))
	if err != nil {
		return nil, fmt.Errorf("choosing events: %w", spark.Explain(err))
	}
	long, short := decaySQL(itemHalfLife, at), decaySQL(trendHalfLife, at)
	sums, err := before.GroupBy(col("item")).Agg(ctx,
		expr(fmt.Sprintf("sum(IF(event = 'view', %s, 0D))", long), "views"),
		expr(fmt.Sprintf("sum(IF(event = 'addtocart', %s, 0D))", long), "addtocarts"),
		expr(fmt.Sprintf("sum(IF(event = 'transaction', %s, 0D))", long), "transactions"),
		expr("count(DISTINCT visitor)", "visitors"),
		expr("count(DISTINCT IF(event = 'transaction', visitor, NULL))", "buyers"),
		expr(fmt.Sprintf("sum(%s)", long), "long"), expr(fmt.Sprintf("sum(%s)", short), "short"),
		expr("min(timestamp)", "first_seen"))
	if err != nil {
		return nil, fmt.Errorf("summing up events by item: %w", spark.Explain(err))
	}
	// A steady stream of events has sums in proportion to the half-lives.
	items, err := sums.SelectExpr(ctx, "item", "views", "addtocarts", "transactions", "visitors",
		"buyers / CAST(visitors AS DOUBLE) conversion",
		fmt.Sprintf("(%d - first_seen) / 86400000D age_days", at),
		fmt.Sprintf("log2((short + 1) / (long * %gD + 1)) trend", trendHalfLife.Seconds()/itemHalfLife.Seconds()))
	if err != nil {
		return nil, fmt.Errorf("working out item features: %w", spark.Explain(err))
	}
	if categories == nil {
		items, err = items.SelectExpr(ctx, "*", "CAST(NULL AS STRING) category")
	} else {
		items, err = withCategory(ctx, items, categories)
	}
	if err != nil {
		return nil, fmt.Errorf("adding categories: %w", spark.Explain(err))
	}
	return items, nil
}

func withCategory(ctx context.Context, items, categories sql.DataFrame) (sql.DataFrame, error) {
	named, err := categories.SelectExpr(ctx, "item of", "category")
	if err != nil {
		return nil, err
	}
	joined, err := items.Join(ctx, named, functions.Expr("item = of"), utils.JoinTypeLeftOuter)
	if err != nil {
		return nil, err
	}
	return joined.DropByName(ctx, "of")
}

func decaySQL(halfLife time.Duration, now int64) string {
	return fmt.Sprintf("pow(2D, (timestamp - %d) / %dD)", now, halfLife.Milliseconds())
}
