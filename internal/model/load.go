package model

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
)

// Version is a trained version in memory, checked, as compact arrays indexed by the dense numbers of its visitors and items.
// Nothing in it may be changed: requests share it.
type Version struct {
	Manifest *Manifest
	Visitors *IDs
	Items    *IDs
	Factors  Factors
	Seen     Seen
	Near     Neighbours
	Recent   Neighbours         // seen together of late
	Popular  map[string]Popular // by kind of event, and "all"
	Trending *Popular           // by how much more they are wanted than before; nil if the version has none

	Categories Categories // empty if the version has none

	Profiles       *Profiles // what each visitor did; nil if the version has none
	RecentProfiles *Profiles // in the window that purchases are foretold from

	pace *pace
}

// Rest is called by who makes something of the version while it is loaded, after each small piece of work: it keeps to the load's pace.
func (v *Version) Rest() { v.pace.rest() }

// Seen is what each visitor has touched, newest item first.
type Seen struct{ lists }

// Of returns a visitor's items and how strongly each was wanted.
func (s *Seen) Of(visitor int32) (items []int32, strengths []float32) {
	from, to := s.offsets[visitor], s.offsets[visitor+1]
	return s.items[from:to], s.numbers[0][from:to]
}

// Ages returns, beside Of's items, how many days before the end of the data the visitor last touched each.
func (s *Seen) Ages(visitor int32) []float32 {
	return s.numbers[1][s.offsets[visitor]:s.offsets[visitor+1]]
}

// Habits returns, beside Of's items, on how many days the visitor touched each, the days weighing less the longer ago.
func (s *Seen) Habits(visitor int32) []float32 {
	return s.numbers[2][s.offsets[visitor]:s.offsets[visitor+1]]
}

// Neighbours are the items that are seen together with each item, best first.
type Neighbours struct{ lists }

// Of returns an item's neighbours and how near each is.
func (n *Neighbours) Of(item int32) (items []int32, scores []float32) {
	from, to := n.offsets[item], n.offsets[item+1]
	return n.items[from:to], n.numbers[0][from:to]
}

// Load reads the version in dir whole and checks all of it: every file's size and checksum, then every table's columns, lengths,
// ids and numbers. Errors wrap ErrBadVersion and say which file is wrong and why.
func Load(dir string) (*Version, error) { return LoadAt(AtOnce, dir) }

// LoadAt is Load at a pace.
func LoadAt(how Pace, dir string) (*Version, error) {
	p := newPace(how)
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	if err := m.checkCounts(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBadVersion, filepath.Join(dir, ManifestName), err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadVersion, err)
	}
	defer root.Close()
	files, err := verifyFiles(root, m.Files, p)
	if err != nil {
		return nil, err
	}
	for _, folder := range []string{"purchase", "segments"} {
		if err := verifyFolder(root, folder, files); err != nil {
			return nil, err
		}
	}
	tables := map[string]table{}
	for _, name := range []string{"als/userFactors", "als/itemFactors", "visitors", "items", "seen", "neighbours", "recent_neighbours", "popular"} {
		if tables[name], err = newTable(root, name, files, p); err != nil {
			return nil, err
		}
	}

	for _, name := range []string{"profiles", "recent_profiles", "trending"} {
		if hasTable(name, files) {
			if tables[name], err = newTable(root, name, files, p); err != nil {
				return nil, err
			}
		}
	}

	categorised := hasTable("categories", files) || hasTable("item_categories", files)
	if categorised {
		for _, name := range []string{"categories", "item_categories"} {
			if tables[name], err = newTable(root, name, files, p); err != nil {
				return nil, err
			}
		}
	}

	v := &Version{Manifest: m, pace: p}
	v.Factors.Rank = m.Parameters.Rank
	visitors, items := int(m.Counts.Visitors), int(m.Counts.Items)
	group := p.group()
	group.Go(func() error { return loadIDs(&v.Visitors, tables["visitors"], "visitorid", visitors) })
	group.Go(func() error { return loadIDs(&v.Items, tables["items"], "itemid", items) })
	if err := group.Wait(); err != nil { // before anything as long as the manifest's counts is made
		return nil, err
	}
	group = p.group()
	group.Go(func() error {
		return loadFactors(&v.Factors.Visitors, tables["als/userFactors"], m.Parameters.Rank, visitors, m.Counts.FactorsUsers)
	})
	group.Go(func() error {
		return loadFactors(&v.Factors.Items, tables["als/itemFactors"], m.Parameters.Rank, items, m.Counts.FactorsItems)
	})
	group.Go(func() (err error) {
		v.Seen.lists, err = loadLists(tables["seen"], "visitor", visitors, items, "strengths", "ages", "habits")
		return err
	})
	group.Go(func() (err error) {
		v.Near.lists, err = loadLists(tables["neighbours"], "item", items, items, "scores")
		return err
	})
	group.Go(func() (err error) {
		v.Recent.lists, err = loadLists(tables["recent_neighbours"], "item", items, items, "scores")
		return err
	})
	group.Go(func() (err error) {
		v.Popular, err = loadPopular(tables["popular"], items)
		return err
	})
	if t, has := tables["trending"]; has {
		group.Go(func() error {
			list, err := loadRanked(t, items, false)
			trending := list[t.name]
			v.Trending = &trending
			return err
		})
	}
	for name, into := range map[string]**Profiles{"profiles": &v.Profiles, "recent_profiles": &v.RecentProfiles} {
		if _, has := tables[name]; has {
			group.Go(func() (err error) {
				*into, err = loadProfiles(tables[name], visitors)
				return err
			})
		}
	}
	if categorised {
		group.Go(func() error {
			return loadCategories(&v.Categories, tables["categories"], tables["item_categories"], items)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return v, nil
}

// checkCounts refuses numbers that no training gives, before memory is spent on them.
func (m *Manifest) checkCounts() error {
	p, c := m.Parameters, m.Counts
	switch {
	case p.Rank < 1 || p.Rank > maxRank:
		return fmt.Errorf("rank %d is not between 1 and %d", p.Rank, maxRank)
	case !finite(p.Alpha) || p.Alpha < 0:
		return fmt.Errorf("alpha is %v", p.Alpha)
	case !finite(p.RegParam) || p.RegParam < 0:
		return fmt.Errorf("regParam is %v", p.RegParam)
	case c.Visitors < 1 || c.Visitors > math.MaxInt32:
		return fmt.Errorf("the count of visitors is %d", c.Visitors)
	case c.Items < 1 || c.Items > math.MaxInt32:
		return fmt.Errorf("the count of items is %d", c.Items)
	}
	for _, blend := range []Blend{p.Blends.Session, p.Blends.VisitorNew, p.Blends.VisitorAll} {
		if err := blend.check(); err != nil {
			return err
		}
	}
	for event, weight := range p.EventWeights {
		if !finite(weight) || weight < 0 {
			return fmt.Errorf("the weight of %q is %v", event, weight)
		}
	}
	return nil
}

func loadIDs(into **IDs, t table, column string, n int) error {
	type part struct {
		numbers []int32
		names   []string
	}
	parts := make([]part, len(t.parts))
	err := t.each(func(i int, f *parquetFile) (err error) {
		if parts[i].numbers, err = flat[int32](f, "id"); err != nil {
			return err
		}
		parts[i].names, err = flat[string](f, column)
		return err
	})
	if err != nil {
		return err
	}
	rows := 0
	for _, p := range parts {
		rows += len(p.numbers)
	}
	if rows != n {
		return fmt.Errorf("%w: the table %s has %d rows, the manifest says %d", ErrBadVersion, t.name, rows, n)
	}
	names := make([]string, n)
	for i, p := range parts {
		for row, number := range p.numbers {
			// As many rows as ids, each in range and none twice: then they are dense from 0.
			if number < 0 || int(number) >= n {
				return fmt.Errorf("%w: %s holds id %d, beyond the %d known", ErrBadVersion, t.parts[i], number, n)
			}
			if names[number] != "" {
				return fmt.Errorf("%w: %s holds id %d a second time", ErrBadVersion, t.parts[i], number)
			}
			names[number] = p.names[row]
		}
	}
	if *into, err = newIDs(column, names, t.pace); err != nil {
		return fmt.Errorf("%w: the table %s: %w", ErrBadVersion, t.name, err)
	}
	return nil
}

func loadFactors(into *Rows, t table, rank, n int, want int64) error {
	rows, present, err := readFactors(t, rank, n)
	if err != nil {
		return err
	}
	if int64(present) != want {
		return fmt.Errorf("%w: the table %s has %d rows, the manifest says %d", ErrBadVersion, t.name, present, want)
	}
	*into = rows
	return nil
}
