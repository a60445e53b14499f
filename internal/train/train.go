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
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"cartwheel/internal/config"
	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"golang.org/x/sys/unix"
)

// errNoData is wrapped by errors that say there is nothing to train on, or too little.
var errNoData = errors.New("too little data")

// Main is the program: it reads the settings, trains, and prints what came out. It returns the exit code: 2 for wrong settings, 1 for
// other failures, 3 where the version was not made the champion.
func Main(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var c Config
	var schedule Schedule
	s := config.New("train", "trains a model version on the batch files, by Spark, and makes it the champion.", stdout)
	c.Declare(s)
	schedule.Declare(s)
	err := s.Parse(args, getenv)
	if errors.Is(err, config.ErrHelp) {
		return 0
	}
	err = errors.Join(err, c.Validate(), schedule.Validate())
	log, logErr := c.Log.New(stderr)
	if err = errors.Join(err, logErr); err != nil {
		return config.Tell("train", err, stderr)
	}
	train := func(ctx context.Context, c Config) error {
		manifest, err := run(ctx, c, log, newSteps(stderr))
		if err != nil {
			return err
		}
		report(stdout, manifest)
		if !manifest.Decision.Promoted {
			return fmt.Errorf("%w %s: %s", errNotPromoted, manifest.Version, manifest.Decision.Reason)
		}
		return nil
	}
	if schedule.Every > 0 {
		err = trainEvery(ctx, schedule, c, log, train)
	} else {
		err = train(ctx, c)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNotPromoted):
		log.Warn("the version is kept, but was not made the champion (--force would)", "reason", err)
		return 3
	case ctx.Err() != nil: // whatever step it was that failed for it
		err = fmt.Errorf("told to stop: %w; nothing was published, and the next training begins anew", context.Cause(ctx))
	}
	log.Error("training ended without a new version", "error", err)
	return config.ExitCode(err)
}

// errNotPromoted says that a training ended well, with a version that did not pass the gate.
var errNotPromoted = errors.New("not promoted: version")

// job is one training under way.
type job struct {
	Config
	log     *slog.Logger
	session *spark.Session
	steps   *Steps
	staging *model.Staging
	blocks  int           // of ALS, and a measure for partitions: what keeps the cluster's cores busy
	placed  sql.DataFrame // the category of each item of the catalogue, which features.ItemCategories gives; nil if there is none
}

// run trains one version and makes it the champion if its decision says so. On an error LATEST is as it was.
func run(ctx context.Context, c Config, log *slog.Logger, steps *Steps) (*model.Manifest, error) {
	if err := c.resolve(); err != nil {
		return nil, err
	}
	batches := filepath.Join(c.DataDir, features.BatchesDir)
	files, err := filepath.Glob(filepath.Join(batches, "batch_*.csv"))
	if err != nil {
		return nil, fmt.Errorf("listing the batch files: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: no batch files in %s (the producer and the consumer make them)", errNoData, batches)
	}
	models := filepath.Join(c.DataDir, "models")
	unlock, err := model.Lock(models)
	if err != nil {
		return nil, err
	}
	defer unlock()

	session, release, err := connect(ctx, c.SparkRemote, models, log)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	staging, err := model.Stage(models, started, c.SparkDataDir != c.DataDir)
	if err != nil {
		release()
		return nil, err
	}
	defer staging.Abort()
	defer release() // before that, for it stops what Spark is still writing there

	j := &job{Config: c, log: log, session: session, steps: steps, staging: staging}
	m, err := j.train(ctx)
	if err != nil {
		return nil, hint(err, models)
	}
	m.CreatedAt, m.SparkVersion, m.GitRevision = started.UTC().Truncate(time.Second), session.Version, revision()
	err = steps.Do(ctx, "publishing "+staging.Version, func(context.Context) error {
		if err := confirm(models, m.Decision); err != nil {
			return err
		}
		m.Seconds = math.Round(time.Since(started).Seconds())
		if err := staging.Publish(m); err != nil || !m.Decision.Promoted {
			return err
		}
		at(stepPublished)
		return model.SetChampion(models, staging.Version)
	})
	return m, err
}

// hint says what a person can do about a failure of Spark's, where its own message leaves that open.
func hint(err error, modelsDir string) error {
	var failed *spark.Error
	switch {
	case lost(err):
		return fmt.Errorf("%w (Spark went away under the training: see that its Connect server, which SPARK_REMOTE names, is running, and train again; nothing was published)", err)
	case errors.As(err, &failed):
		var disk unix.Statfs_t
		if statErr := unix.Statfs(modelsDir, &disk); statErr != nil {
			return err
		}
		// On a full disk Spark fails in many ways, and names the disk in few of them.
		if free := disk.Bavail * uint64(disk.Bsize) >> 20; failed.Class == "TASK_WRITE_FAILED" || free < 100 {
			return fmt.Errorf("%w (there are %d MB of free space in %s, where a training needs several times the size of the batch files; Spark's executors log why they could not write)",
				err, free, modelsDir)
		}
	}
	return err
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
	err := j.steps.Do(ctx, "events: reading the batch files", func(ctx context.Context) (err error) {
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
		Parameters: j.parameters(),
		Data:       model.DataRange{From: ms(times.from), To: ms(times.to), HoldoutStart: ms(holdFrom), BatchFiles: events.Files, BadBatchFiles: events.Bad},
	}
	catalogue, err := j.readCatalogue(ctx)
	if err != nil {
		return nil, err
	}
	m.Data.CatalogueFiles = catalogue.Files()
	if err := j.measure(ctx, m, events.Events, holdFrom); err != nil {
		return nil, err
	}

	if m.Counts, err = j.build(ctx, events.Events, "", "everything"); err != nil {
		return nil, err
	}
	m.Counts.BatchFiles, m.Counts.RowsRead, m.Counts.Repeats = len(events.Files), events.Rows, events.Rows-events.Erased-events.Count
	m.Counts.Erased, m.Counts.ErasedRows = events.ErasedVisitors, events.Erased
	if err := j.foresee(ctx, times, m); err != nil {
		return nil, err
	}
	if err := j.categories(ctx, catalogue); err != nil {
		return nil, err
	}
	return m, j.clear(holdoutDir, measuredDir, numberedDir, momentsDir, catalogueDir)
}

// fitToCluster sizes partitions and blocks to what the cluster does at once: Spark's default of 200 partitions is made for far larger
// ones.
func (j *job) fitToCluster(ctx context.Context) error {
	// A range is split by the cluster's default parallelism, which Spark Connect has no call for: its cores, or what it is set to.
	df, err := j.session.Sql(ctx, "SELECT max(p) + 1 n FROM (SELECT spark_partition_id() p FROM range(100000))")
	if err != nil {
		return fmt.Errorf("asking for the cluster's size: %w", spark.Explain(err))
	}
	row, err := df.First(ctx)
	if err != nil {
		return fmt.Errorf("asking for the cluster's size: %w", spark.Explain(err))
	}
	n, _ := row.Value("n").(int32)
	j.blocks = max(int(n), 1)
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

// sparkPath is where the cluster sees a path inside the staging folder, which lies below the data folder.
func (j *job) sparkPath(inside string) string {
	return path.Join(j.SparkDataDir, filepath.ToSlash(strings.TrimPrefix(j.staging.Dir, j.DataDir)), inside)
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

// clear removes folders inside the staging folder.
func (j *job) clear(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.RemoveAll(filepath.Join(j.staging.Dir, dir)); err != nil {
			return fmt.Errorf("clearing the staging folder: %w", err)
		}
	}
	return nil
}

// keep saves a DataFrame and returns what was saved, so that it is computed once.
func (j *job) keep(ctx context.Context, df sql.DataFrame, inside string) (sql.DataFrame, error) {
	if err := j.save(ctx, df, inside); err != nil {
		return nil, err
	}
	return j.load(inside)
}

func ms(t int64) time.Time { return time.UnixMilli(t).UTC() }
