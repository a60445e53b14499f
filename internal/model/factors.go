package model

import (
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go"
)

// MaxRank is the largest number of factors that a reader accepts.
const MaxRank = 1024

// Factors are what ALS learned: row i of a matrix begins at i*Rank and belongs to the visitor or item of number i.
// A row of zeros has no factors.
type Factors struct {
	Rank     int
	Visitors []float32
	Items    []float32
}

// readFactors reads one of ALS's two tables into a matrix of n rows. It returns how many rows the table had.
func readFactors(t table, rank, n int) (rows []float32, present int, err error) {
	ids := make([][]int32, len(t.parts))
	err = t.each(func(i int, f *parquetFile) error {
		var err error
		ids[i], err = f.int32s("id")
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	if present, err = checkFactorIDs(t, ids, n); err != nil {
		return nil, 0, err
	}
	rows = make([]float32, n*rank)
	err = t.each(func(i int, f *parquetFile) error {
		row, filled := -1, rank
		err := f.column(parquet.Float, func(r int, v parquet.Value) error {
			if r != row {
				if filled != rank {
					return fmt.Errorf("the factors of id %d are not %d numbers", ids[i][row], rank)
				}
				if r != row+1 {
					return fmt.Errorf("the factors of id %d are not %d numbers", ids[i][row+1], rank)
				}
				row, filled = r, 0
			}
			x := v.Float()
			if x-x != 0 { // only NaN and the infinities
				return fmt.Errorf("a factor of id %d is %v", ids[i][r], x)
			}
			if filled == rank {
				return fmt.Errorf("the factors of id %d are more than %d numbers", ids[i][r], rank)
			}
			rows[int(ids[i][r])*rank+filled] = x
			filled++
			return nil
		}, "features", "list", "element")
		switch {
		case err != nil:
		case filled != rank:
			err = fmt.Errorf("the factors of id %d are not %d numbers", ids[i][row], rank)
		case row+1 != f.rows: // rows without a single number do not come by above
			err = fmt.Errorf("the factors of id %d are not %d numbers", ids[i][row+1], rank)
		}
		return err
	})
	return rows, present, err
}

// checkFactorIDs makes sure that every id stands once and fits, and counts them.
func checkFactorIDs(t table, parts [][]int32, n int) (present int, err error) {
	met := make([]bool, n)
	for i, part := range parts {
		present += len(part)
		for _, id := range part {
			if id < 0 || int(id) >= n {
				return 0, fmt.Errorf("%w: %s holds id %d, beyond the %d known", ErrBadVersion, t.parts[i], id, n)
			}
			if met[id] {
				return 0, fmt.Errorf("%w: %s holds id %d a second time", ErrBadVersion, t.parts[i], id)
			}
			met[id] = true
		}
	}
	return present, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
