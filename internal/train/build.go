package train

import (
	"context"
	"fmt"
	"path"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"golang.org/x/sync/errgroup"
)

// build makes the tables and the model of a version from events, in the staging folder's subfolder dir, and leaves the numbered events
// there. what names the events.
func (j *job) build(ctx context.Context, events sql.DataFrame, dir, what string) (counts model.Counts, err error) {
	err = j.steps.Do(ctx, "features: tables of "+what, func(ctx context.Context) error {
		counts, err = j.buildTables(ctx, events, dir)
		return err
	})
	if err != nil {
		return counts, err
	}
	err = j.steps.Do(ctx, fmt.Sprintf("als: fit, rank %d, %d iterations, %s", j.Rank, j.Iterations, what), func(ctx context.Context) error {
		return j.buildFactors(ctx, dir, &counts)
	})
	return counts, err
}

// Folders that a version has only while it is built.
const (
	numberedDir     = ".numbered"
	pairsDir        = ".pairs"
	togetherDir     = ".together"
	itemFeaturesDir = ".item_features"
)

func (j *job) buildTables(ctx context.Context, events sql.DataFrame, dir string) (model.Counts, error) {
	n, err := j.numberEvents(ctx, events, dir)
	if err != nil {
		return model.Counts{}, err
	}
	err = atOnce(ctx, func(ctx context.Context) error { return j.buildNeighbours(ctx, n.events, dir, n.now) },
		func(ctx context.Context) error { return j.weighEvents(ctx, n, dir, &n.counts) })
	return n.counts, err
}

// numbered are events by the numbers of their visitors and items.
type numbered struct {
	events     sql.DataFrame
	categories sql.DataFrame // of items; nil if the shop has told none
	now        int64         // what ages are counted from (Unix ms)
	counts     model.Counts
}

// numberEvents makes the tables of visitors and items, which no setting changes.
func (j *job) numberEvents(ctx context.Context, events sql.DataFrame, dir string) (n numbered, err error) {
	times, err := spanOf(ctx, events)
	if err != nil {
		return n, err
	}
	n.now, n.counts.Events = times.now, times.events
	var visitors, items sql.DataFrame
	err = atOnce(ctx, func(ctx context.Context) (err error) {
		visitors, err = j.number(ctx, events, "visitors", "visitorid", dir, &n.counts.Visitors)
		return err
	}, func(ctx context.Context) (err error) {
		items, err = j.number(ctx, events, "items", "itemid", dir, &n.counts.Items)
		return err
	})
	if err != nil {
		return n, err
	}
	if n.events, err = byNumber(ctx, events, visitors, items); err != nil {
		return n, fmt.Errorf("numbering events: %w", spark.Explain(err))
	}
	if n.events, err = j.keep(ctx, n.events, path.Join(dir, numberedDir)); err != nil {
		return n, err
	}
	n.categories, err = j.categoriesOf(ctx, items)
	return n, err
}

// number makes the table of a column's values, and counts them.
func (j *job) number(ctx context.Context, events sql.DataFrame, table, column, dir string, count *int64) (sql.DataFrame, error) {
	numbered, err := number(ctx, events, column)
	if err != nil {
		return nil, fmt.Errorf("numbering %s: %w", table, spark.Explain(err))
	}
	kept, err := j.keep(ctx, numbered, path.Join(dir, table))
	if err != nil {
		return nil, err
	}
	*count, err = j.rows(path.Join(dir, table))
	return kept, err
}

// atOnce does several things that do not wait for one another: each has moments in which it leaves the cluster idle.
func atOnce(ctx context.Context, things ...func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, thing := range things {
		group.Go(func() error { return thing(ctx) })
	}
	return group.Wait()
}

// weighEvents makes the tables that follow from the weights of events.
func (j *job) weighEvents(ctx context.Context, n numbered, dir string, counts *model.Counts) error {
	all, err := pairs(ctx, n.events, j.EventWeights, j.HalfLifeDays, j.WindowDays, n.now)
	if err != nil {
		return fmt.Errorf("summing strengths: %w", spark.Explain(err))
	}
	if all, err = j.keep(ctx, all, path.Join(dir, pairsDir)); err != nil {
		return err
	}
	if counts.Pairs, err = j.rows(path.Join(dir, pairsDir)); err != nil {
		return err
	}
	return atOnce(ctx, func(ctx context.Context) error {
		df, err := seen(ctx, all, n.now)
		return j.saveTable(ctx, df, err, dir, "seen")
	}, func(ctx context.Context) error {
		items, err := features.Items(ctx, n.events, j.PopularDays, n.now, n.categories)
		if err != nil {
			return err
		}
		if items, err = j.keep(ctx, items, path.Join(dir, itemFeaturesDir)); err != nil {
			return err
		}
		df, err := popular(ctx, items, j.EventWeights, popularLimit, categoryLimit)
		if err := j.saveTable(ctx, df, err, dir, "popular"); err != nil {
			return err
		}
		df, err = trending(ctx, items)
		return j.saveTable(ctx, df, err, dir, "trending")
	})
}

// saveTable saves what was made, or says that it could not be made.
func (j *job) saveTable(ctx context.Context, df sql.DataFrame, err error, dir, table string) error {
	if err != nil {
		return fmt.Errorf("making the table %s: %w", table, spark.Explain(err))
	}
	return j.save(ctx, df, path.Join(dir, table))
}

// buildNeighbours makes the tables of neighbours, by a long half-life and by a short one.
func (j *job) buildNeighbours(ctx context.Context, numbered sql.DataFrame, dir string, now int64) error {
	visits, err := sessions(ctx, numbered)
	if err != nil {
		return fmt.Errorf("finding sessions: %w", spark.Explain(err))
	}
	counted, err := together(ctx, j.session, visits, now)
	if err != nil {
		return fmt.Errorf("counting what is seen together: %w", spark.Explain(err))
	}
	if counted, err = j.keep(ctx, counted, path.Join(dir, togetherDir)); err != nil {
		return err
	}
	for _, table := range []string{"neighbours", "recent_neighbours"} { // one after the other, for their views bear the same names
		df, err := neighbours(ctx, j.session, counted, table, table == "neighbours")
		if err := j.saveTable(ctx, df, err, dir, table); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) buildFactors(ctx context.Context, dir string, counts *model.Counts) error {
	all, err := j.load(path.Join(dir, pairsDir))
	if err != nil {
		return err
	}
	input, n, err := j.ratings(ctx, all)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%w: no visitor has an event of a weight above 0 in %s", errNoData, &j.EventWeights)
	}
	if items := counts.Items; int64(j.Rank) > items {
		j.log.Warn(fmt.Sprintf("--rank %d is more than there are items: the factors tell no more than those of rank %d would", j.Rank, items))
	}
	als := sparkml.NewALS()
	als.Rank, als.MaxIter, als.RegParam, als.Alpha, als.Seed = j.Rank, j.Iterations, j.Reg, j.Alpha, j.Seed
	als.ImplicitPrefs = true
	als.UserCol, als.ItemCol, als.RatingCol = "visitor", "item", "strength"
	als.NumUserBlocks, als.NumItemBlocks = j.blocks, j.blocks
	fitted, err := als.Fit(ctx, j.session, input)
	if err != nil {
		return err
	}
	if err := fitted.Write(ctx, j.sparkPath(path.Join(dir, "als"))); err != nil {
		return err
	}
	if err := fitted.Delete(ctx); err != nil {
		return err
	}
	for table, into := range map[string]*int64{"userFactors": &counts.FactorsUsers, "itemFactors": &counts.FactorsItems} {
		if *into, err = j.rows(path.Join(dir, "als", table)); err != nil {
			return err
		}
	}
	return j.clear(path.Join(dir, pairsDir), path.Join(dir, togetherDir), path.Join(dir, itemFeaturesDir))
}

// ratings are what ALS learns from. Where no visitor has enough items, all of them are taken: better weak factors than none.
func (j *job) ratings(ctx context.Context, all sql.DataFrame) (sql.DataFrame, int64, error) {
	var df sql.DataFrame
	var n int64
	for _, least := range []int{j.MinItems, 1} {
		var err error
		if df, err = ratings(ctx, all, least); err != nil {
			return nil, 0, fmt.Errorf("choosing ratings: %w", spark.Explain(err))
		}
		if n, err = df.Count(ctx); err != nil {
			return nil, 0, fmt.Errorf("counting ratings: %w", spark.Explain(err))
		}
		if n > 0 {
			break
		}
		if least > 1 {
			j.log.Warn(fmt.Sprintf("no visitor has the %d distinct items of --min-items with a weight above 0: all visitors get factors", least))
		}
	}
	return df, n, nil
}
