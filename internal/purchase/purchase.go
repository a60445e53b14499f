// Package purchase tells how likely a visitor is to buy within days: it trains such models on Spark and applies the one it keeps.
//
// It promises that no feature knows what it is asked about: features are of events before a moment, the label of events after it,
// and the figures in the manifest are of a period later than all that the measured models were trained on and calibrated by.
// Probabilities are calibrated, so that of those with 5 % about 5 % buy. Where too little was bought to learn from, there is no model,
// and the manifest says why.
package purchase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/predict"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// modelDir is the model's folder in a version.
const modelDir = "purchase"

// scratch is a folder that a version has only while it is built.
const scratch = ".purchase"

// Least buyers in each period, below which its figures would say nothing.
const (
	leastTrained = 20
	leastAsked   = 10
)

// Job is a training of purchase models.
type Job struct {
	Session    *spark.Session
	Dir        string // the version under construction, as this program sees it
	SparkDir   string // the same as the cluster sees it
	From, To   int64  // of the first and the last event, Unix ms
	Visitors   int64  // how many there are
	WindowDays int
	LabelDays  int
	Partitions int // that keep the cluster's cores busy
	Seed       int64
	// Step runs a part of the work that a person may wait for.
	Step func(ctx context.Context, name string, step func(context.Context) error) error
}

// Train learns from moments, as features.Moments returns them, with visitors by their numbers. It leaves the best model in the
// version's folder modelDir, or none.
func (j *Job) Train(ctx context.Context, moments sql.DataFrame) (*model.Purchase, error) {
	m := &model.Purchase{WindowDays: j.WindowDays, LabelDays: j.LabelDays}
	err := j.train(ctx, moments, m)
	var few *tooLittle
	if errors.As(err, &few) {
		m.None, err = few.why, nil
	}
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(filepath.Join(j.Dir, scratch)); err != nil {
		return nil, fmt.Errorf("clearing the staging folder: %w", err)
	}
	return m, nil
}

func (j *Job) train(ctx context.Context, moments sql.DataFrame, m *model.Purchase) error {
	p, err := newPlan(j.From, j.To, j.WindowDays, j.LabelDays)
	if err != nil {
		return err
	}
	m.Features = features.VisitorNames()
	for _, w := range p.train {
		m.TrainedAt = append(m.TrainedAt, time.UnixMilli(w.At).UTC())
	}
	m.CalibratedAt, m.TestedAt = time.UnixMilli(p.calibrate.At).UTC(), time.UnixMilli(p.test.At).UTC()
	var c *cases
	err = j.Step(ctx, "purchase: features of visitors at "+fmt.Sprint(len(p.windows()))+" moments", func(ctx context.Context) error {
		if err := j.inactive(ctx, moments, p.test, m); err != nil {
			return err
		}
		c, err = j.collect(ctx, moments, p, m)
		return err
	})
	if err != nil {
		return err
	}
	err = j.Step(ctx, "purchase: comparing "+fmt.Sprint(len(kinds))+" models", func(ctx context.Context) error { return j.compare(ctx, c, p, m) })
	if err != nil {
		return err
	}
	best := kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == m.Candidates[0].Model })]
	return j.Step(ctx, "purchase: training "+best.name+" up to the end", func(ctx context.Context) error {
		later := p.later()
		fitted, err := j.fit(ctx, best, c, later, path.Join(j.SparkDir, modelDir))
		if err != nil {
			return err
		}
		classifier, err := predict.LoadClassifier(filepath.Join(j.Dir, modelDir))
		if err != nil {
			return err
		}
		m.Model, m.Log1p, m.Calibration = best.name, best.log1p, calibrate(ask(classifier, best, c.at(later.calibrate)))
		return fitted.Delete(ctx)
	})
}

// compare fits every kind of model on the earlier moments and asks it about the later one.
func (j *Job) compare(ctx context.Context, c *cases, p plan, m *model.Purchase) error {
	var rankings []ranking
	for _, k := range kinds {
		name := strings.ToLower(k.name)
		fitted, err := j.fit(ctx, k, c, p, path.Join(j.SparkDir, scratch, name))
		if err != nil {
			return err
		}
		if err := fitted.Delete(ctx); err != nil {
			return err
		}
		classifier, err := predict.LoadClassifier(filepath.Join(j.Dir, scratch, name))
		if err != nil {
			return err
		}
		candidate := model.PurchaseCandidate{Model: k.name, Calibration: calibrate(ask(classifier, k, c.at(p.calibrate)))}
		asked := ask(classifier, k, c.at(p.test))
		for i := range asked {
			asked[i].probability = apply(candidate.Calibration, asked[i].score)
		}
		r := rank(asked)
		candidate.Reliability = reliability(r)
		m.Candidates, rankings = append(m.Candidates, candidate), append(rankings, r)
	}
	pr, roc, brier := measure(rankings, j.Seed)
	for i := range m.Candidates {
		m.Candidates[i].PR, m.Candidates[i].ROC, m.Candidates[i].Brier = pr[i], roc[i], brier[i]
	}
	slices.SortStableFunc(m.Candidates, func(a, b model.PurchaseCandidate) int { return cmp.Compare(b.PR.Mean, a.PR.Mean) })
	return nil
}

// ask puts the cases of one moment to a model.
func ask(classifier predict.Classifier, k kind, asked []caseRow) []outcome {
	outcomes := make([]outcome, len(asked))
	for i, row := range asked {
		outcomes[i] = outcome{bought: row.Label == 1, weight: row.Weight, score: classifier.Probability(k.input(row.Features))}
	}
	return outcomes
}
