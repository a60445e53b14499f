package features

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindCatalogue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, found, err := FindCatalogue(dir); found || err != nil {
		t.Errorf("in an empty folder: found %v, %v", found, err)
	}
	write(t, filepath.Join(dir, "raw", "category_tree.csv"), "categoryid,parentid\n")
	if _, found, _ := FindCatalogue(dir); found {
		t.Error("a tree alone says nothing of items, but was taken for a catalogue")
	}
	write(t, filepath.Join(dir, "raw", "item_properties_part2.csv"), "")
	write(t, filepath.Join(dir, "raw", "item_properties_part1.csv"), "")
	c, found, err := FindCatalogue(dir)
	if err != nil || !found || !slices.Equal(c.Files(), []string{"raw/category_tree.csv", "raw/item_properties_part1.csv", "raw/item_properties_part2.csv"}) {
		t.Errorf("found %v: %v, %v", found, c.Files(), err)
	}
	write(t, filepath.Join(dir, "catalogue", "item_properties.csv"), "")
	if c, _, _ = FindCatalogue(dir); !slices.Equal(c.Files(), []string{"catalogue/item_properties.csv"}) {
		t.Errorf("the folder catalogue does not come first: %v", c.Files())
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, tree string
		used       []string
		want       []Category
		says       string // of the error
	}{
		{"a tree", "categoryid,parentid\n1,\n2,1\n3,2\n", []string{"3"}, []Category{{"1", ""}, {"2", "1"}, {"3", "2"}}, ""},
		{"child before parent", "categoryid,parentid\n3,2\n2,1\n1,\n", nil, []Category{{"3", "2"}, {"2", "1"}, {"1", ""}}, ""},
		{"a parent that is not listed", "categoryid,parentid\n2,1\n4,1\n", nil, []Category{{"2", "1"}, {"4", "1"}, {"1", ""}}, ""},
		{"a category of items that is not listed", "categoryid,parentid\n1,\n", []string{"9", "1", "9"}, []Category{{"1", ""}, {"9", ""}}, ""},
		{"no tree", "", []string{"9", "8"}, []Category{{"9", ""}, {"8", ""}}, ""},
		{"twice", "categoryid,parentid\n1,\n2,1\n1,2\n", nil, nil, `line 4: the category "1" stands there a second time`},
		{"a circle", "categoryid,parentid\n0,\n1,3\n2,1\n3,2\n4,0\n", nil, nil, `above the category "1" the parents go in a circle`},
		{"its own parent", "categoryid,parentid\n7,7\n", nil, nil, `above the category "7"`},
		{"another header", "id,parent\n1,\n", nil, nil, "not categoryid,parentid"},
		{"a third column", "categoryid,parentid\n1,,x\n", nil, nil, "line 2"},
		{"no id", "categoryid,parentid\n,1\n", nil, nil, "line 2: categoryid is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c := Catalogue{Dir: "raw"}
			if test.tree != "" {
				c.Tree = "category_tree.csv"
				write(t, filepath.Join(dir, "raw", c.Tree), test.tree)
			}
			got, err := c.Categories(dir, test.used)
			if test.says != "" {
				if !errors.Is(err, ErrCatalogue) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), c.Tree) {
					t.Errorf("error %v, want one that says %q", err, test.says)
				}
				return
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}
