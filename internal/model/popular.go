package model

import (
	"fmt"
	"slices"
	"sort"
)

// Popular lists items best first. It need not hold the whole catalogue.
type Popular struct {
	Items  []int32
	Scores []float64
}

// PopularAll is the key of Version.Popular that counts every kind of event.
const PopularAll = "all"

// loadPopular reads the lists of popular items.
func loadPopular(t table, items int) (map[string]Popular, error) {
	popular, err := loadRanked(t, items, true)
	if err == nil && len(popular[PopularAll].Items) == 0 {
		err = fmt.Errorf("%w: the table %s has no rows for %q", ErrBadVersion, t.name, PopularAll)
	}
	return popular, err
}

// loadRanked reads lists by what stands in the column event, or one list, which goes by the table's name.
func loadRanked(t table, items int, byEvent bool) (map[string]Popular, error) {
	type part struct {
		events []string
		items  []int32
		scores []float64
	}
	parts := make([]part, len(t.parts))
	err := t.each(func(i int, f *parquetFile) (err error) {
		p := &parts[i]
		if p.items, err = flat[int32](f, "item"); err != nil {
			return err
		}
		p.events = slices.Repeat([]string{t.name}, len(p.items))
		if byEvent {
			if p.events, err = flat[string](f, "event"); err != nil {
				return err
			}
		}
		if p.scores, err = flat[float64](f, "score"); err != nil {
			return err
		}
		if bad := slices.IndexFunc(p.scores, func(x float64) bool { return !finite(x) }); bad >= 0 {
			return fmt.Errorf("a score is %v", p.scores[bad])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	lists := map[string]Popular{}
	for i, p := range parts {
		for row, item := range p.items {
			if item < 0 || int(item) >= items {
				return nil, fmt.Errorf("%w: %s holds item %d, beyond the %d known", ErrBadVersion, t.parts[i], item, items)
			}
			list := lists[p.events[row]]
			list.Items = append(list.Items, item)
			list.Scores = append(list.Scores, p.scores[row])
			lists[p.events[row]] = list
		}
	}
	met, number := make([]int, items), 0 // by item: the number of the last list that has it
	for event, list := range lists {
		number++
		for _, item := range list.Items {
			if met[item] == number {
				return nil, fmt.Errorf("%w: the table %s holds item %d for %q a second time", ErrBadVersion, t.name, item, event)
			}
			met[item] = number
		}
		sort.Stable(list) // several parts need not be in order among themselves
	}
	return lists, nil
}

// Len, Less and Swap order a list by score, best first, and equal scores by item.
func (p Popular) Len() int { return len(p.Items) }
func (p Popular) Less(i, j int) bool {
	if p.Scores[i] != p.Scores[j] {
		return p.Scores[i] > p.Scores[j]
	}
	return p.Items[i] < p.Items[j]
}
func (p Popular) Swap(i, j int) {
	p.Items[i], p.Items[j] = p.Items[j], p.Items[i]
	p.Scores[i], p.Scores[j] = p.Scores[j], p.Scores[i]
}
