package train

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"cartwheel/internal/model"
	"cartwheel/internal/recommend"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// The two sides of the comparison with the champion: see docs/adr/gate.md for how they are made alike.
const (
	byCandidate = "candidate"
	byChampion  = "champion"
)

// champion is the version that is served while another one is trained.
type champion struct {
	name     string          // "" if there is none
	manifest *model.Manifest // nil if there is none that could be served
	damage   error           // why not
}

// verdict is what to say of the comparison with a champion that had nothing against it.
func (c champion) verdict() string {
	switch {
	case c.damage != nil:
		return fmt.Sprintf("the champion was passed over, for it cannot be served: %v", c.damage)
	case c.manifest == nil:
		return "there is no champion to compare with"
	default:
		return "not worse than the champion " + c.name
	}
}

// findChampion looks up the champion and checks it whole: one that no API could load must not stand in the way of its successor.
func (j *job) findChampion() (champion, error) { return championOf(filepath.Dir(j.staging.Dir)) }

func championOf(modelsDir string) (champion, error) {
	name, err := model.Champion(modelsDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return champion{}, nil
	case errors.Is(err, model.ErrBadVersion):
		return champion{damage: err}, nil
	case err != nil:
		return champion{}, err
	}
	v, err := model.Load(filepath.Join(modelsDir, name))
	if err != nil {
		return champion{name: name, damage: err}, nil
	}
	return champion{name: name, manifest: v.Manifest}, nil
}

// askChampion puts the questions to the champion's recipe: its settings, made into a model of the same earlier events, and its blends.
// r is of the candidate's measured model, which serves for both if their settings are the same.
func (j *job) askChampion(ctx context.Context, e *evaluation, r *recommend.Recommender, m *model.Manifest, c champion, earlier sql.DataFrame) error {
	if c.manifest == nil {
		return nil
	}
	e.answers[byCandidate] = e.answers[byBlend]
	if c.manifest.Data.To.After(m.Data.HoldoutStart) {
		// The champion's blend was chosen on some of these very questions, and so is flattered by them; then the candidate's must be, too.
		candidate := r.With(m.Parameters.Blends)
		e.ask(byCandidate, func(q question) []string { return ask(candidate, q) })
	}
	theirs := *j
	theirs.Config = recipe(c.manifest.Parameters, j.Config)
	if !sameRecipe(theirs.Config, j.Config) {
		const dir = ".champion"
		version, err := theirs.buildMeasured(ctx, &model.Manifest{Parameters: c.manifest.Parameters}, earlier, dir, "the earlier events by the champion's settings")
		if err != nil {
			return fmt.Errorf("training the champion %s again, to compare with it: %w", c.name, err)
		}
		r = recommend.New(version)
		if err := os.RemoveAll(filepath.Join(j.staging.Dir, dir)); err != nil {
			return fmt.Errorf("clearing the staging folder: %w", err)
		}
	}
	b := c.manifest.Parameters.Blends
	r = r.With(model.Blends{Session: b.Session.Or(model.ByFactors), VisitorNew: b.VisitorNew.Or(model.ByFactors), VisitorAll: b.VisitorAll.Or(model.ByFactors)})
	e.ask(byChampion, func(q question) []string { return ask(r, q) })
	return nil
}

// recipe is c with the settings that a version was trained with.
func recipe(p model.Parameters, c Config) Config {
	c.Rank, c.Iterations, c.Reg, c.Alpha, c.Seed = p.Rank, p.Iterations, p.RegParam, p.Alpha, p.Seed
	c.EventWeights, c.HalfLifeDays, c.WindowDays, c.PopularDays, c.MinItems = p.EventWeights, p.HalfLifeDays, p.WindowDays, p.PopularHalfLife, p.MinItems
	return c
}

// sameRecipe reports whether two trainings would make the same model of the same events.
func sameRecipe(a, b Config) bool {
	return a.Rank == b.Rank && a.Iterations == b.Iterations && a.Reg == b.Reg && a.Alpha == b.Alpha && a.Seed == b.Seed &&
		maps.Equal(a.EventWeights, b.EventWeights) && a.HalfLifeDays == b.HalfLifeDays && a.WindowDays == b.WindowDays &&
		a.PopularDays == b.PopularDays && a.MinItems == b.MinItems
}

// confirm withdraws a promotion if the champion is not the one that the version was compared with: somebody has chosen another while
// the training ran, and knows why.
func confirm(modelsDir string, d *model.Decision) error {
	now, err := model.Champion(modelsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, model.ErrBadVersion) {
		return err
	}
	if d.Promoted && !d.Forced && now != d.Champion {
		d.Promoted = false
		d.Reason = fmt.Sprintf("the champion became %q while this version was trained; it was compared with %q", now, d.Champion)
	}
	return nil
}
