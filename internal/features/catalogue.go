package features

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"cartwheel/internal/event"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/parquet-go/parquet-go"
)

// ErrCatalogue is wrapped by errors that say the shop's catalogue files are wrong.
var ErrCatalogue = errors.New("bad catalogue")

// Catalogue is where a shop's categories are: RetailRocket's files, in the folder catalogue or else raw of the data folder.
type Catalogue struct {
	Dir        string   // relative to the data folder
	Tree       string   // category_tree.csv, or empty where there is none
	Properties []string // names of item_properties*.csv; more than one where the file was split
}

const (
	treeFile       = "category_tree.csv"
	propertiesGlob = "item_properties*.csv"
)

// FindCatalogue looks for the files. Without item properties there is nothing to tell of any item, and found is false.
func FindCatalogue(dataDir string) (c Catalogue, found bool, err error) {
	for _, dir := range []string{"catalogue", "raw"} {
		files, err := filepath.Glob(filepath.Join(dataDir, dir, propertiesGlob))
		if err != nil {
			return c, false, fmt.Errorf("looking for the catalogue: %w", err)
		}
		if len(files) == 0 {
			continue
		}
		c = Catalogue{Dir: dir}
		for _, file := range files {
			c.Properties = append(c.Properties, filepath.Base(file))
		}
		if _, err := os.Stat(filepath.Join(dataDir, dir, treeFile)); err == nil {
			c.Tree = treeFile
		}
		return c, true, nil
	}
	return c, false, nil
}

// Files are the names of what was found, relative to the data folder.
func (c Catalogue) Files() []string {
	var files []string
	for _, name := range append(slices.Clone(c.Properties), c.Tree) {
		if name != "" {
			files = append(files, path.Join(c.Dir, name))
		}
	}
	slices.Sort(files)
	return files
}

// ItemCategories reads which category each item of the catalogue is in: columns itemid and category. Of several values of an item the
// latest holds. sparkDataDir is the data folder as the cluster sees it.
func (c Catalogue) ItemCategories(ctx context.Context, s *spark.Session, sparkDataDir string) (sql.DataFrame, error) {
	files := path.Join(sparkDataDir, c.Dir, propertiesGlob)
	// spark-connect-go's reader takes no schema, so the table is declared in SQL.
	_, err := s.Sql(ctx, fmt.Sprintf(`CREATE OR REPLACE TEMPORARY VIEW cartwheel_properties (timestamp BIGINT, itemid STRING, property STRING, value STRING)
		USING csv OPTIONS (path '%s', header 'true', enforceSchema 'false', mode 'FAILFAST', escape '"', encoding 'UTF-8')`,
		strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(files)))
	if err != nil {
		return nil, fmt.Errorf("opening the item properties %s: %w", files, spark.Explain(err))
	}
	df, err := s.Sql(ctx, `SELECT itemid, max_by(value, struct(timestamp, value)) category FROM cartwheel_properties
		WHERE itemid IS NOT NULL AND property = 'categoryid' AND value IS NOT NULL GROUP BY itemid`)
	if err != nil {
		return nil, fmt.Errorf("choosing each item's category: %w", spark.Explain(err))
	}
	return df, nil
}

// Category is a row of the table of categories.
type Category struct {
	ID     string `parquet:"category"`
	Parent string `parquet:"parent,optional"` // empty for a root
}

// Categories reads the category tree from the data folder as this program sees it, and completes it: a category that items are in, or
// that is a parent, and that the file does not list is a root. Errors wrap ErrCatalogue and say which line is wrong.
func (c Catalogue) Categories(dataDir string, used []string) ([]Category, error) {
	var all []Category
	place := map[string]int{}
	enter := func(id, parent string) {
		place[id] = len(all)
		all = append(all, Category{id, parent})
	}
	if c.Tree != "" {
		name := filepath.Join(dataDir, c.Dir, c.Tree)
		if err := readTree(name, func(line int, id, parent string) error {
			if err := event.ValidateID("categoryid", id); err != nil {
				return fmt.Errorf("line %d: %w", line, err)
			}
			if _, twice := place[id]; twice {
				return fmt.Errorf("line %d: the category %q stands there a second time", line, id)
			}
			enter(id, parent)
			return nil
		}); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrCatalogue, name, err)
		}
		for _, category := range all {
			if _, known := place[category.Parent]; category.Parent != "" && !known {
				enter(category.Parent, "")
			}
		}
		if id, circle := inCircle(all, place); circle {
			return nil, fmt.Errorf("%w: %s: above the category %q the parents go in a circle", ErrCatalogue, name, id)
		}
	}
	for _, id := range used {
		if err := event.ValidateID("categoryid", id); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrCatalogue, path.Join(c.Dir, propertiesGlob), err)
		}
		if _, known := place[id]; !known {
			enter(id, "")
		}
	}
	return all, nil
}

func readTree(name string, each func(line int, id, parent string) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = 2
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			if first {
				return errors.New("the file is empty; its first line should be categoryid,parentid")
			}
			return nil
		}
		if err != nil {
			return err // names the line itself
		}
		if first {
			if row[0] != "categoryid" || row[1] != "parentid" {
				return fmt.Errorf("the first line is %.100q, not categoryid,parentid", strings.Join(row, ","))
			}
			continue
		}
		line, _ := r.FieldPos(0)
		if err := each(line, row[0], row[1]); err != nil {
			return err
		}
	}
}

// inCircle looks for a category whose parents never come to a root.
func inCircle(all []Category, place map[string]int) (string, bool) {
	const (
		onPath = 1
		rooted = 2
	)
	state := make([]uint8, len(all))
	for i := range all {
		var passed []int
		at := i
		for state[at] == 0 {
			state[at] = onPath
			passed = append(passed, at)
			if all[at].Parent == "" {
				break
			}
			at = place[all[at].Parent]
			if state[at] == onPath {
				return all[at].ID, true
			}
		}
		for _, p := range passed {
			state[p] = rooted
		}
	}
	return "", false
}

// WriteCategories writes the table of categories as Spark would, into the new folder dir.
func WriteCategories(dir string, all []Category) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("writing the categories: %w", err)
	}
	if err := parquet.WriteFile(filepath.Join(dir, "part-00000.parquet"), all); err != nil {
		return fmt.Errorf("writing the categories: %w", err)
	}
	return nil
}
