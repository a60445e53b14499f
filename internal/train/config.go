package train

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cartwheel/internal/config"
	"cartwheel/internal/event"
	"cartwheel/internal/logging"
	"cartwheel/internal/spark"
)

// Config is what a training can be told. The names of ALS's own parameters are MLlib's.
type Config struct {
	SparkRemote  string
	DataDir      string // batch files and models, as this program sees them
	SparkDataDir string // the same folder as the cluster sees it; empty: under the same path

	Rank         int
	Iterations   int
	Reg          float64
	Alpha        float64
	Seed         int64
	EventWeights Weights
	HalfLifeDays float64 // of an event's weight; 0: no decay
	WindowDays   float64 // older events weigh nothing; 0: all weigh
	PopularDays  float64 // half-life of popularity, days
	MinItems     int     // distinct items that a visitor needs for factors of his own
	Holdout      float64 // share of the events, the latest ones, that the evaluation keeps back

	PurchaseWindowDays int // of what a visitor did that tells whether he will buy
	PurchaseLabelDays  int // within which he buys
	Segments           int // of visitors; 0: as many as part them best

	Recompute      bool // read every batch file again, not only the new ones
	SkipBadBatches bool // go on without damaged batch files

	Force bool // make the version the champion whatever the comparison says

	Log logging.Config
}

// Declare adds the settings and their defaults.
func (c *Config) Declare(s *config.Set) {
	s.StringVar(&c.SparkRemote, "spark-remote", spark.DefaultRemote, "Spark Connect `address`")
	s.Env("spark-remote", "SPARK_REMOTE")
	s.StringVar(&c.DataDir, "data-dir", "data", "`folder` of the batch files and the models")
	s.Env("data-dir", "DATA_DIR")
	s.StringVar(&c.SparkDataDir, "spark-data-dir", "", "the same `folder` as the Spark cluster sees it, if under another path")
	s.Env("spark-data-dir", "SPARK_DATA_DIR")
	s.IntVar(&c.Rank, "rank", 64, "length of a factor")
	s.IntVar(&c.Iterations, "iterations", 10, "sweeps of alternating least squares")
	s.Float64Var(&c.Reg, "reg", 0.1, "regularisation (regParam)")
	s.Float64Var(&c.Alpha, "alpha", 1, "confidence per unit of strength")
	s.Int64Var(&c.Seed, "seed", 1, "seed of the factors")
	c.EventWeights = Weights{event.View: 1, event.AddToCart: 3, event.Transaction: 5}
	s.Var(&c.EventWeights, "event-weights", "strength of each `kind=weight` of event")
	s.Float64Var(&c.HalfLifeDays, "half-life-days", 30, "days after which an event counts half; 0: events do not age")
	s.Float64Var(&c.WindowDays, "window-days", 0, "days after which an event counts no more for a visitor's taste; 0: events count for good")
	s.Float64Var(&c.PopularDays, "popular-half-life-days", 7, "days after which an event counts half for popularity")
	s.IntVar(&c.MinItems, "min-items", 2, "distinct items that a visitor needs for factors of his own; others are folded in when asked for")
	s.Float64Var(&c.Holdout, "holdout", 0.1, "`share` of the events, the latest, that the evaluation keeps back")
	s.IntVar(&c.PurchaseWindowDays, "purchase-window-days", 28, "days whose events tell whether a visitor will buy")
	s.IntVar(&c.PurchaseLabelDays, "purchase-label-days", 7, "days within which the purchase is that is foretold")
	s.IntVar(&c.Segments, "segments", 0, "into how many segments visitors fall; 0: as many, from 3 to 10, as part them best")
	s.BoolVar(&c.Recompute, "recompute", false, "read every batch file again, not only those that have come since the last training; with --every, until that has gone well once")
	s.BoolVar(&c.SkipBadBatches, "skip-bad-batches", false, "go on without batch files that are damaged, naming them here and in the manifest")
	s.BoolVar(&c.Force, "force", false, "make the version the champion even if it is worse than the one before, or no better than popularity")
	c.Log.Declare(s)
}

// Validate names every setting that is wrong.
func (c *Config) Validate() error {
	var p config.Problems
	p.Check(c.DataDir != "", "--data-dir must not be empty")
	p.Check(c.Rank >= 1 && c.Rank <= 1024, "--rank %d is not between 1 and 1024", c.Rank)
	p.Check(c.Iterations >= 1, "--iterations %d is not at least 1", c.Iterations)
	p.Check(notNegative(c.Reg), "--reg %v is not a number of at least 0", c.Reg)
	p.Check(notNegative(c.Alpha) && c.Alpha > 0, "--alpha %v is not a number above 0", c.Alpha)
	p.Check(notNegative(c.HalfLifeDays), "--half-life-days %v is not a number of at least 0", c.HalfLifeDays)
	p.Check(notNegative(c.WindowDays), "--window-days %v is not a number of at least 0", c.WindowDays)
	p.Check(notNegative(c.PopularDays) && c.PopularDays > 0, "--popular-half-life-days %v is not a number above 0", c.PopularDays)
	p.Check(c.MinItems >= 1, "--min-items %d is not at least 1", c.MinItems)
	p.Check(c.Holdout > 0 && c.Holdout < 1, "--holdout %v is not between 0 and 1", c.Holdout)
	p.Check(c.PurchaseWindowDays >= 1 && c.PurchaseWindowDays <= 3650, "--purchase-window-days %d is not between 1 and 3650", c.PurchaseWindowDays)
	p.Check(c.PurchaseLabelDays >= 1 && c.PurchaseLabelDays <= 3650, "--purchase-label-days %d is not between 1 and 3650", c.PurchaseLabelDays)
	p.Check(c.Segments == 0 || c.Segments >= 2 && c.Segments <= 50, "--segments %d is neither 0 nor between 2 and 50", c.Segments)
	return p.Err()
}

func notNegative(v float64) bool { return v >= 0 && !math.IsInf(v, 0) } // false for NaN too

// resolve makes the folders absolute, for Spark has a working folder of its own, and fills in SparkDataDir.
func (c *Config) resolve() error {
	abs, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("resolving --data-dir %s: %w", c.DataDir, err)
	}
	if _, err := os.Stat(abs); err != nil {
		return fmt.Errorf("opening --data-dir: %w", err)
	}
	c.DataDir = abs
	const patterns = `*?[]{}\` // which a path that is read must not have: Spark and filepath.Glob would look for others that fit
	var p config.Problems
	p.Check(!strings.ContainsAny(c.DataDir, patterns), "--data-dir %s has one of the characters %s, which are patterns to Spark: name another folder", c.DataDir, patterns)
	p.Check(!strings.ContainsAny(c.SparkDataDir, patterns), "--spark-data-dir %s has one of the characters %s, which are patterns to Spark: name another folder", c.SparkDataDir, patterns)
	if c.SparkDataDir == "" {
		c.SparkDataDir = abs
	}
	return p.Err()
}

// Weights are the strengths of the kinds of event; as a flag, view=1,addtocart=3,transaction=5. A kind that is not named has none.
type Weights map[string]float64

func (w *Weights) String() string {
	if w == nil {
		return ""
	}
	var parts []string
	for _, kind := range event.Kinds {
		if v, ok := (*w)[kind]; ok {
			parts = append(parts, kind+"="+strconv.FormatFloat(v, 'g', -1, 64))
		}
	}
	return strings.Join(parts, ",")
}

// Set parses a flag's value.
func (w *Weights) Set(text string) error {
	parsed := Weights{}
	var sum float64
	for _, part := range strings.Split(text, ",") {
		kind, value, _ := strings.Cut(part, "=")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || !notNegative(v) {
			return fmt.Errorf("%q is not kind=weight with a weight of at least 0", part)
		}
		if kind != event.View && kind != event.AddToCart && kind != event.Transaction {
			return fmt.Errorf("%q is none of %s", kind, strings.Join(event.Kinds, ", "))
		}
		parsed[kind] = v
		sum += v
	}
	if sum == 0 {
		return fmt.Errorf("at least one weight must be above 0")
	}
	*w = parsed
	return nil
}
