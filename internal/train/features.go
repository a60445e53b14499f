package train

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/apache/spark-connect-go/v40/spark/sql/column"
	"github.com/apache/spark-connect-go/v40/spark/sql/functions"
	"github.com/apache/spark-connect-go/v40/spark/sql/utils"
)

const batchSchema = "timestamp BIGINT, visitorid STRING, event STRING, itemid STRING, transactionid STRING, eventid STRING"

// readBatches returns the rows of all batch files under dir, as the cluster sees it. spark-connect-go's reader takes no schema, so
// the table is declared in SQL. A file that does not fit the schema ends the training with its name, it is never dropped in silence.
func readBatches(ctx context.Context, s *spark.Session, dir string) (sql.DataFrame, error) {
	_, err := s.Sql(ctx, fmt.Sprintf(`CREATE OR REPLACE TEMPORARY VIEW batches (%s) USING csv
		OPTIONS (path %s, header 'true', enforceSchema 'false', mode 'FAILFAST', escape '"', encoding 'UTF-8')`,
		batchSchema, literal(dir+"/batch_*.csv")))
	if err != nil {
		return nil, fmt.Errorf("opening the batch files in %s: %w (the Spark cluster must see them there; SPARK_DATA_DIR or --spark-data-dir names the folder as it sees it)",
			dir, spark.Explain(err))
	}
	return s.Table("batches")
}

// dropRepeats keeps one row for each eventid: delivery repeats an event whole, so any of its rows will do. The column "rows" counts them.
func dropRepeats(ctx context.Context, batches sql.DataFrame) (sql.DataFrame, error) {
	return batches.GroupBy(col("eventid")).Agg(ctx,
		expr("first(timestamp)", "timestamp"), expr("first(visitorid)", "visitorid"), expr("first(event)", "event"),
		expr("first(itemid)", "itemid"), expr("count(*)", "rows"))
}

// eventStats is one pass over the clean events.
type eventStats struct {
	rows, events       int64
	from, to, holdFrom int64 // Unix ms; holdFrom is where the latest share of the events begins
}

func statsOf(ctx context.Context, events sql.DataFrame, holdout float64) (eventStats, error) {
	df, err := events.SelectExpr(ctx, "CAST(coalesce(sum(rows), 0) AS BIGINT) rows", "count(*) events", "coalesce(min(timestamp), 0) from",
		"coalesce(max(timestamp), 0) to", fmt.Sprintf("CAST(coalesce(percentile(timestamp, %g), 0) AS BIGINT) hold", 1-holdout))
	if err != nil {
		return eventStats{}, spark.Explain(err)
	}
	row, err := df.First(ctx)
	if err != nil {
		return eventStats{}, spark.Explain(err)
	}
	n := func(name string) int64 { v, _ := row.Value(name).(int64); return v }
	return eventStats{rows: n("rows"), events: n("events"), from: n("from"), to: n("to"), holdFrom: n("hold")}, nil
}

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

// pairs sums each visitor's events on each item to a strength: columns visitor, item (int), strength (float), last (ms).
// An event of age a weighs weight(event) * 2^(-a/halfLife), its age counted from now, the latest event.
func pairs(ctx context.Context, numbered sql.DataFrame, weights Weights, halfLifeDays float64, now int64) (sql.DataFrame, error) {
	weight := weightSQL(weights)
	if halfLifeDays > 0 {
		weight = fmt.Sprintf("%s * %s", weight, decaySQL(halfLifeDays, now))
	}
	return numbered.GroupBy(col("visitor"), col("item")).Agg(ctx,
		expr(fmt.Sprintf("CAST(sum(%s) AS FLOAT)", weight), "strength"), expr("max(timestamp)", "last"))
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

// seen lists each visitor's items, newest first: columns visitor (int), items (array of int), strengths and ages (arrays of float,
// ages in days before now).
func seen(ctx context.Context, pairs sql.DataFrame, now int64) (sql.DataFrame, error) {
	grouped, err := pairs.GroupBy(col("visitor")).Agg(ctx, expr("sort_array(collect_list(struct(last, item, strength)), false)", "l"))
	if err != nil {
		return nil, err
	}
	return grouped.SelectExpr(ctx, "visitor", "transform(l, x -> x.item) items", "transform(l, x -> x.strength) strengths",
		fmt.Sprintf("transform(l, x -> CAST((%d - x.last) / %gD AS FLOAT)) ages", now, dayMS))
}

// popularLimit is how many items each list of popular ones has; serving goes on by frequency when it runs out.
const popularLimit = 10_000

// popular scores items by their events, each weighing 2^(-age/halfLife): columns event ("all" or a kind), item (int), score (double).
// Under "all" an event counts by its weight.
func popular(ctx context.Context, numbered sql.DataFrame, weights Weights, halfLifeDays float64, now int64) (sql.DataFrame, error) {
	decay := decaySQL(halfLifeDays, now)
	each, err := numbered.SelectExpr(ctx, "item", fmt.Sprintf("inline(array(struct('all' AS kind, %s * %s AS w), struct(event AS kind, %s AS w)))", weightSQL(weights), decay, decay))
	if err != nil {
		return nil, err
	}
	scored, err := each.GroupBy(col("kind"), col("item")).Agg(ctx, expr("sum(w)", "score"))
	if err != nil {
		return nil, err
	}
	ranked, err := scored.SelectExpr(ctx, "kind event", "item", "score", "row_number() OVER (PARTITION BY kind ORDER BY score DESC, item) n")
	if err != nil {
		return nil, err
	}
	ranked, err = ranked.Where(ctx, fmt.Sprintf("n <= %d", popularLimit))
	if err != nil {
		return nil, err
	}
	return ranked.SelectExpr(ctx, "event", "item", "score")
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

func decaySQL(halfLifeDays float64, now int64) string {
	return fmt.Sprintf("pow(2D, (timestamp - %d) / %gD)", now, halfLifeDays*dayMS)
}

// literal writes a string for Spark SQL.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func col(name string) column.Column { return functions.Col(name) }

func expr(sql, name string) column.Alias { return column.WithAlias(name, functions.Expr(sql)) }
