package train

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/features"
	"cartwheel/internal/model"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/apache/spark-connect-go/v40/spark/sql/column"
	"github.com/apache/spark-connect-go/v40/spark/sql/functions"
	"github.com/apache/spark-connect-go/v40/spark/sql/utils"
)

// number gives the values of a column dense numbers from 0, the most frequent first: columns id (int) and the column itself.
func number(ctx context.Context, events sql.DataFrame, name string) (sql.DataFrame, error) {
	counted, err := events.GroupBy(col(name)).Agg(ctx, expr("count(*)", "n"))
	if err != nil {
		return nil, err
	}
	return counted.SelectExpr(ctx, fmt.Sprintf("CAST(row_number() OVER (ORDER BY n DESC, %s) - 1 AS INT) id", name), name)
}

// byNumber replaces ids by their numbers: columns visitor, item (int), event, timestamp, eventid.
func byNumber(ctx context.Context, events, visitors, items sql.DataFrame) (sql.DataFrame, error) {
	v, err := visitors.SelectExpr(ctx, "id visitor", "visitorid v")
	if err != nil {
		return nil, err
	}
	i, err := items.SelectExpr(ctx, "id item", "itemid i")
	if err != nil {
		return nil, err
	}
	joined, err := events.Join(ctx, v, functions.Expr("visitorid = v"), utils.JoinTypeInner)
	if err != nil {
		return nil, err
	}
	if joined, err = joined.Join(ctx, i, functions.Expr("itemid = i"), utils.JoinTypeInner); err != nil {
		return nil, err
	}
	return joined.SelectExpr(ctx, "visitor", "item", "event", "timestamp", "eventid")
}

// habitHalfLife, in days, is that of the days on which a visitor touched an item.
const habitHalfLife = 180

// pairs sums each visitor's events on each item to a strength: columns visitor, item (int), strength (float), last (ms), habit (float).
// An event of age a weighs weight(event) * 2^(-a/halfLife), its age counted from now, 0 if it is later, and nothing if it is older than
// the window; 0 days of either are no limit. A habit is the sum over days
// of the day's greatest weight, with a half-life of its own.
func pairs(ctx context.Context, numbered sql.DataFrame, weights Weights, halfLifeDays, windowDays float64, now int64) (sql.DataFrame, error) {
	weight := weightSQL(weights)
	if halfLifeDays > 0 {
		weight = fmt.Sprintf("%s * %s", weight, features.Decay(halfLifeDays, now))
	}
	if windowDays > 0 {
		weight = fmt.Sprintf("IF(timestamp < %d, 0D, %s)", now-int64(windowDays*dayMS), weight)
	}
	daily, err := numbered.GroupBy(col("visitor"), col("item"), expr(fmt.Sprintf("timestamp DIV %d", int64(dayMS)), "day")).Agg(ctx,
		expr(fmt.Sprintf("sum(%s)", weight), "strength"), expr("max(timestamp)", "last"),
		expr(fmt.Sprintf("max(%s * %s)", weightSQL(weights), features.Decay(habitHalfLife, now)), "habit"))
	if err != nil {
		return nil, err
	}
	return daily.GroupBy(col("visitor"), col("item")).Agg(ctx,
		expr("CAST(sum(strength) AS FLOAT)", "strength"), expr("max(last)", "last"), expr("CAST(sum(habit) AS FLOAT)", "habit"))
}

// ratings are the pairs that ALS learns from: of visitors with at least minItems of them, for whoever has fewer gains nothing from
// factors of his own that serving could not fold in, and costs as much as any other.
func ratings(ctx context.Context, pairs sql.DataFrame, minItems int) (sql.DataFrame, error) {
	counted, err := pairs.SelectExpr(ctx, "visitor", "item", "strength", "count(*) OVER (PARTITION BY visitor) n")
	if err != nil {
		return nil, err
	}
	return counted.Where(ctx, fmt.Sprintf("n >= %d AND strength > 0", minItems))
}

// seen lists each visitor's items, newest first: columns visitor (int), items (array of int), strengths, ages and habits (arrays of
// float, ages in days before now).
func seen(ctx context.Context, pairs sql.DataFrame, now int64) (sql.DataFrame, error) {
	grouped, err := pairs.GroupBy(col("visitor")).Agg(ctx, expr("sort_array(collect_list(struct(last, item, strength, habit)), false)", "l"))
	if err != nil {
		return nil, err
	}
	return grouped.SelectExpr(ctx, "visitor", "transform(l, x -> x.item) items", "transform(l, x -> x.strength) strengths",
		fmt.Sprintf("transform(l, x -> CAST(greatest(%d - x.last, 0) / %gD AS FLOAT)) ages", now, dayMS), "transform(l, x -> x.habit) habits")
}

// popularLimit is how many items each list of popular ones has, and that of trending ones; serving goes on by frequency when it runs
// out. categoryLimit is how many of each category are popular ones whatever their place: the most that an answer kept to one can show.
const (
	popularLimit  = 10_000
	categoryLimit = 100
)

// popular scores items, which features.Items has summed up, by their events: columns event ("all" or a kind), item (int), score (double).
// Under "all" an event counts by its weight. Each list has the first limit items, and of each category the first inCategory.
func popular(ctx context.Context, items sql.DataFrame, weights Weights, limit, inCategory int) (sql.DataFrame, error) {
	var all, lists []string
	for _, kind := range event.Kinds {
		score := features.ItemScore(kind)
		all = append(all, fmt.Sprintf("%gD * %s", weights[kind], score))
		lists = append(lists, fmt.Sprintf("IF(%s > 0, struct('%s' AS event, %s AS score), NULL)", features.ItemCount(kind), kind, score))
	}
	lists = append(lists, fmt.Sprintf("struct('%s' AS event, %s AS score)", model.PopularAll, strings.Join(all, " + ")))
	each, err := items.SelectExpr(ctx, "item", "category", fmt.Sprintf("inline(filter(array(%s), l -> l IS NOT NULL))", strings.Join(lists, ", ")))
	if err != nil {
		return nil, err
	}
	ranked, err := each.SelectExpr(ctx, "event", "item", "score", "row_number() OVER (PARTITION BY event ORDER BY score DESC, item) n",
		"IF(category IS NULL, NULL, row_number() OVER (PARTITION BY event, category ORDER BY score DESC, item)) nth")
	if err != nil {
		return nil, err
	}
	ranked, err = ranked.Where(ctx, fmt.Sprintf("n <= %d OR nth <= %d", limit, inCategory))
	if err != nil {
		return nil, err
	}
	return ranked.SelectExpr(ctx, "event", "item", "score")
}

// trending are the items that are wanted more than before, the largest rise first: columns item (int) and score (double), their trend.
func trending(ctx context.Context, items sql.DataFrame) (sql.DataFrame, error) {
	risen, err := items.SelectExpr(ctx, "item", "trend score", "row_number() OVER (ORDER BY trend DESC, item) n")
	if err != nil {
		return nil, err
	}
	if risen, err = risen.Where(ctx, fmt.Sprintf("score > 1 AND n <= %d", popularLimit)); err != nil {
		return nil, err
	}
	return risen.SelectExpr(ctx, "item", "score")
}

// dayMS is a day in milliseconds.
const dayMS = float64(24 * time.Hour / time.Millisecond)

func weightSQL(weights Weights) string {
	var b strings.Builder
	b.WriteString("CASE event")
	for _, kind := range event.Kinds {
		fmt.Fprintf(&b, " WHEN '%s' THEN %gD", kind, weights[kind])
	}
	b.WriteString(" ELSE 0D END")
	return b.String()
}

func col(name string) column.Column { return functions.Col(name) }

func expr(sql, name string) column.Alias { return column.WithAlias(name, functions.Expr(sql)) }
