package train

import (
	"context"
	"fmt"
	"time"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/purchase"
	"cartwheel/internal/segment"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// momentsDir holds what visitors' features start from, while the version is built.
const momentsDir = ".moments"

// foresee makes what the version tells of visitors besides recommendations: profiles, segments and who will buy. It comes after build,
// whose numbered events it takes.
func (j *job) foresee(ctx context.Context, times span, m *model.Manifest) error {
	now := times.now + 1
	var moments, visitors sql.DataFrame
	err := j.steps.Do(ctx, "profiles: what visitors did", func(ctx context.Context) (err error) {
		if moments, err = j.moments(ctx); err != nil {
			return err
		}
		// Whatever the clocks say, everything that a visitor did counts; ages are as of when nearly all had happened.
		visitors, err = j.profiles(ctx, moments, features.Window{At: times.to + 1}, now, "profiles")
		return err
	})
	if err != nil {
		return err
	}
	err = j.steps.Do(ctx, "segments: grouping visitors", func(ctx context.Context) (err error) {
		s := segment.Job{Session: j.session, Dir: j.staging.Dir, SparkDir: j.sparkPath(""), K: j.Segments, Visitors: m.Counts.Visitors, Partitions: max(1, j.blocks/2), Seed: j.Seed}
		if m.Segments, err = s.Find(ctx, visitors); err == nil {
			m.Segments.At = ms(now)
		}
		return err
	})
	if err != nil {
		return err
	}
	p := purchase.Job{Session: j.session, Dir: j.staging.Dir, SparkDir: j.sparkPath(""), From: times.from, To: times.now, Visitors: m.Counts.Visitors,
		WindowDays: j.PurchaseWindowDays, LabelDays: j.PurchaseLabelDays, Partitions: max(1, j.blocks/2), Seed: j.Seed, Step: j.steps.Do}
	if m.Purchase, err = p.Train(ctx, moments); err != nil {
		return err
	}
	if m.Purchase.Model != "" {
		m.Purchase.At = ms(now)
		window := features.Window{From: now - int64(j.PurchaseWindowDays)*(24*time.Hour).Milliseconds(), At: now}
		err := j.steps.Do(ctx, "profiles: what visitors did of late", func(ctx context.Context) error {
			_, err := j.profiles(ctx, moments, window, now, "recent_profiles")
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// moments keeps the numbered events with what features.Profiles needs.
func (j *job) moments(ctx context.Context) (sql.DataFrame, error) {
	numbered, err := j.load(numberedDir)
	if err != nil {
		return nil, fmt.Errorf("reading the numbered events: %w", spark.Explain(err))
	}
	moments, err := features.Moments(ctx, numbered)
	if err != nil {
		return nil, err
	}
	return j.keep(ctx, moments, momentsDir)
}

// profiles makes a table of profiles and returns the features that follow from it as of a moment.
func (j *job) profiles(ctx context.Context, moments sql.DataFrame, w features.Window, at int64, table string) (sql.DataFrame, error) {
	profiles, err := features.Profiles(ctx, moments, w)
	if err != nil {
		return nil, err
	}
	kept, err := profiles.SelectExpr(ctx, append([]string{"visitor"}, model.ProfileColumns...)...)
	if err != nil {
		return nil, fmt.Errorf("making the table %s: %w", table, spark.Explain(err))
	}
	if kept, err = j.keep(ctx, kept, table); err != nil {
		return nil, err
	}
	dated, err := kept.SelectExpr(ctx, fmt.Sprintf("%dL at", at), "*")
	if err != nil {
		return nil, fmt.Errorf("making the table %s: %w", table, spark.Explain(err))
	}
	return features.Visitors(ctx, dated)
}
