package train

import (
	"context"
	"fmt"
	"time"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

const (
	// sessionPause ends a session.
	sessionPause = 30 * time.Minute
	// longHalfLife and shortHalfLife, in days, are those of being seen together. What goes together changes with the season in some
	// shops and hardly ever in others; the blend weighs the two.
	longHalfLife, shortHalfLife = 90, 10
	// ahead bounds how many events after it an event is paired with: an order of a thousand lines would else make a million pairs.
	ahead = 100
)

// rule is what the tables of neighbours are made by.
var rule = model.NeighbourRule{
	SessionPauseMinutes: int(sessionPause / time.Minute), MaxSteps: 10, StepExponent: -0.5, SessionExponent: -0.25, Backward: 0.8,
	FromExponent: 0.75, ToExponent: 0.1, Hop: 30, PerItem: 200,
}

// sessions tells what follows each event within its session: columns item, timestamp, n (events of the session), step (place of its
// moment in the session: events of the same millisecond, such as the lines of an order, have no order among themselves and share a
// step), again (place of the next event of the same item, null if there is none) and ahead (of the next events, the constant ahead at
// most: item, step, place, and whether it is the item's first in the session).
func sessions(ctx context.Context, numbered sql.DataFrame) (sql.DataFrame, error) {
	const byTime, bySession = "PARTITION BY visitor ORDER BY timestamp, eventid", "PARTITION BY visitor, s"
	begun, err := numbered.SelectExpr(ctx, "visitor", "item", "timestamp", "eventid", fmt.Sprintf(
		"IF(timestamp - lag(timestamp) OVER (%s) > %d, 1, 0) begins", byTime, sessionPause.Milliseconds()))
	if err != nil {
		return nil, err
	}
	parted, err := begun.SelectExpr(ctx, "visitor", "item", "timestamp", fmt.Sprintf("sum(begins) OVER (%s) s", byTime),
		fmt.Sprintf("row_number() OVER (%s) place", byTime))
	if err != nil {
		return nil, err
	}
	stepped, err := parted.SelectExpr(ctx, "visitor", "s", "item", "timestamp", "place", fmt.Sprintf("count(*) OVER (%s) n", bySession),
		fmt.Sprintf("dense_rank() OVER (%s ORDER BY timestamp) step", bySession),
		fmt.Sprintf("row_number() OVER (%s, item ORDER BY place) = 1 first", bySession),
		fmt.Sprintf("lead(place) OVER (%s, item ORDER BY place) again", bySession))
	if err != nil {
		return nil, err
	}
	return stepped.SelectExpr(ctx, "item", "timestamp", "n", "step", "again", fmt.Sprintf("collect_list(struct(item, step, place, first)) OVER "+
		"(%s ORDER BY place ROWS BETWEEN 1 FOLLOWING AND %d FOLLOWING) ahead", bySession, ahead))
}

// together counts how often items are seen together: columns x, y (int), and the counts by the long half-life, neighbours, and by the
// short one, recent_neighbours.
//
// Every pair of events i before j of a session of n events, at most rule.MaxSteps steps d apart, counts
//
//	w = d^-0.5 · n^-0.25 · 2^(-age/halfLife)
//
// for the step from i's item to j's, and rule.Backward·w for the way back; an item may follow itself.
//
// By the long half-life, a pair of two items counts only if j is the first event of its item and i the last before it of its own, and an
// item follows itself from one of its events to the next only: repeats tell of coming back to an item and of nothing else. Whoever goes to
// and fro between two items would make them nearer with each turn, though only the first told what leads where. The short memory is no
// better for it (docs/quality.md).
func together(ctx context.Context, s *spark.Session, sessions sql.DataFrame, now int64) (sql.DataFrame, error) {
	if err := sessions.CreateOrReplaceTempView(ctx, "cartwheel_sessions"); err != nil {
		return nil, err
	}
	return s.Sql(ctx, fmt.Sprintf(`
		WITH next AS (SELECT item, timestamp, n, step here, again, inline(ahead) AS (y, step, place, first) FROM cartwheel_sessions),
		     forth AS (
		       SELECT item x, y, timestamp, pow(greatest(step - here, 1), %gD) * pow(n, %gD) w,
		              (first OR y = item) AND place <= coalesce(again, place) leads
		       FROM next WHERE step - here <= %d),
		     both AS (SELECT timestamp, leads, inline(IF(x = y, array(struct(x, y, w)), array(struct(x, y, w), struct(y x, x y, %gD * w w)))) FROM forth)
		SELECT x, y, sum(IF(leads, w, 0D) * %s) neighbours, sum(w * %s) recent_neighbours FROM both GROUP BY x, y`,
		rule.StepExponent, rule.SessionExponent, rule.MaxSteps, rule.Backward, features.Decay(longHalfLife, now), features.Decay(shortHalfLife, now)))
}

// neighbours makes the table of that name from the counts of that name. Widening helps where sessions are short and items many, and
// blurs what is near of late, so only the long memory is widened; the blend weighs the two.
func neighbours(ctx context.Context, s *spark.Session, together sql.DataFrame, name string, wide bool) (sql.DataFrame, error) {
	scored, err := near(ctx, s, together, name)
	if err != nil {
		return nil, err
	}
	if wide {
		if scored, err = widen(ctx, s, scored); err != nil {
			return nil, err
		}
	}
	return nearest(ctx, s, scored)
}

// near scores each pair of items that are seen together: columns x, y (int), score (float). Of the counts C in the column of that name
//
//	S[x,y] = C[x,y] / ((Σy C[x,y] + 1)^0.75 · (Σx C[x,y])^0.1)
//
// for what is seen with everything is near to nothing.
func near(ctx context.Context, s *spark.Session, together sql.DataFrame, column string) (sql.DataFrame, error) {
	if err := together.CreateOrReplaceTempView(ctx, "cartwheel_together"); err != nil {
		return nil, err
	}
	return s.Sql(ctx, fmt.Sprintf(`
		WITH ofx AS (SELECT x, sum(%[1]s) ofx FROM cartwheel_together GROUP BY x),
		     ofy AS (SELECT y, sum(%[1]s) ofy FROM cartwheel_together GROUP BY y)
		SELECT /*+ BROADCAST(ofx), BROADCAST(ofy) */ x, y, CAST(%[1]s / (pow(ofx + 1, %[2]gD) * pow(ofy, %[3]gD)) AS FLOAT) score
		FROM cartwheel_together JOIN ofx USING (x) JOIN ofy USING (y) WHERE %[1]s > 0`, column, rule.FromExponent, rule.ToExponent))
}

// widen adds to what an item is near to what these are near to in turn, for most items are seen too rarely to have met all that goes
// with them. Of the rule.Hop nearest of each item, itself left out, it makes
//
//	S'[x,z] = S[x,z] + Σy S[x,y] · S[y,z]    (z ≠ x)
func widen(ctx context.Context, s *spark.Session, near sql.DataFrame) (sql.DataFrame, error) {
	if err := near.CreateOrReplaceTempView(ctx, "cartwheel_near"); err != nil {
		return nil, err
	}
	return s.Sql(ctx, fmt.Sprintf(`
		WITH hop AS (
		       SELECT x, y, score FROM (SELECT x, y, score, row_number() OVER (PARTITION BY x ORDER BY score DESC, y) place FROM cartwheel_near WHERE x <> y)
		       WHERE place <= %d),
		     both AS (
		       SELECT x, y, CAST(score AS DOUBLE) score FROM cartwheel_near
		       UNION ALL
		       SELECT a.x, b.y, CAST(a.score AS DOUBLE) * b.score FROM hop a JOIN hop b ON a.y = b.x WHERE a.x <> b.y)
		SELECT x, y, CAST(sum(score) AS FLOAT) score FROM both GROUP BY x, y`, rule.Hop))
}

// nearest lists the items that each item is nearest to: columns item (int), items (array of int), scores (array of float), best first.
func nearest(ctx context.Context, s *spark.Session, near sql.DataFrame) (sql.DataFrame, error) {
	if err := near.CreateOrReplaceTempView(ctx, "cartwheel_ranked"); err != nil {
		return nil, err
	}
	return s.Sql(ctx, fmt.Sprintf(`
		WITH ranked AS (SELECT x, y, score, row_number() OVER (PARTITION BY x ORDER BY score DESC, y) place FROM cartwheel_ranked)
		SELECT x item, transform(l, e -> e.y) items, transform(l, e -> e.score) scores
		FROM (SELECT x, array_sort(collect_list(struct(place, y, score))) l FROM ranked WHERE place <= %d GROUP BY x)`, rule.PerItem))
}
