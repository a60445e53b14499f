package train

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"cartwheel/internal/durable"
	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// Bench measures settings on one split of the events, one after the other, and publishes nothing. What no setting changes it makes
// once and keeps in its folder, so that a bench that is opened again there measures on the same events.
type Bench struct {
	job     *job
	fixed   numbered
	held    []heldOut
	session *spark.Session
}

// Quality is NDCG@10 of the blend by kind of question, and the mean over the kinds with enough visitors to decide anything, which is
// what settings are chosen by; over all kinds, if none has.
type Quality struct {
	Mean  float64
	Kinds map[string]float64
}

// Kinds are the kinds of question, in order.
func Kinds() []string { return kinds }

// Folders of a bench.
const (
	earlierDir = "earlier"
	fixedDir   = "fixed"
	trialDir   = "trial"
	readyFile  = "ready" // is there when the folder is complete
)

// OpenBench prepares a bench in dir, which must lie below the data folder, from the batch files; or opens the one that is there.
func OpenBench(ctx context.Context, c Config, dir string, log *slog.Logger) (*Bench, error) {
	if err := c.resolve(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolving %s: %w", dir, err)
	}
	session, err := spark.Connect(ctx, c.SparkRemote)
	if err != nil {
		return nil, err
	}
	b := &Bench{session: session, job: &job{Config: c, log: log, session: session, steps: newSteps(io.Discard), staging: &model.Staging{Dir: dir}}}
	if err := b.open(ctx); err != nil {
		_ = session.Close() // the first error says more
		return nil, err
	}
	return b, nil
}

// Close releases the Spark session. The folder stays.
func (b *Bench) Close() error { return b.session.Close() }

func (b *Bench) open(ctx context.Context) error {
	j := b.job
	if err := j.fitToCluster(ctx); err != nil {
		return err
	}
	ready := filepath.Join(j.staging.Dir, readyFile)
	if _, err := os.Stat(ready); err != nil {
		if err := b.prepare(ctx); err != nil {
			return err
		}
		if err := durable.WriteFile(ready, func(io.Writer) error { return nil }); err != nil {
			return err
		}
	}
	var err error
	if b.held, err = readHeldOut(filepath.Join(j.staging.Dir, holdoutDir)); err != nil {
		return err
	}
	earlier, err := j.load(earlierDir)
	if err != nil {
		return fmt.Errorf("opening the events: %w", spark.Explain(err))
	}
	times, err := spanOf(ctx, earlier)
	if err != nil {
		return err
	}
	b.fixed.now, b.fixed.counts.Events = times.now, times.events
	if b.fixed.events, err = j.load(filepath.Join(fixedDir, numberedDir)); err != nil {
		return fmt.Errorf("opening the events: %w", spark.Explain(err))
	}
	for table, into := range map[string]*int64{"visitors": &b.fixed.counts.Visitors, "items": &b.fixed.counts.Items} {
		df, err := j.load(filepath.Join(fixedDir, table))
		if err != nil {
			return fmt.Errorf("opening the table %s: %w", table, spark.Explain(err))
		}
		if *into, err = df.Count(ctx); err != nil {
			return fmt.Errorf("counting: %w", spark.Explain(err))
		}
	}
	return nil
}

// prepare reads the batch files, splits the events, and makes the tables that all settings share.
func (b *Bench) prepare(ctx context.Context) error {
	j := b.job
	if err := os.RemoveAll(j.staging.Dir); err != nil {
		return fmt.Errorf("clearing %s: %w", j.staging.Dir, err)
	}
	if err := j.makeFolder(""); err != nil {
		return err
	}
	earlier, err := b.readAndSplit(ctx)
	if err != nil {
		return err
	}
	n, err := j.numberEvents(ctx, earlier, fixedDir)
	if err != nil {
		return err
	}
	return j.buildNeighbours(ctx, n.events, fixedDir, n.now)
}

// readAndSplit keeps a training away while it reads, for both bring the same store of events up to date.
func (b *Bench) readAndSplit(ctx context.Context) (sql.DataFrame, error) {
	j := b.job
	unlock, err := model.Lock(filepath.Join(j.DataDir, "models"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	events, err := j.readEvents(ctx)
	if err != nil {
		return nil, err
	}
	holdFrom, err := splitAt(ctx, events.Events, j.Holdout)
	if err != nil {
		return nil, err
	}
	earlier, err := j.split(ctx, events.Events, holdFrom)
	if err != nil {
		return nil, err
	}
	if earlier == nil {
		return nil, fmt.Errorf("%w: no events are earlier than the latest %g %%, so there is nothing to learn from", errNoData, 100*j.Holdout)
	}
	return j.keep(ctx, earlier, earlierDir)
}

// makeFolder makes a folder inside the bench's, which the cluster may write to, whoever it runs as.
func (j *job) makeFolder(inside string) error {
	dir := filepath.Join(j.staging.Dir, inside)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	if j.SparkDataDir == j.DataDir {
		return nil
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		return fmt.Errorf("opening %s to Spark: %w", dir, err)
	}
	return nil
}

// Measure makes a model by the settings of c that make up a recipe and asks it about the held-out events.
func (b *Bench) Measure(ctx context.Context, c Config) (Quality, error) {
	j := *b.job
	j.Config = recipe(c.parameters(), j.Config)
	if err := os.RemoveAll(filepath.Join(j.staging.Dir, trialDir)); err != nil {
		return Quality{}, fmt.Errorf("clearing the last trial: %w", err)
	}
	if err := j.makeFolder(trialDir); err != nil {
		return Quality{}, err
	}
	for _, table := range []string{"visitors", "items", "neighbours", "recent_neighbours"} {
		if err := linkTree(filepath.Join(j.staging.Dir, fixedDir, table), filepath.Join(j.staging.Dir, trialDir, table)); err != nil {
			return Quality{}, err
		}
	}
	m := model.Manifest{Parameters: j.parameters(), Counts: b.fixed.counts}
	if err := j.weighEvents(ctx, b.fixed, trialDir, &m.Counts); err != nil {
		return Quality{}, err
	}
	if err := j.buildFactors(ctx, trialDir, &m.Counts); err != nil {
		return Quality{}, err
	}
	dir := filepath.Join(j.staging.Dir, trialDir)
	if err := model.Seal(dir, trialDir, &m); err != nil {
		return Quality{}, err
	}
	version, err := model.Load(dir)
	if err != nil {
		return Quality{}, err
	}
	return quality(recommend.New(version), version, b.held, j.Seed), nil
}

// quality chooses a blend and measures it, each half of the visitors by the other half's choice.
func quality(r *recommend.Recommender, v *model.Version, held []heldOut, seed int64) Quality {
	asked := questions(held, v)
	t := newTuner(r, v.Items, asked, seed)
	blends := [2]model.Blends{t.tune(halfB), t.tune(halfA)}
	e := newEvaluation(bounded(asked, askedAtMost), v.Items)
	e.ask(byBlend, answerers(r, v.Items, blends, seed)[byBlend])
	q := Quality{Kinds: map[string]float64{}}
	sums, counts := map[string]float64{}, map[string]float64{}
	for i, a := range e.answers[byBlend] {
		sums[e.asked[i].kind] += a.figures[ndcg10]
		counts[e.asked[i].kind]++
	}
	var deciding []string
	for kind, n := range counts {
		q.Kinds[kind] = sums[kind] / n
		if e.visitorsN[kind] >= leastVisitors {
			deciding = append(deciding, kind)
		}
	}
	for _, kind := range kinds { // in order, for sums of floats depend on it
		if n := counts[kind]; n > 0 && len(deciding) == 0 {
			q.Mean += q.Kinds[kind] / float64(len(counts))
		} else if n > 0 && e.visitorsN[kind] >= leastVisitors {
			q.Mean += q.Kinds[kind] / float64(len(deciding))
		}
	}
	return q
}

// parameters are the settings of a training as a manifest keeps them.
func (c *Config) parameters() model.Parameters {
	return model.Parameters{
		Rank: c.Rank, Iterations: c.Iterations, RegParam: c.Reg, Alpha: c.Alpha, Seed: c.Seed, EventWeights: c.EventWeights,
		HalfLifeDays: c.HalfLifeDays, WindowDays: c.WindowDays, HoldoutShare: c.Holdout, PopularHalfLife: c.PopularDays, MinItems: c.MinItems,
		HabitHalfLife: habitHalfLife, NeighbourHalfLife: longHalfLife, RecentHalfLife: shortHalfLife, Neighbours: rule, Blends: defaultBlends,
	}
}

// linkTree makes the files of a folder appear in another one, too.
func linkTree(from, to string) error {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		return os.Link(path, filepath.Join(to, rel))
	})
	if err != nil {
		return fmt.Errorf("linking %s: %w", from, err)
	}
	return nil
}
