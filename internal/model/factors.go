package model

import (
	"fmt"
	"math"
	"slices"
)

// maxRank is the largest number of factors that a reader accepts.
const maxRank = 1024

// Factors are what ALS learned.
type Factors struct {
	Rank     int
	Visitors Rows
	Items    Rows
}

// Rows are the factors of those visitors, or items, that have any: most visitors of a shop were there once and have none.
type Rows struct {
	rank    int
	numbers []float32 // row after row
	places  []int32   // by number of the visitor or item: its row, or -1
}

// Of returns the factors of a number, or nil if it has none. A row of zeros is none.
func (r *Rows) Of(number int32) []float32 {
	place := int(r.places[number])
	if place < 0 {
		return nil
	}
	return r.numbers[place*r.rank : (place+1)*r.rank : (place+1)*r.rank]
}

// Len returns how many numbers there are, with factors or without.
func (r *Rows) Len() int { return len(r.places) }

// dropZeros takes rows of zeros for none.
func (r *Rows) dropZeros() {
	for number, place := range r.places {
		if place >= 0 && !slices.ContainsFunc(r.Of(int32(number)), func(x float32) bool { return x != 0 }) {
			r.places[number] = -1
		}
	}
}

// readFactors reads one of ALS's two tables, of factors for numbers below n. It returns how many rows the table had, too.
func readFactors(t table, rank, n int) (rows Rows, present int, err error) {
	ids := make([][]int32, len(t.parts))
	err = t.each(func(i int, f *parquetFile) error {
		var err error
		ids[i], err = flat[int32](f, "id")
		return err
	})
	if err != nil {
		return rows, 0, err
	}
	rows.rank = rank
	if rows.places, present, err = placeFactors(t, ids, n); err != nil {
		return rows, 0, err
	}
	rows.numbers = make([]float32, present*rank)
	err = t.each(func(i int, f *parquetFile) error {
		row, filled := -1, rank // what is being read, and how much of it has been
		var into []float32
		wrong := func(row int) error { return fmt.Errorf("the factors of id %d are not %d numbers", ids[i][row], rank) }
		err := eachList(f, "features", func(r int, list []float32) error {
			if r != row {
				if filled != rank {
					return wrong(row)
				}
				if r != row+1 { // a row without a single number does not come by
					return wrong(row + 1)
				}
				row, filled, into = r, 0, rows.Of(ids[i][r])
			}
			if len(list) > rank-filled {
				return fmt.Errorf("the factors of id %d are more than %d numbers", ids[i][r], rank)
			}
			for _, x := range list {
				if x-x != 0 { // only NaN and the infinities
					return fmt.Errorf("a factor of id %d is %v", ids[i][r], x)
				}
			}
			filled += copy(into[filled:], list)
			return nil
		})
		switch {
		case err != nil:
		case filled != rank:
			err = wrong(row)
		case row+1 != f.rows:
			err = wrong(row + 1)
		}
		return err
	})
	rows.dropZeros()
	return rows, present, err
}

// placeFactors gives every id its row, in the order of the parts, and makes sure that each stands once and fits.
func placeFactors(t table, parts [][]int32, n int) (places []int32, present int, err error) {
	places = make([]int32, n)
	for i := range places {
		places[i] = -1
	}
	for i, part := range parts {
		for _, id := range part {
			if id < 0 || int(id) >= n {
				return nil, 0, fmt.Errorf("%w: %s holds id %d, beyond the %d known", ErrBadVersion, t.parts[i], id, n)
			}
			if places[id] >= 0 {
				return nil, 0, fmt.Errorf("%w: %s holds id %d a second time", ErrBadVersion, t.parts[i], id)
			}
			places[id] = int32(present)
			present++
		}
	}
	return places, present, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
