package tuning

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"

	"cartwheel/internal/config"
	"cartwheel/internal/event"
	"cartwheel/internal/train"
)

// Config is what a search can be told. Each setting that is searched has a range or a list of values.
type Config struct {
	train.Config
	Name   string
	Trials int
	ranges []namedRange
}

// Settings are the settings of one trial.
type Settings struct {
	Rank, Iterations         int
	Reg, Alpha               float64
	HalfLifeDays, WindowDays float64
	AddToCart, Transaction   float64 // weights; a view's is 1
}

// namedRange is a setting that is searched: its flag, what is tried unless told otherwise, and where it belongs.
type namedRange struct {
	flag, about string
	values      values
	whole       bool
	set         func(*Settings, float64)
	get         func(Settings) float64
}

func space() []namedRange {
	return []namedRange{
		{"rank", "length of a factor", span(16, 128), true, func(s *Settings, v float64) { s.Rank = int(v) }, func(s Settings) float64 { return float64(s.Rank) }},
		{"iterations", "sweeps of alternating least squares", span(6, 15), true, func(s *Settings, v float64) { s.Iterations = int(v) }, func(s Settings) float64 { return float64(s.Iterations) }},
		{"reg", "regularisation", span(0.01, 1), false, func(s *Settings, v float64) { s.Reg = v }, func(s Settings) float64 { return s.Reg }},
		{"alpha", "confidence per unit of strength", span(0.3, 30), false, func(s *Settings, v float64) { s.Alpha = v }, func(s Settings) float64 { return s.Alpha }},
		{"half-life-days", "days after which an event counts half", span(3, 120), false, func(s *Settings, v float64) { s.HalfLifeDays = v }, func(s Settings) float64 { return s.HalfLifeDays }},
		{"window-days", "days after which an event counts no more; 0: for good", values{list: []float64{0, 90, 180}}, false, func(s *Settings, v float64) { s.WindowDays = v }, func(s Settings) float64 { return s.WindowDays }},
		{"addtocart-weight", "strength of an addtocart, a view's being 1", span(1, 10), false, func(s *Settings, v float64) { s.AddToCart = v }, func(s Settings) float64 { return s.AddToCart }},
		{"transaction-weight", "strength of a transaction, a view's being 1", span(1, 20), false, func(s *Settings, v float64) { s.Transaction = v }, func(s Settings) float64 { return s.Transaction }},
	}
}

// Declare adds the settings and their defaults.
func (c *Config) Declare(s *config.Set) {
	c.Config.Declare(config.New("train", "", io.Discard)) // for the defaults of what is not searched
	s.StringVar(&c.SparkRemote, "spark-remote", c.SparkRemote, "Spark Connect `address`")
	s.Env("spark-remote", "SPARK_REMOTE")
	s.StringVar(&c.DataDir, "data-dir", c.DataDir, "`folder` of the batch files; the search is kept in its folder tuning")
	s.Env("data-dir", "DATA_DIR")
	s.StringVar(&c.SparkDataDir, "spark-data-dir", "", "the same `folder` as the Spark cluster sees it, if under another path")
	s.Env("spark-data-dir", "SPARK_DATA_DIR")
	s.StringVar(&c.Name, "name", "search", "`name` of the search; one that was begun goes on")
	s.IntVar(&c.Trials, "trials", 16, "how many settings to try; half of them reach the second rung, a quarter the last")
	s.Int64Var(&c.Seed, "seed", 1, "seed of what is drawn, and of the factors")
	s.Float64Var(&c.Holdout, "holdout", c.Holdout, "`share` of the events, the latest, that the trials are asked about")
	c.ranges = space()
	for i := range c.ranges {
		r := &c.ranges[i]
		s.Var(&r.values, r.flag, "`low:high`, or values a,b,c: "+r.about)
	}
	c.Log.Declare(s)
}

// Validate names every setting that is wrong.
func (c *Config) Validate() error {
	var p config.Problems
	p.Check(c.Name != "" && c.Name == filepath.Base(c.Name) && c.Name[0] != '.', "--name %q cannot be a folder's name", c.Name)
	p.Check(c.Trials >= 1 && c.Trials <= 10_000, "--trials %d is not between 1 and 10000", c.Trials)
	for _, r := range c.ranges {
		for _, v := range r.values.ends() {
			p.Check(v >= 0, "--%s %s: %v is less than 0", r.flag, &r.values, v)
			p.Check(!r.whole || v == math.Trunc(v), "--%s %s: %v is not a whole number", r.flag, &r.values, v)
		}
	}
	if err := p.Err(); err != nil {
		return err
	}
	for _, end := range []int{0, 1} { // what holds at both ends holds between
		var s Settings
		for _, r := range c.ranges {
			r.set(&s, r.values.ends()[end])
		}
		config := s.apply(c.base())
		if err := config.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// base is a training with what is not searched.
func (c *Config) base() train.Config { return c.Config }

// plan draws the settings of all trials. The first one is that of a training that is told nothing; each of the others follows from
// the seed and its number alone.
func (c *Config) plan() []Settings {
	planned := make([]Settings, c.Trials)
	for i := range planned {
		if i == 0 {
			planned[0] = Settings{c.Rank, c.Iterations, c.Reg, c.Alpha, c.HalfLifeDays, c.WindowDays,
				c.EventWeights[event.AddToCart], c.EventWeights[event.Transaction]}
			continue
		}
		draw := rand.New(rand.NewPCG(uint64(c.Seed), uint64(i)))
		for _, r := range c.ranges {
			r.set(&planned[i], r.values.draw(draw, r.whole))
		}
	}
	return planned
}

// apply gives a training these settings.
func (s Settings) apply(c train.Config) train.Config {
	c.Rank, c.Iterations, c.Reg, c.Alpha, c.HalfLifeDays, c.WindowDays = s.Rank, s.Iterations, s.Reg, s.Alpha, s.HalfLifeDays, s.WindowDays
	c.EventWeights = train.Weights{event.View: 1, event.AddToCart: s.AddToCart, event.Transaction: s.Transaction}
	return c
}

// Flags are the flags of sparkjobs/train that mean these settings.
func (s Settings) Flags() string {
	c := s.apply(train.Config{})
	return fmt.Sprintf("--rank %d --iterations %d --reg %v --alpha %v --half-life-days %v --window-days %v --event-weights %s",
		s.Rank, s.Iterations, s.Reg, s.Alpha, s.HalfLifeDays, s.WindowDays, &c.EventWeights)
}

// values are what a setting may be: anything between low and high, or one of a list.
type values struct {
	low, high float64
	list      []float64 // if not nil, instead
}

func span(low, high float64) values { return values{low: low, high: high} }

func (v *values) String() string {
	if v.list == nil {
		return fmt.Sprintf("%v:%v", v.low, v.high)
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(v.list), " ", ","), "[]")
}

// Set parses a flag's value.
func (v *values) Set(text string) error {
	number := func(text string) (float64, error) {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, fmt.Errorf("%q is not a number", text)
		}
		return f, nil
	}
	if low, high, ok := strings.Cut(text, ":"); ok {
		l, err := number(low)
		if err != nil {
			return err
		}
		h, err := number(high)
		if err != nil {
			return err
		}
		if l <= 0 || h < l {
			return fmt.Errorf("a range goes from a number above 0 to one that is not smaller; a list such as 0,30,90 may hold 0")
		}
		*v = span(l, h)
		return nil
	}
	var list []float64
	for _, part := range strings.Split(text, ",") {
		f, err := number(part)
		if err != nil {
			return err
		}
		list = append(list, f)
	}
	*v = values{list: list}
	return nil
}

// ends are the least and the greatest.
func (v *values) ends() [2]float64 {
	if v.list == nil {
		return [2]float64{v.low, v.high}
	}
	ends := [2]float64{v.list[0], v.list[0]}
	for _, f := range v.list {
		ends[0], ends[1] = min(ends[0], f), max(ends[1], f)
	}
	return ends
}

// draw draws a value: of a range by its logarithm, for what matters is by how many times a setting is greater; rounded to three digits.
func (v *values) draw(r *rand.Rand, whole bool) float64 {
	u := r.Float64()
	if v.list != nil {
		return v.list[int(u*float64(len(v.list)))]
	}
	f := v.low * math.Pow(v.high/v.low, u)
	if whole {
		return math.Round(f)
	}
	f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', 3, 64), 64) // of what was just formatted
	return min(max(f, v.low), v.high)
}
