package train

import (
	"context"
	"fmt"
	"time"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

const (
	// sessionPause ends a session.
	sessionPause = 30 * time.Minute
	// reach is how many steps apart two items of a session still count as seen together.
	reach = 10
	// neighbourLimit is how many neighbours an item keeps.
	neighbourLimit = 100
	// longHalfLife and shortHalfLife, in days, are those of being seen together. What goes together changes with the season in some
	// shops and hardly ever in others; the blend weighs the two.
	longHalfLife, shortHalfLife = 90, 10
	// bucket bounds how many events of one moment are paired: an order of a thousand lines would else make a million pairs.
	bucket = 100
)

// sessions numbers each visitor's sessions and the events in them: columns item, timestamp, session (string), n (events of the
// session), row (place in the session) and step (place of its moment: events of the same millisecond, such as the lines of an order,
// have no order among themselves and share a step).
func sessions(ctx context.Context, numbered sql.DataFrame) (sql.DataFrame, error) {
	const byTime = "PARTITION BY visitor ORDER BY timestamp, eventid"
	begun, err := numbered.SelectExpr(ctx, "visitor", "item", "timestamp", "eventid", fmt.Sprintf(
		"IF(timestamp - lag(timestamp) OVER (%s) > %d, 1, 0) begins", byTime, sessionPause.Milliseconds()))
	if err != nil {
		return nil, err
	}
	numberedSessions, err := begun.SelectExpr(ctx, "visitor", "item", "timestamp", "eventid", fmt.Sprintf("sum(begins) OVER (%s) s", byTime))
	if err != nil {
		return nil, err
	}
	return numberedSessions.SelectExpr(ctx, "item", "timestamp", "concat(visitor, '.', s) session",
		"count(*) OVER (PARTITION BY visitor, s) n",
		"row_number() OVER (PARTITION BY visitor, s ORDER BY timestamp, eventid) row",
		"dense_rank() OVER (PARTITION BY visitor, s ORDER BY timestamp) step")
}

// together counts how often items are seen together: columns x, y (int), and the counts by the long half-life, neighbours, and by the
// short one, recent_neighbours.
//
// Every pair of events i before j of a session of n events, at most reach steps d apart, counts
//
//	w = d^-0.5 · n^-0.25 · 2^(-age/halfLife)
//
// for the step from i's item to j's, and backward·w for the way back; an item may follow itself.
func together(ctx context.Context, s *spark.Session, sessions sql.DataFrame, now int64) (sql.DataFrame, error) {
	if err := sessions.CreateOrReplaceTempView(ctx, "cartwheel_sessions"); err != nil {
		return nil, err
	}
	const backward = 0.8
	// The join is by session and bucket of rows, each row looking into its own bucket and the next, so that its size is bounded by
	// the events times the bucket and not by the square of a session's length.
	return s.Sql(ctx, fmt.Sprintf(`
		WITH a AS (SELECT item, timestamp, session, n, row, step, explode(array(row DIV %[1]d, row DIV %[1]d + 1)) b FROM cartwheel_sessions),
		     c AS (SELECT item, session, row, step, row DIV %[1]d b FROM cartwheel_sessions),
		     ahead AS (
		       SELECT a.item x, c.item y, a.timestamp, pow(greatest(c.step - a.step, 1), -0.5D) * pow(a.n, -0.25D) w
		       FROM a JOIN c ON a.session = c.session AND a.b = c.b AND a.row < c.row AND c.row - a.row <= %[1]d AND c.step - a.step <= %[2]d),
		     both AS (SELECT timestamp, inline(IF(x = y, array(struct(x, y, w)), array(struct(x, y, w), struct(y x, x y, %[3]gD * w w)))) FROM ahead)
		SELECT x, y, sum(w * %[4]s) neighbours, sum(w * %[5]s) recent_neighbours FROM both GROUP BY x, y`,
		bucket, reach, backward, decaySQL(longHalfLife, now), decaySQL(shortHalfLife, now)))
}

// neighbours lists the items that are seen together with each item: columns item (int), items (array of int), scores (array of
// float), best first. The score of b beside a is, of the counts C in the column of that name,
//
//	C[a,b] / ((Σb C[a,b] + 1)^0.75 · (Σa C[a,b])^0.1)
//
// for what is seen with everything is near to nothing.
func neighbours(ctx context.Context, s *spark.Session, together sql.DataFrame, column string) (sql.DataFrame, error) {
	if err := together.CreateOrReplaceTempView(ctx, "cartwheel_together"); err != nil {
		return nil, err
	}
	return s.Sql(ctx, fmt.Sprintf(`
		WITH ofx AS (SELECT x, sum(%[1]s) ofx FROM cartwheel_together GROUP BY x),
		     ofy AS (SELECT y, sum(%[1]s) ofy FROM cartwheel_together GROUP BY y),
		     normed AS (
		       SELECT /*+ BROADCAST(ofx), BROADCAST(ofy) */ x, y, CAST(%[1]s / (pow(ofx + 1, 0.75D) * pow(ofy, 0.1D)) AS FLOAT) score
		       FROM cartwheel_together JOIN ofx USING (x) JOIN ofy USING (y) WHERE %[1]s > 0),
		     ranked AS (SELECT x, y, score, row_number() OVER (PARTITION BY x ORDER BY score DESC, y) place FROM normed)
		SELECT x item, transform(l, e -> e.y) items, transform(l, e -> e.score) scores
		FROM (SELECT x, array_sort(collect_list(struct(place, y, score))) l FROM ranked WHERE place <= %[2]d GROUP BY x)`,
		column, neighbourLimit))
}
