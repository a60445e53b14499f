package features

import (
	"context"
	"fmt"

	"cartwheel/internal/event"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/apache/spark-connect-go/v40/spark/sql/column"
)

// Items sums up what happened to each item, from events with the columns item, event and timestamp: columns item, and for each kind of
// event how often it happened, such as views (long), and how popular that makes the item, such as view_score (double): the sum over
// these events of Decay. All kinds together are the sum of their scores, each times what such an event is worth.
//
// An item's trend is its score by a short half-life beside its score by a long one; its category comes from Catalogue.ItemCategories,
// by the same column item.
func Items(ctx context.Context, events sql.DataFrame, halfLifeDays float64, at int64) (sql.DataFrame, error) {
	var sums []column.Convertible
	for _, kind := range event.Kinds {
		sums = append(sums, count(fmt.Sprintf("event = '%s'", kind), ItemCount(kind)),
			expr(fmt.Sprintf("sum(IF(event = '%s', %s, 0D))", kind, Decay(halfLifeDays, at)), ItemScore(kind)))
	}
	items, err := events.GroupBy(col("item")).Agg(ctx, sums...)
	if err != nil {
		return nil, fmt.Errorf("summing up events by item: %w", spark.Explain(err))
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
