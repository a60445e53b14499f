package train

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/purchase"
	"cartwheel/internal/segment"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/parquet-go/parquet-go"
)

// momentsDir holds what visitors' features start from, while the version is built.
const momentsDir = ".moments"

// foresee makes what the version tells of visitors besides recommendations: profiles, segments and who will buy; and the categories.
// It comes after build, whose numbered events and table of items it takes.
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
	return j.categories(ctx, m)
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

// categories makes the tables of categories where the shop has told them.
func (j *job) categories(ctx context.Context, m *model.Manifest) error {
	catalogue, found, err := features.FindCatalogue(j.DataDir)
	if err != nil || !found {
		return err
	}
	err = j.steps.Do(ctx, "catalogue: categories of items", func(ctx context.Context) error {
		items, err := j.load("items")
		if err != nil {
			return fmt.Errorf("reading the table items: %w", spark.Explain(err))
		}
		df, err := catalogue.ItemCategories(ctx, j.session, j.SparkDataDir, items)
		if err != nil {
			return err
		}
		if err := j.save(ctx, df, "item_categories"); err != nil {
			return fmt.Errorf("%w (the item properties of the catalogue are %v)", err, catalogue.Files())
		}
		used, err := usedCategories(filepath.Join(j.staging.Dir, "item_categories"))
		if err != nil {
			return err
		}
		all, err := catalogue.Categories(j.DataDir, used)
		if err != nil {
			return err
		}
		return features.WriteCategories(filepath.Join(j.staging.Dir, "categories"), all)
	})
	m.Data.CatalogueFiles = catalogue.Files()
	return err
}

// usedCategories are those that items are in, each once, in order.
func usedCategories(dir string) ([]string, error) {
	parts, err := filepath.Glob(filepath.Join(dir, "part-*.parquet"))
	if err != nil {
		return nil, fmt.Errorf("listing the items' categories: %w", err)
	}
	var all []string
	for _, part := range parts {
		rows, err := parquet.ReadFile[struct {
			Category string `parquet:"category,optional"`
		}](part)
		if err != nil {
			return nil, fmt.Errorf("reading the items' categories from %s: %w", part, err)
		}
		for _, row := range rows {
			all = append(all, row.Category)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
