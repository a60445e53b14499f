package predict

import (
	"fmt"
	"math"
)

// Scaler is a StandardScalerModel.
type Scaler struct{ shift, factor []float64 }

// LoadScaler reads a StandardScalerModel.
func LoadScaler(dir string) (*Scaler, error) { return load(dir, readScaler) }

// Features is how many numbers a row has.
func (m *Scaler) Features() int { return len(m.shift) }

// Scale takes the mean from each number of the row, in place, and divides by the standard deviation, each where the scaler was told
// to; a feature that never varied becomes 0, as in Spark.
func (m *Scaler) Scale(row []float64) {
	for i := range row {
		row[i] = (row[i] - m.shift[i]) * m.factor[i]
	}
}

// Unscale is the way back. A feature that never varied becomes its mean.
func (m *Scaler) Unscale(row []float64) {
	for i := range row {
		if m.factor[i] == 0 {
			row[i] = m.shift[i]
		} else {
			row[i] = row[i]/m.factor[i] + m.shift[i]
		}
	}
}

func readScaler(f *folder) (*Scaler, error) {
	if err := f.expect(standardScalerModel); err != nil {
		return nil, err
	}
	var withMean, withStd bool
	if err := f.meta.param("withMean", &withMean); err != nil {
		return nil, err
	}
	if err := f.meta.param("withStd", &withStd); err != nil {
		return nil, err
	}
	data, err := one[struct {
		Std  vector `parquet:"std,optional"`
		Mean vector `parquet:"mean,optional"`
	}](f, "data")
	if err != nil {
		return nil, err
	}
	std, err := data.Std.dense("data: the standard deviations", -1)
	if err != nil {
		return nil, err
	}
	mean, err := data.Mean.dense("data: the means", len(std))
	if err != nil {
		return nil, err
	}
	m := &Scaler{make([]float64, len(std)), make([]float64, len(std))}
	for i := range std {
		m.factor[i] = 1
		if withMean {
			m.shift[i] = mean[i]
		}
		if withStd {
			if std[i] < 0 || math.IsInf(1/std[i], 0) && std[i] > 0 {
				return nil, fmt.Errorf("data: the standard deviation at place %d is %v", i, std[i])
			}
			m.factor[i] = 0
			if std[i] > 0 {
				m.factor[i] = 1 / std[i]
			}
		}
	}
	return m, nil
}
