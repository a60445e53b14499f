package model

import (
	"fmt"
	"math"
)

// lists holds for each of n keys a list of items with one or more numbers each: sparse matrices of one pattern, in compressed rows.
type lists struct {
	offsets []uint32 // key k's list is from offsets[k] to offsets[k+1]
	items   []int32
	numbers [][]float32
}

// loadLists reads a table with the columns key (int32), "items" (list of int32) and the named columns, lists of floats of the same
// lengths. Keys are below keys, each at most once; items are below items; numbers are finite and not negative.
func loadLists(t table, key string, keys, items int, columns ...string) (lists, error) {
	parts := make([]listsPart, len(t.parts))
	err := t.each(func(i int, f *parquetFile) error { return parts[i].read(f, key, items, columns) })
	if err != nil {
		return lists{}, err
	}
	l := lists{offsets: make([]uint32, keys+1), numbers: make([][]float32, len(columns))}
	met := make([]bool, keys)
	var total int64
	for i, p := range parts {
		for row, k := range p.keys {
			if k < 0 || int(k) >= keys {
				return lists{}, fmt.Errorf("%w: %s holds %s %d, beyond the %d known", ErrBadVersion, t.parts[i], key, k, keys)
			}
			if met[k] {
				return lists{}, fmt.Errorf("%w: %s holds %s %d a second time", ErrBadVersion, t.parts[i], key, k)
			}
			met[k] = true
			from, to := span(p.ends, row)
			l.offsets[k+1] = to - from
		}
		total += int64(len(p.items))
	}
	if total > math.MaxUint32 {
		return lists{}, fmt.Errorf("%w: the table %s has %d pairs, more than this program holds", ErrBadVersion, t.name, total)
	}
	for i := range keys {
		l.offsets[i+1] += l.offsets[i]
	}
	l.items = make([]int32, total)
	for c := range columns {
		l.numbers[c] = make([]float32, total)
	}
	for i, p := range parts {
		for row, k := range p.keys {
			from, to := span(p.ends, row)
			copy(l.items[l.offsets[k]:], p.items[from:to])
			for c := range columns {
				copy(l.numbers[c][l.offsets[k]:], p.numbers[c][from:to])
			}
			t.pace.rest()
		}
		parts[i] = listsPart{} // no longer needed: only the largest tables make the peak of a load
	}
	return l, nil
}

// listsPart is one Parquet file's share of the lists.
type listsPart struct {
	keys    []int32
	ends    []uint32 // by row: where its list ends
	items   []int32
	numbers [][]float32
}

func (p *listsPart) read(f *parquetFile, key string, items int, columns []string) (err error) {
	if p.keys, err = flat[int32](f, key); err != nil {
		return err
	}
	length, err := f.length("items")
	if err != nil {
		return err
	}
	p.items, p.ends = make([]int32, 0, length), make([]uint32, len(p.keys))
	err = eachList(f, "items", func(row int, list []int32) error {
		for _, item := range list {
			if item < 0 || int(item) >= items {
				return fmt.Errorf("item %d is beyond the %d known", item, items)
			}
		}
		p.items = append(p.items, list...)
		p.ends[row] += uint32(len(list))
		return nil
	})
	if err != nil {
		return err
	}
	p.numbers = make([][]float32, len(columns))
	for c, name := range columns {
		numbers, lengths := make([]float32, 0, len(p.items)), make([]uint32, len(p.keys))
		err = eachList(f, name, func(row int, list []float32) error {
			for _, x := range list {
				if x-x != 0 || x < 0 { // the first only for NaN and the infinities
					return fmt.Errorf("a number among the %s of %s %d is %v", name, key, p.keys[row], x)
				}
			}
			numbers = append(numbers, list...)
			lengths[row] += uint32(len(list))
			return nil
		})
		if err != nil {
			return err
		}
		p.numbers[c] = numbers
		for row := range lengths {
			if lengths[row] != p.ends[row] {
				return fmt.Errorf("%s %d has %d items and %d %s", key, p.keys[row], p.ends[row], lengths[row], name)
			}
		}
	}
	for row := 1; row < len(p.ends); row++ {
		p.ends[row] += p.ends[row-1]
	}
	return nil
}

func span(ends []uint32, row int) (from, to uint32) {
	if row > 0 {
		from = ends[row-1]
	}
	return from, ends[row]
}
