package predict

import "fmt"

// vector is Spark's VectorUDT: type 1 is dense, with its values; type 0 is sparse, with size, indices and values.
type vector struct {
	Type    int32     `parquet:"type"`
	Size    int32     `parquet:"size,optional"`
	Indices []int32   `parquet:"indices,list,optional"`
	Values  []float64 `parquet:"values,list,optional"`
}

// maxSize bounds what a sparse vector may claim.
const maxSize = 1 << 20

// dense returns all numbers, of which there must be n; with n below 0, any number from one on.
func (v *vector) dense(name string, n int) ([]float64, error) {
	values := v.Values
	switch v.Type {
	case 1:
	case 0:
		if v.Size < 0 || v.Size > maxSize || len(v.Indices) != len(v.Values) {
			return nil, fmt.Errorf("%s is a sparse vector of size %d with %d indices and %d values", name, v.Size, len(v.Indices), len(v.Values))
		}
		values = make([]float64, v.Size)
		for i, at := range v.Indices {
			if at < 0 || at >= v.Size || i > 0 && at <= v.Indices[i-1] {
				return nil, fmt.Errorf("%s has the index %d at place %d, of %d", name, at, i, v.Size)
			}
			values[at] = v.Values[i]
		}
	default:
		return nil, fmt.Errorf("%s is a vector of the unknown type %d", name, v.Type)
	}
	if n < 0 && len(values) == 0 || n >= 0 && len(values) != n {
		return nil, fmt.Errorf("%s has %d numbers, not %d", name, len(values), max(n, 1))
	}
	for i, value := range values {
		if !finite(value) {
			return nil, fmt.Errorf("%s holds %v at place %d", name, value, i)
		}
	}
	return values, nil
}

// matrix is Spark's MatrixUDT: type 1 is dense, type 0 is sparse, by columns, or by rows where it is transposed.
type matrix struct {
	Type         int32     `parquet:"type"`
	NumRows      int32     `parquet:"numRows"`
	NumCols      int32     `parquet:"numCols"`
	ColPtrs      []int32   `parquet:"colPtrs,list,optional"`
	RowIndices   []int32   `parquet:"rowIndices,list,optional"`
	Values       []float64 `parquet:"values,list,optional"`
	IsTransposed bool      `parquet:"isTransposed"`
}

// row returns the numbers of a matrix of one row and n columns.
func (m *matrix) row(name string, n int) ([]float64, error) {
	if m.NumRows != 1 || int(m.NumCols) != n {
		return nil, fmt.Errorf("%s has %d rows and %d columns, not 1 and %d", name, m.NumRows, m.NumCols, n)
	}
	v := vector{Type: m.Type, Size: m.NumCols, Values: m.Values}
	if m.Type == 0 {
		if m.IsTransposed {
			v.Indices = m.RowIndices
		} else {
			if len(m.ColPtrs) != n+1 {
				return nil, fmt.Errorf("%s has %d column pointers, not %d", name, len(m.ColPtrs), n+1)
			}
			for i := range n {
				switch m.ColPtrs[i+1] - m.ColPtrs[i] {
				case 0:
				case 1:
					v.Indices = append(v.Indices, int32(i))
				default:
					return nil, fmt.Errorf("%s has more than one number in the column %d", name, i)
				}
			}
		}
	}
	return v.dense(name, n)
}
