package tuning

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"cartwheel/internal/config"
	"cartwheel/internal/durable"
	"cartwheel/internal/train"
)

// table is the state of a search: what was measured, on disk after each trial.
type table struct {
	path   string
	config *Config
	trials []trial
}

// openTable reads the trials that a search of this name has made, and makes sure that it was the same search.
func openTable(dir string, c *Config) (*table, error) {
	if err := sameSearch(filepath.Join(dir, "search.json"), c); err != nil {
		return nil, err
	}
	t := &table{path: filepath.Join(dir, "trials.csv"), config: c}
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the trials: %w", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading the trials in %s: %w", t.path, err)
	}
	planned := c.plan()
	for i, row := range rows[min(1, len(rows)):] {
		read, err := t.parse(row, planned)
		if err != nil {
			return nil, fmt.Errorf("reading the trials: %s, row %d: %w (remove the row, and it is measured again)", t.path, i+2, err)
		}
		t.trials = append(t.trials, read)
	}
	return t, nil
}

// sameSearch writes down what is searched, or holds it against what was written down.
func sameSearch(path string, c *Config) error {
	asked := map[string]string{"trials": strconv.Itoa(c.Trials), "seed": strconv.FormatInt(c.Seed, 10), "holdout": fmt.Sprint(c.Holdout)}
	for _, r := range c.ranges {
		asked[r.flag] = r.values.String()
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return durable.WriteFile(path, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(asked)
		})
	}
	if err != nil {
		return fmt.Errorf("reading what is searched: %w", err)
	}
	begun := map[string]string{}
	if err := json.Unmarshal(text, &begun); err != nil {
		return fmt.Errorf("reading what is searched from %s: %w", path, err)
	}
	var p config.Problems
	for flag, now := range asked {
		p.Check(begun[flag] == now, "--%s %s: the search %q was begun with %s; go on with that, or give this one another --name", flag, now, c.Name, begun[flag])
	}
	return p.Err()
}

// add puts a trial into the table, which is on disk when it returns.
func (t *table) add(one trial) error {
	t.trials = append(t.trials, one)
	return durable.WriteFile(t.path, func(w io.Writer) error {
		out := csv.NewWriter(w)
		if err := out.Write(t.header()); err != nil {
			return err
		}
		for _, row := range t.trials {
			if err := out.Write(t.row(row)); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
}

func (t *table) header() []string {
	names := []string{"trial", "rung", "ran-iterations", "ndcg@10"}
	for _, kind := range train.Kinds() {
		names = append(names, kind+": ndcg@10")
	}
	names = append(names, "seconds")
	for _, r := range t.config.ranges {
		names = append(names, r.flag)
	}
	return names
}

func (t *table) row(one trial) []string {
	number := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	cells := []string{strconv.Itoa(one.number), strconv.Itoa(one.rung + 1), strconv.Itoa(one.ran), number(one.quality.Mean)}
	for _, kind := range train.Kinds() {
		cell := "" // of a kind that nobody was asked
		if v, ok := one.quality.Kinds[kind]; ok {
			cell = number(v)
		}
		cells = append(cells, cell)
	}
	cells = append(cells, strconv.FormatFloat(one.seconds, 'f', 1, 64))
	for _, r := range t.config.ranges {
		cells = append(cells, number(r.get(one.settings)))
	}
	return cells
}

// parse reads a row back. Its settings follow from its number.
func (t *table) parse(cells []string, planned []Settings) (one trial, err error) {
	number := func(i int) float64 {
		f, parseErr := strconv.ParseFloat(cells[i], 64)
		if parseErr != nil {
			err = errors.Join(err, fmt.Errorf("%s is %q, not a number", t.header()[i], cells[i]))
		}
		return f
	}
	if len(cells) != len(t.header()) {
		return one, fmt.Errorf("it has %d columns, not %d", len(cells), len(t.header()))
	}
	one = trial{number: int(number(0)), rung: int(number(1)) - 1, ran: int(number(2)), quality: train.Quality{Mean: number(3), Kinds: map[string]float64{}}}
	for i, kind := range train.Kinds() {
		if cells[4+i] != "" {
			one.quality.Kinds[kind] = number(4 + i)
		}
	}
	one.seconds = number(4 + len(train.Kinds()))
	if err != nil {
		return one, err
	}
	if one.number < 0 || one.number >= len(planned) || one.rung < 0 || one.rung >= len(rungs) || t.find(one.rung, one.number) != nil {
		return one, fmt.Errorf("there is no trial %d for rung %d left", one.number, one.rung+1)
	}
	one.settings = planned[one.number]
	return one, nil
}
