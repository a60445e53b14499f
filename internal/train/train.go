// Package train turns batch files into a model version: it reads them through Spark, drops repeated events, sums what each visitor
// did with each item to a strength, trains implicit ALS with MLlib, measures it on the latest events beside popularity, trains again
// on everything and publishes the version.
//
// The measured model is a version like any other, made from the earlier events by the same code and asked through the same
// recommender that serves, so that the figures are those of the product. Until the last step nothing of a training can be seen.
package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"time"

	"cartwheel/internal/config"
	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// ErrNoData is wrapped by errors that say there is nothing to train on, or too little.
var ErrNoData = errors.New("too little data")

// Main is the program: it reads the settings, trains, and prints what came out. It returns the exit code: 2 for wrong settings, 1 for
// other failures, 3 where the version was not made the champion.
func Main(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var c Config
	var schedule Schedule
	s := config.New("train", "trains a model version on the batch files, by Spark, and makes it the champion.", stderr)
	c.Declare(s)
	schedule.Declare(s)
	err := s.Parse(args, getenv)
	if errors.Is(err, config.ErrHelp) {
		return 0
	}
	err = errors.Join(err, c.Validate(), schedule.Validate())
	log, logErr := c.Log.New(stderr)
	if err = errors.Join(err, logErr); err != nil {
		fmt.Fprintln(stderr, "train:", err)
		return 2
	}
	promoted := true
	train := func(ctx context.Context) error {
		manifest, err := Run(ctx, c, log, NewSteps(stderr))
		if err != nil {
			return err
		}
		report(stdout, manifest)
		if promoted = manifest.Decision.Promoted; !promoted {
			log.Warn("the version is kept, but was not made the champion (--force would)", "version", manifest.Version, "reason", manifest.Decision.Reason)
		}
		return nil
	}
	if schedule.Every > 0 {
		err = trainEvery(ctx, schedule, c, log, train)
	} else {
		err = train(ctx)
	}
	if err != nil {
		log.Error("training ended without a new version", "error", err)
		if errors.Is(err, config.ErrUsage) {
			return 2
		}
		return 1
	}
	if !promoted && schedule.Every == 0 {
		return codeNotPromoted
	}
	return 0
}

// codeNotPromoted is the exit code of a training that ended well with a version that did not pass the gate.
const codeNotPromoted = 3

// job is one training under way.
type job struct {
	Config
	log     *slog.Logger
	session *spark.Session
	steps   *Steps
	staging *model.Staging
	blocks  int // of ALS, and a measure for partitions: what keeps the cluster's cores busy
}

// Run trains one version and makes it the champion if its decision says so. On an error LATEST is as it was.
func Run(ctx context.Context, c Config, log *slog.Logger, steps *Steps) (*model.Manifest, error) {
	if err := c.resolve(); err != nil {
		return nil, err
	}
	batches := filepath.Join(c.DataDir, features.BatchesDir)
	files, err := filepath.Glob(filepath.Join(batches, "batch_*.csv"))
	if err != nil {
		return nil, fmt.Errorf("listing the batch files: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: no batch files in %s (the producer and the consumer make them)", ErrNoData, batches)
	}
	models := filepath.Join(c.DataDir, "models")
	unlock, err := model.Lock(models)
	if err != nil {
		return nil, err
	}
	defer unlock()

	session, err := spark.Connect(ctx, c.SparkRemote)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := session.Close(); err != nil {
			log.Warn("the Spark session could not be released; the server drops it within the hour", "error", err)
		}
	}()
	started := time.Now()
	staging, err := model.Stage(models, started, c.SparkDataDir != c.DataDir)
	if err != nil {
		return nil, err
	}
	defer staging.Abort()

	j := &job{Config: c, log: log, session: session, steps: steps, staging: staging}
	m, err := j.train(ctx)
	if lost(err) {
		err = fmt.Errorf("%w (Spark went away under the training: see that its Connect server, which SPARK_REMOTE names, is running, and train again; nothing was published)", err)
	}
	if err != nil {
		return nil, err
	}
	m.CreatedAt, m.SparkVersion, m.GitRevision = started.UTC().Truncate(time.Second), session.Version, revision()
	err = steps.Do(ctx, "publishing "+staging.Version, func(context.Context) error {
		if err := confirm(models, m.Decision); err != nil {
			return err
		}
		if err := staging.Publish(m); err != nil || !m.Decision.Promoted {
			return err
		}
		return model.SetChampion(models, staging.Version)
	})
	return m, err
}

// Folders inside the staging folder that the version does not keep.
const (
	holdoutDir  = ".holdout"
	measuredDir = ".measured"
)

func (j *job) train(ctx context.Context) (*model.Manifest, error) {
	if err := j.fitToCluster(ctx); err != nil {
		return nil, err
	}
	var events *features.Snapshot
	var times span
	var holdFrom int64
	err := j.steps.Do(ctx, "reading the batch files", func(ctx context.Context) (err error) {
		if events, err = j.readEvents(ctx); err != nil {
			return err
		}
		if times, err = spanOf(ctx, events.Events); err != nil {
			return err
		}
		holdFrom, err = splitAt(ctx, events.Events, j.Holdout)
		return err
	})
	if err != nil {
		return nil, err
	}

	m := &model.Manifest{
		Parameters: model.Parameters{
			Rank: j.Rank, Iterations: j.Iterations, RegParam: j.Reg, Alpha: j.Alpha, Seed: j.Seed, EventWeights: j.EventWeights,
			HalfLifeDays: j.HalfLifeDays, HoldoutShare: j.Holdout, PopularHalfLife: j.PopularDays, MinItems: j.MinItems,
			HabitHalfLife: habitHalfLife, NeighbourHalfLife: longHalfLife, RecentHalfLife: shortHalfLife, Blends: defaultBlends,
		},
		Data: model.DataRange{From: ms(times.from), To: ms(times.to), HoldoutStart: ms(holdFrom), BatchFiles: events.Files, BadBatchFiles: events.Bad},
	}
	if err := j.measure(ctx, m, events.Events, holdFrom); err != nil {
		return nil, err
	}

	if m.Counts, err = j.build(ctx, events.Events, "", "everything"); err != nil {
		return nil, err
	}
	m.Counts.BatchFiles, m.Counts.RowsRead, m.Counts.Repeats = len(events.Files), events.Rows, events.Rows-events.Count
	for _, dir := range []string{holdoutDir, measuredDir} {
		if err := os.RemoveAll(filepath.Join(j.staging.Dir, dir)); err != nil {
			return nil, fmt.Errorf("clearing the staging folder: %w", err)
		}
	}
	return m, nil
}

// fitToCluster sizes partitions and blocks to the cluster's cores: Spark's default of 200 partitions is made for far larger ones.
func (j *job) fitToCluster(ctx context.Context) error {
	// A range is split by the cluster's default parallelism, which Spark Connect has no call for.
	df, err := j.session.Sql(ctx, "SELECT max(p) + 1 cores FROM (SELECT spark_partition_id() p FROM range(100000))")
	if err != nil {
		return fmt.Errorf("asking for the cluster's size: %w", spark.Explain(err))
	}
	row, err := df.First(ctx)
	if err != nil {
		return fmt.Errorf("asking for the cluster's size: %w", spark.Explain(err))
	}
	cores, _ := row.Value("cores").(int32)
	j.blocks = 2 * max(int(cores), 1)
	for key, value := range map[string]string{
		"spark.sql.shuffle.partitions": fmt.Sprint(j.blocks),
		"spark.sql.session.timeZone":   "UTC",
	} {
		if err := j.session.Config().Set(ctx, key, value); err != nil {
			return fmt.Errorf("setting %s: %w", key, spark.Explain(err))
		}
	}
	return nil
}

// build makes the tables and the model of a version from events, in the staging folder's subfolder dir. what names the events.
func (j *job) build(ctx context.Context, events sql.DataFrame, dir, what string) (counts model.Counts, err error) {
	err = j.steps.Do(ctx, "features of "+what, func(ctx context.Context) error {
		counts, err = j.buildTables(ctx, events, dir)
		return err
	})
	if err != nil {
		return counts, err
	}
	err = j.steps.Do(ctx, fmt.Sprintf("als: fitting %s, rank %d, %d iterations", what, j.Rank, j.Iterations), func(ctx context.Context) error {
		return j.buildFactors(ctx, dir, &counts)
	})
	return counts, err
}

// Folders that a version has only while it is built.
const (
	numberedDir = ".numbered"
	pairsDir    = ".pairs"
	togetherDir = ".together"
)

func (j *job) buildTables(ctx context.Context, events sql.DataFrame, dir string) (counts model.Counts, err error) {
	times, err := spanOf(ctx, events)
	if err != nil {
		return counts, err
	}
	counts.Events = times.events
	ids := map[string]sql.DataFrame{}
	for table, column := range map[string]string{"visitors": "visitorid", "items": "itemid"} {
		numbered, err := number(ctx, events, column)
		if err != nil {
			return counts, fmt.Errorf("numbering %s: %w", table, spark.Explain(err))
		}
		if ids[table], err = j.keep(ctx, numbered, path.Join(dir, table)); err != nil {
			return counts, err
		}
	}
	numbered, err := byNumber(ctx, events, ids["visitors"], ids["items"])
	if err != nil {
		return counts, fmt.Errorf("numbering events: %w", spark.Explain(err))
	}
	if numbered, err = j.keep(ctx, numbered, path.Join(dir, numberedDir)); err != nil {
		return counts, err
	}
	all, err := pairs(ctx, numbered, j.EventWeights, j.HalfLifeDays, times.to)
	if err != nil {
		return counts, fmt.Errorf("summing strengths: %w", spark.Explain(err))
	}
	if all, err = j.keep(ctx, all, path.Join(dir, pairsDir)); err != nil {
		return counts, err
	}
	for table, make := range map[string]func() (sql.DataFrame, error){
		"seen":    func() (sql.DataFrame, error) { return seen(ctx, all, times.to) },
		"popular": func() (sql.DataFrame, error) { return popular(ctx, numbered, j.EventWeights, j.PopularDays, times.to) },
	} {
		df, err := make()
		if err != nil {
			return counts, fmt.Errorf("making the table %s: %w", table, spark.Explain(err))
		}
		if err := j.save(ctx, df, path.Join(dir, table)); err != nil {
			return counts, err
		}
	}
	if err := j.buildNeighbours(ctx, numbered, dir, times.to); err != nil {
		return counts, err
	}
	for _, c := range []struct {
		into *int64
		df   sql.DataFrame
	}{{&counts.Visitors, ids["visitors"]}, {&counts.Items, ids["items"]}, {&counts.Pairs, all}} {
		if *c.into, err = c.df.Count(ctx); err != nil {
			return counts, fmt.Errorf("counting: %w", spark.Explain(err))
		}
	}
	return counts, nil
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
	for _, table := range []string{"neighbours", "recent_neighbours"} {
		df, err := neighbours(ctx, j.session, counted, table, table == "neighbours")
		if err != nil {
			return fmt.Errorf("making the table %s: %w", table, spark.Explain(err))
		}
		if err := j.save(ctx, df, path.Join(dir, table)); err != nil {
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
		return fmt.Errorf("%w: no visitor has an event of a weight above 0 in %s", ErrNoData, &j.EventWeights)
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
		df, err := j.load(path.Join(dir, "als", table))
		if err != nil {
			return err
		}
		if *into, err = df.Count(ctx); err != nil {
			return fmt.Errorf("counting factors: %w", spark.Explain(err))
		}
	}
	for _, inside := range []string{numberedDir, pairsDir, togetherDir} {
		if err := os.RemoveAll(filepath.Join(j.staging.Dir, dir, inside)); err != nil {
			return fmt.Errorf("clearing the staging folder: %w", err)
		}
	}
	return nil
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
	}
	return df, n, nil
}

// sparkPath is where the cluster sees a path inside the staging folder.
func (j *job) sparkPath(inside string) string {
	return path.Join(j.SparkDataDir, "models", filepath.Base(j.staging.Dir), inside)
}

// save writes a DataFrame as Parquet into the staging folder.
func (j *job) save(ctx context.Context, df sql.DataFrame, inside string) error {
	if err := df.Write().Format("parquet").Mode("ErrorIfExists").Save(ctx, j.sparkPath(inside)); err != nil {
		return fmt.Errorf("writing %s: %w", inside, spark.Explain(err))
	}
	return nil
}

func (j *job) load(inside string) (sql.DataFrame, error) {
	return j.session.Read().Format("parquet").Load(j.sparkPath(inside))
}

// keep saves a DataFrame and returns what was saved, so that it is computed once.
func (j *job) keep(ctx context.Context, df sql.DataFrame, inside string) (sql.DataFrame, error) {
	if err := j.save(ctx, df, inside); err != nil {
		return nil, err
	}
	return j.load(inside)
}

func ms(t int64) time.Time { return time.UnixMilli(t).UTC() }

// revision is the git revision that this program was built from, where the build recorded one.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
