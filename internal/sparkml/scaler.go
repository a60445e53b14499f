package sparkml

import (
	"context"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// StandardScaler is org.apache.spark.ml.feature.StandardScaler: it divides each feature by its standard deviation over the data it was
// fitted on (corrected: n-1) and, with WithMean, moves its mean to 0 first, which makes sparse vectors dense.
type StandardScaler struct {
	InputCol  string `ml:"optional"` // vectors
	OutputCol string // NewStandardScaler makes up a name, as MLlib does
	WithMean  bool
	WithStd   bool
}

// NewStandardScaler returns a StandardScaler with MLlib's defaults.
func NewStandardScaler() *StandardScaler {
	return &StandardScaler{OutputCol: newUID("StandardScaler") + "__output", WithStd: true}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *StandardScaler) Validate() error {
	c := checks{operator: "StandardScaler"}
	c.columns("inputCol", a.InputCol, "outputCol", a.OutputCol)
	return c.err()
}

func (a *StandardScaler) class() string { return "ml.feature.StandardScaler" }

// Fit finds means and deviations.
func (a *StandardScaler) Fit(ctx context.Context, s *spark.Session, data sql.DataFrame) (*StandardScalerModel, error) {
	return fit(ctx, s, a, data, standardScalerModel, newStandardScalerModel)
}

func (a *StandardScaler) stage(ctx context.Context, s *spark.Session, data sql.DataFrame) (Transformer, error) {
	return a.Fit(ctx, s, data)
}

const standardScalerModel = "ml.feature.StandardScalerModel"

// StandardScalerModel is a fitted StandardScaler. Transform adds OutputCol; a feature that never varied becomes 0.
type StandardScalerModel struct{ Model }

func newStandardScalerModel(m Model) *StandardScalerModel { return &StandardScalerModel{m} }

// Mean is each feature's mean.
func (m *StandardScalerModel) Mean(ctx context.Context) ([]float64, error) {
	return fetch(ctx, &m.Model, asVector, "mean")
}

// Std is each feature's standard deviation.
func (m *StandardScalerModel) Std(ctx context.Context) ([]float64, error) {
	return fetch(ctx, &m.Model, asVector, "std")
}

// MinMaxScaler is org.apache.spark.ml.feature.MinMaxScaler: it moves each feature linearly to the range from Min to Max.
type MinMaxScaler struct {
	InputCol  string `ml:"optional"` // vectors
	OutputCol string // NewMinMaxScaler makes up a name, as MLlib does
	Min       float64
	Max       float64 // above Min
}

// NewMinMaxScaler returns a MinMaxScaler with MLlib's defaults.
func NewMinMaxScaler() *MinMaxScaler {
	return &MinMaxScaler{OutputCol: newUID("MinMaxScaler") + "__output", Max: 1}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *MinMaxScaler) Validate() error {
	c := checks{operator: "MinMaxScaler"}
	c.columns("inputCol", a.InputCol, "outputCol", a.OutputCol)
	c.finite("min", a.Min)
	c.finite("max", a.Max)
	c.that(!(a.Max <= a.Min), "max", a.Max, "must be above min")
	return c.err()
}

func (a *MinMaxScaler) class() string { return "ml.feature.MinMaxScaler" }

// Fit finds each feature's least and greatest value.
func (a *MinMaxScaler) Fit(ctx context.Context, s *spark.Session, data sql.DataFrame) (*MinMaxScalerModel, error) {
	return fit(ctx, s, a, data, minMaxScalerModel, newMinMaxScalerModel)
}

func (a *MinMaxScaler) stage(ctx context.Context, s *spark.Session, data sql.DataFrame) (Transformer, error) {
	return a.Fit(ctx, s, data)
}

const minMaxScalerModel = "ml.feature.MinMaxScalerModel"

// MinMaxScalerModel is a fitted MinMaxScaler. Transform adds OutputCol; a feature that never varied becomes the range's middle.
type MinMaxScalerModel struct{ Model }

func newMinMaxScalerModel(m Model) *MinMaxScalerModel { return &MinMaxScalerModel{m} }

// OriginalMin is each feature's least value.
func (m *MinMaxScalerModel) OriginalMin(ctx context.Context) ([]float64, error) {
	return fetch(ctx, &m.Model, asVector, "originalMin")
}

// OriginalMax is each feature's greatest value.
func (m *MinMaxScalerModel) OriginalMax(ctx context.Context) ([]float64, error) {
	return fetch(ctx, &m.Model, asVector, "originalMax")
}
