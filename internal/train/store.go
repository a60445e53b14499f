package train

import (
	"context"
	"fmt"
	"path/filepath"

	"cartwheel/internal/erasure"
	"cartwheel/internal/features"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// readEvents brings the store of events up to date. What it returns stays as it is for this training, whatever the consumer publishes
// meanwhile.
func (j *job) readEvents(ctx context.Context) (*features.Snapshot, error) {
	erased, err := erasure.Read(j.DataDir)
	if err != nil {
		return nil, err
	}
	store := features.Store{Session: j.session, DataDir: j.DataDir, SparkDataDir: j.SparkDataDir, Log: j.log}
	events, err := store.Update(ctx, features.StoreOptions{Recompute: j.Recompute, SkipBad: j.SkipBadBatches, Erased: erased})
	if err != nil {
		return nil, err
	}
	if events.Count == 0 {
		return nil, fmt.Errorf("%w: the batch files in %s hold no events%s", errNoData, filepath.Join(j.DataDir, features.BatchesDir), ofOthers(events.Erased))
	}
	return events, nil
}

func ofOthers(erased int64) string {
	if erased == 0 {
		return ""
	}
	return fmt.Sprintf(" but %d of erased visitors", erased)
}

// span is how many events there are, from when to when (Unix ms), and the moment that ages are counted from: all but the latest
// thousandth of the events have happened by then, for one event of a wrong clock, years ahead, must not make all others old.
type span struct{ events, from, to, now int64 }

func spanOf(ctx context.Context, events sql.DataFrame) (span, error) {
	df, err := events.SelectExpr(ctx, "count(*) events", "coalesce(min(timestamp), 0) from", "coalesce(max(timestamp), 0) to",
		"CAST(coalesce(percentile(timestamp, 0.999), 0) AS BIGINT) now")
	if err != nil {
		return span{}, fmt.Errorf("counting events: %w", spark.Explain(err))
	}
	row, err := df.First(ctx)
	if err != nil {
		return span{}, fmt.Errorf("counting events: %w", spark.Explain(err))
	}
	n := func(name string) int64 { v, _ := row.Value(name).(int64); return v }
	return span{n("events"), n("from"), n("to"), n("now")}, nil
}

// splitAt is when the latest share of the events begins (Unix ms).
func splitAt(ctx context.Context, events sql.DataFrame, share float64) (int64, error) {
	df, err := events.SelectExpr(ctx, fmt.Sprintf("CAST(percentile(timestamp, %g) AS BIGINT) at", 1-share))
	if err != nil {
		return 0, fmt.Errorf("finding the latest events: %w", spark.Explain(err))
	}
	row, err := df.First(ctx)
	if err != nil {
		return 0, fmt.Errorf("finding the latest events: %w", spark.Explain(err))
	}
	at, _ := row.Value("at").(int64)
	return at, nil
}

// rows counts the rows of a table in the staging folder.
func (j *job) rows(inside string) (int64, error) {
	return features.CountRows(filepath.Join(j.staging.Dir, inside))
}
