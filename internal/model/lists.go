package model

import (
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go"
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
	for _, p := range parts {
		for row, k := range p.keys {
			from, to := span(p.ends, row)
			copy(l.items[l.offsets[k]:], p.items[from:to])
			for c := range columns {
				copy(l.numbers[c][l.offsets[k]:], p.numbers[c][from:to])
			}
		}
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
	if p.keys, err = f.int32s(key); err != nil {
		return err
	}
	p.ends = make([]uint32, len(p.keys))
	err = f.column(parquet.Int32, func(row int, v parquet.Value) error {
		item := v.Int32()
		if item < 0 || int(item) >= items {
			return fmt.Errorf("item %d is beyond the %d known", item, items)
		}
		p.items = append(p.items, item)
		p.ends[row]++
		return nil
	}, "items", "list", "element")
	if err != nil {
		return err
	}
	p.numbers = make([][]float32, len(columns))
	for c, name := range columns {
		lengths := make([]uint32, len(p.keys))
		err = f.column(parquet.Float, func(row int, v parquet.Value) error {
			x := v.Float()
			if !finite(float64(x)) || x < 0 {
				return fmt.Errorf("a number among the %s of %s %d is %v", name, key, p.keys[row], x)
			}
			p.numbers[c] = append(p.numbers[c], x)
			lengths[row]++
			return nil
		}, name, "list", "element")
		if err != nil {
			return err
		}
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
