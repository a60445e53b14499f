//go:build integration

package train

import (
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cartwheel/internal/config"
	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
	"cartwheel/internal/spark/sparktest"
)

// The figures that a training measures on its hold-out are those of the API: the model that it has asked is served, and the same
// questions are put over HTTP. That model is of the earlier events only; the version that a training publishes has seen the answers.
//
// CARTWHEEL_BATCHES names a folder of batch files, which are trained on by the default settings; without it, those of a small generated
// shop are. With -v the figures are printed, as docs/quality.md has them.
func TestHoldoutFiguresAreTheAPIs(t *testing.T) {
	t.Parallel()
	var b *bench
	args := small
	if given := os.Getenv("CARTWHEEL_BATCHES"); given != "" {
		b, args = &bench{T: t, dir: t.TempDir(), remote: os.Getenv("SPARK_REMOTE")}, nil
		if err := os.CopyFS(b.batches(), os.DirFS(given)); err != nil {
			t.Fatal(err)
		}
	} else {
		b = setup(t, os.Getenv("SPARK_REMOTE"), 20_000)
	}
	m, j := b.measure(args)

	measured := filepath.Join(j.staging.Dir, measuredDir)
	v, err := model.Load(measured)
	if err != nil {
		t.Fatal(err)
	}
	held, err := readHeldOut(filepath.Join(j.staging.Dir, holdoutDir))
	if err != nil {
		t.Fatal(err)
	}
	r := recommend.New(v)
	asked := questions(held, v)
	choice := newTuner(r, v.Items, asked, j.Seed)
	blends := [2]model.Blends{choice.tune(halfB), choice.tune(halfA)}
	apis := map[half]api{
		halfA: served(t, blended(t, measured, blends[0])),
		halfB: served(t, blended(t, measured, blends[1])),
	}
	e := newEvaluation(append(bounded(asked, askedAtMost), bounded(strangers(held, v), askedAtMost)...), v.Items)
	e.ask("offline", answerers(r, v.Items, blends, j.Seed)[byBlend])
	e.ask("online", func(q question) []string { return apis[halfOf(q.visitor)].ask(t, q) })
	online := e.measurements(j.Seed)
	if t.Failed() {
		return
	}
	t.Logf("%d events, %d held out, %d visitors and %d items known", m.Counts.Events, len(held), v.Visitors.Len(), v.Items.Len())
	for _, kind := range kinds {
		for _, part := range parts {
			name := kind + part.suffix
			training, api := m.Metrics[name+": "+byBlend], online[name+": online"]
			if training.Cases != api.Cases {
				t.Fatalf("%s: the training asked %d questions, the test %d", name, training.Cases, api.Cases)
			}
			for _, metric := range metricNames {
				was, is := 100*training.Values[metric].Mean, 100*api.Values[metric].Mean
				t.Logf("| %s | %d | %s | %.4f | %.4f | %.4f |", name, api.Cases, metric, was, is, math.Abs(is-was))
				if !(math.Abs(is-was) < 0.1) {
					t.Errorf("%s: %s x100 is %v offline and %v online", name, metric, was, is)
				}
			}
		}
	}
	if m.Metrics[session+": "+byBlend].Values["ndcg@10"].Mean < 0.01 {
		t.Error("figures near 0 say little")
	}
	different := 0
	for i := range e.asked {
		if !slices.Equal(e.answers["offline"][i].list, e.answers["online"][i].list) {
			different++
		}
	}
	t.Logf("%d of %d lists differ", different, len(e.asked))
	if different > 0 {
		t.Errorf("%d of %d questions are answered in process and over HTTP by different lists", different, len(e.asked))
	}
}

// measure does what a training does up to the end of its evaluation, and returns the manifest with its figures.
func (b *bench) measure(args []string) (*model.Manifest, *job) {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	session, ctx := sparktest.Open(b.T), b.Context()
	var c Config
	s := config.New("train", "", io.Discard)
	c.Declare(s)
	must(errors.Join(s.Parse(append([]string{"--data-dir", b.dir}, args...), func(string) string { return "" }), c.resolve()))
	must(os.MkdirAll(b.models(), 0o755))
	staging, err := model.Stage(b.models(), time.Now(), false)
	must(err)
	j := &job{Config: c, log: slog.New(slog.DiscardHandler), session: session, steps: newSteps(io.Discard), staging: staging}
	must(j.fitToCluster(ctx))
	events, err := j.readEvents(ctx)
	must(err)
	holdFrom, err := splitAt(ctx, events.Events, j.Holdout)
	must(err)
	m := &model.Manifest{Parameters: j.parameters(), Counts: model.Counts{Events: events.Count}}
	must(j.measure(ctx, m, events.Events, holdFrom))
	return m, j
}

// blended is the version in dir, with other blends.
func blended(t *testing.T, dir string, blends model.Blends) string {
	t.Helper()
	const name = "20261126T000000Z-b1e2d3"
	other := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(other, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	m, err := model.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(other, model.ManifestName)); err != nil { // it does not list itself
		t.Fatal(err)
	}
	m.Parameters.Blends = blends
	if err := model.Seal(other, name, m); err != nil {
		t.Fatal(err)
	}
	return other
}
