package predict

import "fmt"

// logistic is a binary LogisticRegressionModel.
type logistic struct {
	coefficients []float64
	intercept    float64
}

func (m *logistic) Features() int { return len(m.coefficients) }

func (m *logistic) Probability(row []float64) float64 {
	margin := m.intercept
	for i, c := range m.coefficients {
		margin += c * row[i]
	}
	return sigmoid(margin)
}

func readLogistic(f *folder) (*logistic, error) {
	data, err := one[struct {
		NumClasses        int32  `parquet:"numClasses"`
		NumFeatures       int32  `parquet:"numFeatures"`
		InterceptVector   vector `parquet:"interceptVector,optional"`
		CoefficientMatrix matrix `parquet:"coefficientMatrix,optional"`
		IsMultinomial     bool   `parquet:"isMultinomial"`
	}](f, "data")
	if err != nil {
		return nil, err
	}
	if data.NumClasses != 2 || data.IsMultinomial {
		return nil, fmt.Errorf("data: it tells %d classes apart (multinomial: %v), not two", data.NumClasses, data.IsMultinomial)
	}
	if data.NumFeatures < 1 {
		return nil, fmt.Errorf("data: it has %d features", data.NumFeatures)
	}
	intercept, err := data.InterceptVector.dense("data: the intercept", 1)
	if err != nil {
		return nil, err
	}
	coefficients, err := data.CoefficientMatrix.row("data: the coefficients", int(data.NumFeatures))
	if err != nil {
		return nil, err
	}
	return &logistic{coefficients, intercept[0]}, nil
}
