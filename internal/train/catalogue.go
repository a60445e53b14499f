package train

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"cartwheel/internal/features"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/apache/spark-connect-go/v40/spark/sql/functions"
	"github.com/apache/spark-connect-go/v40/spark/sql/utils"
	"github.com/parquet-go/parquet-go"
)

// catalogueDir holds the categories of the catalogue's items, while the version is built.
const catalogueDir = ".catalogue"

// readCatalogue reads the shop's catalogue, before all that takes long, and puts its items' categories where builds find them. Without
// one it returns a catalogue of no files.
func (j *job) readCatalogue(ctx context.Context) (features.Catalogue, error) {
	catalogue, found, err := features.FindCatalogue(j.DataDir)
	if err != nil || !found {
		return catalogue, err
	}
	err = j.steps.Do(ctx, "catalogue: categories of items", func(ctx context.Context) error {
		df, err := catalogue.ItemCategories(ctx, j.session, j.SparkDataDir)
		if err != nil {
			return err
		}
		if j.placed, err = j.keep(ctx, df, catalogueDir); err != nil {
			return fmt.Errorf("%w (the item properties of the catalogue are %v)", err, catalogue.Files())
		}
		return nil
	})
	return catalogue, err
}

// categoriesOf gives the categories of a table of items: columns item (int) and category. It is nil where the shop has told none.
func (j *job) categoriesOf(ctx context.Context, items sql.DataFrame) (sql.DataFrame, error) {
	if j.placed == nil {
		return nil, nil
	}
	failed := func(err error) error { return fmt.Errorf("finding the items' categories: %w", spark.Explain(err)) }
	items, err := items.SelectExpr(ctx, "id item", "itemid i")
	if err != nil {
		return nil, failed(err)
	}
	joined, err := items.Join(ctx, j.placed, functions.Expr("i = itemid"), utils.JoinTypeInner)
	if err != nil {
		return nil, failed(err)
	}
	if joined, err = joined.SelectExpr(ctx, "item", "category"); err != nil {
		return nil, failed(err)
	}
	return joined, nil
}

// categories makes the tables of categories where the shop has told them, of the table of items that build has made.
func (j *job) categories(ctx context.Context, catalogue features.Catalogue) error {
	if j.placed == nil {
		return nil
	}
	return j.steps.Do(ctx, "catalogue: tables of categories", func(ctx context.Context) error {
		items, err := j.load("items")
		if err != nil {
			return fmt.Errorf("reading the table items: %w", spark.Explain(err))
		}
		df, err := j.categoriesOf(ctx, items)
		if err != nil {
			return err
		}
		if err := j.save(ctx, df, "item_categories"); err != nil {
			return err
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
