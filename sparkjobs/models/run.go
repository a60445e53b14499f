package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"cartwheel/internal/config"
	"cartwheel/internal/model"
	"cartwheel/internal/serve"
)

const usage = `models: looks after the trained versions in DATA_DIR/models.

  models list                what there is, newest first
  models show VERSION        where a version came from and how good it is; "champion" is a version's name, too
  models card [VERSION]      its model card, in Markdown; the champion's unless given
  models compare A [B]       in what two versions differ; B is the champion unless given
  models activate VERSION    make it the champion, once it is checked whole; servers follow
  models rollback            make the champion before this one the champion again
  models prune [--keep N]    what could be removed: all but the champion, the one before and the newest N; --yes removes it

Flags come after the versions: --data-dir FOLDER [DATA_DIR] (default data), --json for programs.
It ends with 0, with 2 for a wrong command line, or with 1 for other failures.
`

// settings are those of all commands.
type settings struct {
	modelsDir string
	json      bool
	keep      int
	yes       bool
}

// command is one of the commands: how many versions it is told, and what it does. It gives what --json prints and how to print a table.
type command struct {
	least, most int
	do          func(s settings, versions []string) (value any, table func(io.Writer), err error)
}

var commands = map[string]command{
	"list":     {0, 0, list},
	"show":     {1, 1, show},
	"card":     {0, 1, card},
	"compare":  {1, 2, compare},
	"activate": {1, 1, activate},
	"rollback": {0, 0, rollback},
	"prune":    {0, 0, prune},
}

// run is the program. It returns the exit code.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		if len(args) == 0 {
			fmt.Fprint(stderr, usage)
			return 2
		}
		fmt.Fprint(stdout, usage)
		return 0
	}
	err := execute(args[0], args[1:], getenv, stdout)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w (models list tells what there is; --data-dir or DATA_DIR says where)", err)
	}
	return config.Tell("models", err, stderr)
}

func execute(name string, args []string, getenv func(string) string, stdout io.Writer) error {
	c, ok := commands[name]
	if !ok {
		return fmt.Errorf("%w: there is no command %q (models --help lists them)", config.ErrUsage, name)
	}
	flags := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-") })
	if flags < 0 {
		flags = len(args)
	}
	versions := args[:flags]
	var s settings
	var dataDir string
	set := config.New("models "+name, "see models --help.", stdout)
	set.StringVar(&dataDir, "data-dir", "data", "`folder` of the models")
	set.Env("data-dir", "DATA_DIR")
	set.BoolVar(&s.json, "json", false, "print JSON")
	if name == "prune" {
		set.IntVar(&s.keep, "keep", 5, "how many of the newest `versions` stay")
		set.BoolVar(&s.yes, "yes", false, "remove them, instead of telling what would be removed")
	}
	if err := set.Parse(args[flags:], getenv); err != nil {
		return err
	}
	var p config.Problems
	p.Check(dataDir != "", "--data-dir must not be empty")
	p.Check(s.keep >= 0, "--keep %d is not at least 0", s.keep)
	p.Check(len(versions) >= c.least && len(versions) <= c.most, "%s: %d versions were named: see models --help", name, len(versions))
	if err := p.Err(); err != nil {
		return err
	}
	s.modelsDir = filepath.Join(dataDir, "models")
	value, table, err := c.do(s, versions)
	if value == nil {
		return err
	}
	if !s.json {
		table(stdout)
		return err
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	return errors.Join(err, encoder.Encode(value))
}

// find reads the manifest of a version, or of the champion if it is named so.
func (s settings) find(version string) (*model.Manifest, error) {
	if version == "champion" {
		name, err := model.Champion(s.modelsDir)
		if err != nil {
			return nil, err
		}
		version = name
	}
	return model.FindManifest(s.modelsDir, version)
}

// listed is a version as list tells it.
type listed struct {
	Version  string          `json:"version"`
	Champion bool            `json:"champion"`
	Previous bool            `json:"previous"` // the champion before
	Manifest *model.Manifest `json:"manifest,omitempty"`
	Error    string          `json:"error,omitempty"`
}

func list(s settings, _ []string) (any, func(io.Writer), error) {
	all, err := model.List(s.modelsDir)
	if err != nil {
		return nil, nil, err
	}
	champion, err := orNone(model.Champion(s.modelsDir))
	if err != nil {
		return nil, nil, err
	}
	previous, err := orNone(model.Previous(s.modelsDir))
	if err != nil {
		return nil, nil, err
	}
	rows := []listed{}
	for _, l := range all {
		row := listed{Version: l.Name, Champion: l.Name == champion, Previous: l.Name == previous && previous != champion, Manifest: l.Manifest}
		if l.Err != nil {
			row.Error = l.Err.Error()
		} else {
			row.Manifest.Files = nil // a list of versions is no inventory
		}
		rows = append(rows, row)
	}
	return rows, func(w io.Writer) { listTable(w, s, rows) }, nil
}

func orNone(name string, err error) (string, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return name, err
}

func show(s settings, versions []string) (any, func(io.Writer), error) {
	m, err := s.find(versions[0])
	if err != nil {
		return nil, nil, err
	}
	return m, func(w io.Writer) { showTable(w, m) }, nil
}

// comparison is what compare tells.
type comparison struct {
	A           string             `json:"a"`
	B           string             `json:"b"`
	Differences []model.Difference `json:"differences"`
	Metrics     []model.MetricPair `json:"metrics"`
	Decision    *model.Decision    `json:"decision,omitempty"` // of A, if it was compared with B when it was trained
}

func compare(s settings, versions []string) (any, func(io.Writer), error) {
	a, err := s.find(versions[0])
	if err != nil {
		return nil, nil, err
	}
	b, err := s.find(append(versions, "champion")[1])
	if err != nil {
		return nil, nil, err
	}
	c := comparison{A: a.Version, B: b.Version}
	if c.Differences, c.Metrics, err = model.Compare(a, b, []string{"ndcg@10", "hitrate@20", "mrr@20", "coverage@10"}); err != nil {
		return nil, nil, err
	}
	if a.Decision != nil && a.Decision.Champion == b.Version {
		c.Decision = a.Decision
	}
	return c, func(w io.Writer) { compareTable(w, c) }, nil
}

// changed is what activate and rollback tell.
type changed struct {
	Champion string `json:"champion"`
	Previous string `json:"previous,omitempty"` // what was the champion, and rollback goes back to
}

func activate(s settings, versions []string) (any, func(io.Writer), error) {
	return s.change(func() (*model.Manifest, error) { return model.Activate(s.modelsDir, versions[0], serve.Check) })
}

func rollback(s settings, _ []string) (any, func(io.Writer), error) {
	return s.change(func() (*model.Manifest, error) {
		m, err := model.Rollback(s.modelsDir, serve.Check)
		if errors.Is(err, model.ErrNoPrevious) {
			err = fmt.Errorf("%w (models activate VERSION makes any version the champion)", err)
		}
		return m, err
	})
}

func (s settings) change(do func() (*model.Manifest, error)) (any, func(io.Writer), error) {
	m, err := do()
	if err != nil {
		return nil, nil, err
	}
	previous, err := orNone(model.Previous(s.modelsDir))
	c := changed{Champion: m.Version, Previous: previous}
	return c, func(w io.Writer) {
		fmt.Fprintln(w, c.Champion, "is the champion now")
		if c.Previous != "" {
			fmt.Fprintln(w, "models rollback goes back to", c.Previous)
		}
	}, err
}

// prunings is what prune tells. Dry means that nothing was removed yet.
type prunings struct {
	Dry      bool           `json:"dry"`
	Versions []model.Pruned `json:"versions"`
}

func prune(s settings, _ []string) (any, func(io.Writer), error) {
	done, err := model.Prune(s.modelsDir, s.keep, !s.yes)
	if err != nil && len(done) == 0 {
		return nil, nil, err
	}
	p := prunings{Dry: !s.yes, Versions: append([]model.Pruned{}, done...)}
	return p, func(w io.Writer) { pruneTable(w, p) }, err
}
