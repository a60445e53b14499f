package synthetic

import (
	"bufio"
	"fmt"
	"io"
)

// Snapshots of the item properties were taken once a week: the first on 2015-05-10 03:00 UTC.
const (
	firstSnapshot int64 = 1431226800000
	week                = 7 * 24 * hour
)

// WriteCategoryTree writes category_tree.csv: every category with its parent, which a root has not.
func (s *Shop) WriteCategoryTree(w io.Writer) error {
	tree := newTree(s.catalogue.leaves)
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "categoryid,parentid\n")
	for i := range tree.roots {
		fmt.Fprintf(out, "%d,\n", tree.id(i))
	}
	for i := range tree.groups {
		fmt.Fprintf(out, "%d,%d\n", tree.id(tree.roots+i), tree.id(i/rootSize))
	}
	for i := range tree.leaves {
		fmt.Fprintf(out, "%d,%d\n", tree.leafID(i), tree.id(tree.roots+i/groupSize))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the category tree: %w", err)
	}
	return nil
}

// WriteItemProperties writes item_properties.csv: the category of each item, as of the first weekly snapshot after it appeared.
func (s *Shop) WriteItemProperties(w io.Writer) error {
	tree := newTree(s.catalogue.leaves)
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "timestamp,itemid,property,value\n")
	for item, leaf := range s.catalogue.leafOf {
		appeared := s.clock.arrival(s.catalogue.birth(item), s.sizes.Visitors, 0)
		weeks := max(0, (appeared-firstSnapshot+week-1)/week)
		fmt.Fprintf(out, "%d,%d,categoryid,%d\n", firstSnapshot+weeks*week, s.catalogue.ids[item], tree.leafID(int(leaf)))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing item properties: %w", err)
	}
	return nil
}

// Categories is how many categories there are, inner ones included.
func (s *Shop) Categories() int {
	t := newTree(s.catalogue.leaves)
	return t.roots + t.groups + t.leaves
}

// tree is roots, groups under them, and leaves under those: with all leaves, 1,660 categories (the real tree has 1,669).
type tree struct{ roots, groups, leaves int }

func newTree(leaves int) tree {
	groups := (leaves + groupSize - 1) / groupSize
	return tree{roots: (groups + rootSize - 1) / rootSize, groups: groups, leaves: leaves}
}

// id numbers the categories in steps that hide their order. The step is a prime greater than any tree, so that no id comes twice.
func (t tree) id(i int) int { return (i*2003 + 7) % (t.roots + t.groups + t.leaves) }

func (t tree) leafID(leaf int) int { return t.id(t.roots + t.groups + leaf) }
