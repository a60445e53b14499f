package model

import (
	"fmt"
	"slices"
	"sort"
)

// Categories are the shop's tree of categories and which items stand where in it. An item may be in several, or in none. A version
// that was trained without them has none.
//
// Categories are numbered in the tree's depth-first order, so that a category and all below it are a range of numbers, and their
// items a range of items.
type Categories struct {
	ids     *IDs
	parents []int32 // by number: of the parent, -1 at a root
	ends    []int32 // by number: one beyond the last category below it
	starts  []int32 // by number: where its items begin among items; one more ends them
	items   []int32
	byItem  []int32 // by item: where its categories begin among of; one more ends them
	of      []int32 // ascending for each item
}

// Branch is a category with all that are below it.
type Branch struct {
	from, to int32
	tree     *Categories
}

// Branch returns a category with all below it, or false if there is no such category.
func (c *Categories) Branch(id string) (Branch, bool) {
	if c.ids == nil {
		return Branch{}, false
	}
	number, known := c.ids.Number(id)
	if !known {
		return Branch{}, false
	}
	return Branch{number, c.ends[number], c}, true
}

// Items returns the branch's items; one that is in several of its categories comes several times.
func (b Branch) Items() []int32 { return b.tree.items[b.tree.starts[b.from]:b.tree.starts[b.to]] }

// Has reports whether an item is in one of the branch's categories.
func (b Branch) Has(item int32) bool {
	for _, category := range b.tree.Of(item) {
		if category >= b.from && category < b.to {
			return true
		}
	}
	return false
}

// Len returns how many categories there are.
func (c *Categories) Len() int { return len(c.parents) }

// Number returns the number of a category.
func (c *Categories) Number(id string) (int32, bool) {
	if c.ids == nil {
		return 0, false
	}
	return c.ids.Number(id)
}

// Name returns a category's id.
func (c *Categories) Name(category int32) string { return c.ids.Name(category) }

// Parent returns the number of a category's parent, or -1 for a root.
func (c *Categories) Parent(category int32) int32 { return c.parents[category] }

// Of returns the numbers of an item's categories.
func (c *Categories) Of(item int32) []int32 {
	if c.byItem == nil {
		return nil
	}
	return c.of[c.byItem[item]:c.byItem[item+1]]
}

// Items returns the numbers of the items that are in a category itself, not below it.
func (c *Categories) Items(category int32) []int32 {
	return c.items[c.starts[category]:c.starts[category+1]]
}

// loadCategories reads both tables. Every category stands once, its parent is one of them, and no path of parents comes back.
func loadCategories(into *Categories, tree, members table, items int) error {
	names, parents, err := readTree(tree)
	if err != nil {
		return err
	}
	if err := into.grow(names, parents); err != nil {
		return fmt.Errorf("%w: the table %s: %w", ErrBadVersion, tree.name, err)
	}
	type pair struct{ item, category int32 }
	parts := make([][]pair, len(members.parts))
	err = members.each(func(i int, f *parquetFile) error {
		numbers, err := flat[int32](f, "item")
		if err != nil {
			return err
		}
		categories, err := flat[string](f, "category")
		if err != nil {
			return err
		}
		for row, item := range numbers {
			category, known := into.ids.Number(categories[row])
			switch {
			case item < 0 || int(item) >= items:
				return fmt.Errorf("item %d is beyond the %d known", item, items)
			case !known:
				return fmt.Errorf("item %d is in the category %.128q, which is not in the table %s", item, categories[row], tree.name)
			}
			parts[i] = append(parts[i], pair{item, category})
		}
		return nil
	})
	if err != nil {
		return err
	}
	all := slices.Concat(parts...)
	sort.Slice(all, func(i, j int) bool {
		if all[i].category != all[j].category {
			return all[i].category < all[j].category
		}
		return all[i].item < all[j].item
	})
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			return fmt.Errorf("%w: the table %s holds item %d in the category %q a second time", ErrBadVersion, members.name, all[i].item, into.ids.Name(all[i].category))
		}
	}
	into.starts, into.items = make([]int32, into.Len()+1), make([]int32, len(all))
	into.byItem, into.of = make([]int32, items+1), make([]int32, len(all))
	for i, p := range all {
		into.items[i] = p.item
		into.starts[p.category+1]++
		into.byItem[p.item+1]++
	}
	for i := range into.Len() {
		into.starts[i+1] += into.starts[i]
	}
	for i := range items {
		into.byItem[i+1] += into.byItem[i]
	}
	next := slices.Clone(into.byItem)
	for _, p := range all {
		into.of[next[p.item]] = p.category
		next[p.item]++
	}
	return nil
}

func readTree(t table) (names, parents []string, err error) {
	type part struct{ names, parents []string }
	parts := make([]part, len(t.parts))
	err = t.each(func(i int, f *parquetFile) (err error) {
		if parts[i].names, err = flat[string](f, "category"); err != nil {
			return err
		}
		parts[i].parents, err = flatOrZero[string](f, "parent")
		return err
	})
	for _, p := range parts {
		names, parents = append(names, p.names...), append(parents, p.parents...)
	}
	return names, parents, err
}

// grow puts the categories in depth-first order and numbers them so. An empty parent is none.
func (c *Categories) grow(names, parents []string) error {
	rows, err := newIDs("category", names, nil)
	if err != nil {
		return err
	}
	children := make([][]int32, len(names))
	var roots []int32
	for row, parent := range parents {
		if parent == "" {
			roots = append(roots, int32(row))
			continue
		}
		above, known := rows.Number(parent)
		if !known {
			return fmt.Errorf("category %q has the parent %.128q, which is not in the table", names[row], parent)
		}
		children[above] = append(children[above], int32(row))
	}
	ordered := make([]string, 0, len(names))
	type step struct {
		row, number, parent int32
		child               int
	}
	// Without recursion, for a chain of parents may be as long as the table.
	for _, root := range roots {
		path := []step{{root, int32(len(ordered)), -1, 0}}
		c.enter(&ordered, names[root], -1)
		for len(path) > 0 {
			top := &path[len(path)-1]
			if top.child == len(children[top.row]) {
				c.ends[top.number] = int32(len(ordered))
				path = path[:len(path)-1]
				continue
			}
			child := children[top.row][top.child]
			top.child++
			path = append(path, step{child, int32(len(ordered)), top.number, 0})
			c.enter(&ordered, names[child], path[len(path)-1].parent)
		}
	}
	if len(ordered) != len(names) {
		return fmt.Errorf("%d of %d categories have no root: their parents go in a circle", len(names)-len(ordered), len(names))
	}
	c.ids, err = newIDs("category", ordered, nil)
	return err
}

func (c *Categories) enter(ordered *[]string, name string, parent int32) {
	*ordered = append(*ordered, name)
	c.parents, c.ends = append(c.parents, parent), append(c.ends, 0)
}
