// Package features makes of a shop's batch files what models learn from: the store of their events, each once, and as DataFrames what
// visitors (Profiles, Visitors) and items (Items) are like, with the categories of the shop's catalogue.
//
// It promises that the store holds each event once and none of erased visitors, whatever order the batch files came in; and what a
// visitor is like is defined for the cluster and for serving alike, and tests hold the two together. It ends where models begin: which
// features one takes, and what it makes of them, is the business of packages purchase, segment and train.
package features

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cartwheel/internal/durable"
	"cartwheel/internal/erasure"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/apache/spark-connect-go/v40/spark/sql/functions"
	"github.com/apache/spark-connect-go/v40/spark/sql/types"
	"github.com/apache/spark-connect-go/v40/spark/sql/utils"
)

const (
	// StoreDir is where the store lies below the data folder.
	StoreDir = "features/events"
	// BatchesDir is where batch files lie below the data folder.
	BatchesDir = "processed_batches"
	// maxParts bounds how many parts a store has before they are made one: each costs every later reading a little.
	maxParts = 16
	// eventSchema is that of the store's files.
	eventSchema = "eventid STRING, timestamp BIGINT, visitorid STRING, event STRING, itemid STRING, transactionid STRING"
)

// Store keeps the events of all batch files as Parquet, each event once, so that a training reads only the batch files that have come
// since the last. Batch files never change once they bear their names, so the name is what a file is known by; where one was changed
// or removed all the same, the store is made anew, and says so. So it is when visitors have been erased, for it holds nothing of them.
//
// A part becomes visible, whole, when the index names it: whatever ends a training in between, the store is as it was, and the next
// Update clears the rest away. The store has no lock of its own: whoever updates or reads it holds that of the models folder.
type Store struct {
	Session      *spark.Session
	DataDir      string // as this program sees it
	SparkDataDir string // as the cluster sees it
	Log          *slog.Logger
}

// StoreOptions say how a store is brought up to date.
type StoreOptions struct {
	Recompute bool // read every batch file again
	SkipBad   bool // go on without batch files that are damaged, instead of refusing
	Erased    erasure.List
}

// Snapshot is what a store holds at one moment.
type Snapshot struct {
	// Events has the columns eventid, timestamp, visitorid, event, itemid and transactionid, each eventid once.
	Events         sql.DataFrame
	Count          int64    // events
	Rows           int64    // of the batch files; what they have more than events and erased ones are repeats
	Erased         int64    // rows among them of erased visitors, who are
	ErasedVisitors int64    // so many
	Files          []string // names of the batch files, in order
	Bad            []string // names of those that were passed over, in order
	Read           int      // how many of Files were read for this snapshot
}

// Update reads the batch files that the store has not, and returns what it then holds. A batch file that is damaged is named, with
// the line, in an error that wraps ErrBatch, or passed over with o.SkipBad: then the next Update looks at it again.
func (s *Store) Update(ctx context.Context, o StoreOptions) (*Snapshot, error) {
	ix, fresh, err := s.look(ctx, o)
	if err != nil {
		return nil, err
	}
	fresh, bad, err := checkBatches(ctx, filepath.Join(s.DataDir, BatchesDir), fresh, o.Erased)
	if err != nil {
		return nil, err
	}
	snapshot := &Snapshot{Read: len(fresh)}
	for _, b := range bad {
		if !o.SkipBad {
			return nil, fmt.Errorf("%w (mend it, or let --skip-bad-batches pass it over)", b.err)
		}
		s.Log.Warn("passing over a batch file", "error", b.err)
		snapshot.Bad = append(snapshot.Bad, b.name)
	}
	if len(fresh) > 0 {
		if ix, err = s.add(ctx, ix, fresh, o.Erased); err != nil {
			return nil, err
		}
	}
	snapshot.Count, snapshot.Rows, snapshot.Erased = ix.events(), ix.rows(), ix.erased()
	snapshot.ErasedVisitors = int64(len(o.Erased))
	snapshot.Files = slices.Sorted(maps.Keys(ix.batches()))
	snapshot.Events, err = s.open(ctx, "cartwheel_events", ix)
	return snapshot, err
}

// look clears up, and returns what the store has and the batch files that it has not. Where it must be made anew, it has nothing.
func (s *Store) look(ctx context.Context, o StoreOptions) (ix *index, fresh []batchFile, err error) {
	if err := s.makeFolder(); err != nil {
		return nil, nil, err
	}
	ix, why, err := readIndex(s.dir())
	if err != nil {
		return nil, nil, err
	}
	if err := ix.clean(s.dir()); err != nil {
		return nil, nil, err
	}
	batches := filepath.Join(s.DataDir, BatchesDir)
	all, err := listBatches(batches)
	if err != nil {
		return nil, nil, err
	}
	fresh, gone, err := ix.compare(ctx, batches, all)
	if err != nil {
		return nil, nil, err
	}
	if len(gone) > 0 {
		why = several(gone)
	}
	if why != "" {
		s.Log.Warn("the store of events does not fit the batch files: reading all of them again", "store", s.dir(), "why", why)
	}
	erased := len(ix.Parts) > 0 && ix.Erased != o.Erased.Sum()
	if erased {
		s.Log.Info("the list of erased visitors has changed: reading all batch files again", "visitors", len(o.Erased))
	}
	if why != "" || erased || o.Recompute {
		return &index{}, all, nil
	}
	return ix, fresh, nil
}

// add writes the events of batch files that the store has not as its next part, and returns the new index.
func (s *Store) add(ctx context.Context, ix *index, fresh []batchFile, erased erasure.List) (*index, error) {
	stored, err := s.open(ctx, storedView, ix)
	if err != nil {
		return nil, err
	}
	clean, err := s.unstored(ctx, fresh, erased)
	if err != nil {
		return nil, err
	}
	next := &index{Parts: slices.Clone(ix.Parts), Erased: erased.Sum()}
	p := part{Name: time.Now().UTC().Format("20060102T150405.000000Z"), Batches: fresh}
	if len(next.Parts) >= maxParts {
		next.Parts, p.Batches = nil, append(slices.Collect(maps.Values(ix.batches())), fresh...)
		clean = clean.UnionByName(ctx, stored)
	}
	unfinished := durable.TempPrefix + p.Name
	if err := clean.Write().Format("parquet").Mode("ErrorIfExists").Save(ctx, path.Join(s.SparkDataDir, StoreDir, unfinished)); err != nil {
		return nil, fmt.Errorf("writing the store of events: %w", spark.Explain(err))
	}
	if p.Files, p.Events, err = countParquet(filepath.Join(s.dir(), unfinished)); err != nil {
		return nil, err
	}
	next.Parts = append(next.Parts, p)
	if next.repeats() != ix.repeats() {
		again, err := s.checkRepeats(ctx, fresh)
		if err != nil {
			return nil, err
		}
		if again {
			s.Log.Warn("events that bear one eventid differ: reading all batch files again, so that it does not matter which came first")
			return s.add(ctx, &index{}, append(slices.Collect(maps.Values(ix.batches())), fresh...), erased)
		}
	}
	if err := durable.SyncTree(filepath.Join(s.dir(), unfinished)); err != nil {
		return nil, err
	}
	if err := durable.Rename(filepath.Join(s.dir(), unfinished), filepath.Join(s.dir(), p.Name), true); err != nil {
		return nil, fmt.Errorf("writing the store of events: %w", err)
	}
	if err := next.write(s.dir()); err != nil {
		return nil, err
	}
	return next, next.clean(s.dir())
}

// Views of the session: what the store holds before an update, and what the fresh batch files hold.
const (
	storedView = "cartwheel_stored"
	freshView  = "cartwheel_fresh"
	erasedView = "cartwheel_erased"
)

// unstored returns the events of batch files that are not in the view of what is stored, without erased visitors'. Delivery repeats an event whole, so that any
// row of an eventid would do; the least is taken, so that the choice follows from the rows alone.
func (s *Store) unstored(ctx context.Context, fresh []batchFile, erased erasure.List) (sql.DataFrame, error) {
	rows, err := readBatches(ctx, s.Session, path.Join(s.SparkDataDir, BatchesDir), fresh)
	if err == nil && len(erased) > 0 {
		rows, err = s.without(ctx, rows, erased)
	}
	if err != nil {
		return nil, err
	}
	grouped, err := rows.GroupBy(col("eventid")).Agg(ctx, expr("min(struct(timestamp, visitorid, event, itemid, transactionid))", "least"), expr("count(*)", "n"))
	if err == nil {
		err = grouped.CreateOrReplaceTempView(ctx, freshView)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for repeated events: %w", spark.Explain(err))
	}
	df, err := s.Session.Sql(ctx, "SELECT eventid, least.* FROM "+freshView+" LEFT ANTI JOIN "+storedView+" USING (eventid)")
	if err != nil {
		return nil, fmt.Errorf("looking for repeated events: %w", spark.Explain(err))
	}
	return df, nil
}

// without leaves out the rows of erased visitors.
func (s *Store) without(ctx context.Context, rows sql.DataFrame, erased erasure.List) (sql.DataFrame, error) {
	failed := func(err error) (sql.DataFrame, error) {
		return nil, fmt.Errorf("leaving out erased visitors: %w", spark.Explain(err))
	}
	ids := make([][]any, 0, len(erased))
	for visitor := range erased {
		ids = append(ids, []any{visitor})
	}
	list, err := s.Session.CreateDataFrame(ctx, ids, types.StructOf(types.NewStructField("erased", types.STRING)))
	if err != nil {
		return failed(err)
	}
	if err := list.CreateOrReplaceTempView(ctx, erasedView); err != nil { // so that the list is sent once
		return failed(err)
	}
	if list, err = s.Session.Table(erasedView); err != nil {
		return failed(err)
	}
	if rows, err = rows.Join(ctx, list, functions.Expr("visitorid = erased"), utils.JoinTypeLeftAnti); err != nil {
		return failed(err)
	}
	return rows, nil
}

// checkRepeats makes sure that the rows that are not in the store are all repeats. It returns whether one of them would have been
// taken in place of a row that is stored, had both been read at once.
func (s *Store) checkRepeats(ctx context.Context, fresh []batchFile) (again bool, err error) {
	df, err := s.Session.Sql(ctx, `SELECT CAST(coalesce(sum(n), 0) AS BIGINT) rows, count_if(least < struct(timestamp, visitorid, event, itemid, transactionid)) earlier
		FROM `+freshView+" LEFT JOIN "+storedView+" USING (eventid)")
	if err != nil {
		return false, fmt.Errorf("counting repeated events: %w", spark.Explain(err))
	}
	row, err := df.First(ctx)
	if err != nil {
		return false, fmt.Errorf("counting repeated events: %w", spark.Explain(err))
	}
	rows, _ := row.Value("rows").(int64)
	earlier, _ := row.Value("earlier").(int64)
	read := &index{Parts: []part{{Batches: fresh}}}
	if want := read.rows() - read.erased(); rows != want {
		return false, fmt.Errorf("%w: Spark read %d rows where %d are, in %d files from %s on", ErrBatch, rows, want, len(fresh), fresh[0].Name)
	}
	return earlier > 0, nil
}

// open returns the events of all parts of an index under the name of a view.
func (s *Store) open(ctx context.Context, view string, ix *index) (sql.DataFrame, error) {
	if len(ix.Parts) == 0 {
		df, err := s.Session.Sql(ctx, "SELECT * FROM VALUES (string(null), bigint(null), string(null), string(null), string(null), string(null)) AS t(eventid, timestamp, visitorid, event, itemid, transactionid) WHERE false")
		if err == nil {
			err = df.CreateOrReplaceTempView(ctx, view)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the store of events: %w", spark.Explain(err))
		}
		return df, nil
	}
	var paths []string
	for _, p := range ix.Parts {
		paths = append(paths, path.Join(s.SparkDataDir, StoreDir, p.Name))
	}
	df, err := read(ctx, s.Session, view, map[string]any{"format": "parquet", "schema": eventSchema, "paths": paths})
	if err != nil {
		return nil, fmt.Errorf("opening the store of events: %w", err)
	}
	return df, nil
}

func (s *Store) dir() string { return filepath.Join(s.DataDir, StoreDir) }

// makeFolder makes the store's folder, open to every user where the cluster runs as another one.
func (s *Store) makeFolder() error {
	if err := os.MkdirAll(s.dir(), 0o755); err != nil {
		return fmt.Errorf("creating the store of events: %w", err)
	}
	info, err := os.Stat(s.dir())
	if err != nil {
		return fmt.Errorf("opening the store of events: %w", err)
	}
	if s.SparkDataDir != s.DataDir && info.Mode().Perm() != 0o777 {
		if err := os.Chmod(s.dir(), 0o777); err != nil {
			return fmt.Errorf("opening the store of events to Spark: %w", err)
		}
	}
	return nil
}

// several names the first few of a list.
func several(list []string) string {
	const most = 3
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
