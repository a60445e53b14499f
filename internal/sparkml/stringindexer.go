package sparkml

import (
	"context"
	"slices"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// StringIndexer is org.apache.spark.ml.feature.StringIndexer: it numbers the labels of a column, or of several, from 0. It takes either
// InputCol and OutputCol or InputCols and OutputCols.
type StringIndexer struct {
	InputCol        string   `ml:"optional"` // strings, or numbers, which are taken as strings
	OutputCol       string   // NewStringIndexer makes up a name, as MLlib does; not used with InputCols
	InputCols       []string `ml:"optional"`
	OutputCols      []string `ml:"optional"` // as many as InputCols, all different
	HandleInvalid   string   // a label never seen, or null: "error", "skip" the row, or "keep" it with a number of its own
	StringOrderType string   // "frequencyDesc", "frequencyAsc", "alphabetDesc" or "alphabetAsc"
}

// NewStringIndexer returns a StringIndexer with MLlib's defaults.
func NewStringIndexer() *StringIndexer {
	return &StringIndexer{OutputCol: newUID("StringIndexer") + "__output", HandleInvalid: "error", StringOrderType: "frequencyDesc"}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *StringIndexer) Validate() error {
	c := checks{operator: "StringIndexer"}
	if len(a.InputCols) == 0 {
		c.columns("inputCol", a.InputCol, "outputCol", a.OutputCol)
		c.that(len(a.OutputCols) == 0, "outputCols", a.OutputCols, "must go with inputCols")
	} else {
		c.that(a.InputCol == "", "inputCol", a.InputCol, "must not go with inputCols")
		c.columnList("inputCols", a.InputCols)
		c.columnList("outputCols", a.OutputCols)
		different := len(slices.Compact(slices.Sorted(slices.Values(a.OutputCols))))
		c.that(different == len(a.InputCols), "outputCols", a.OutputCols, "must be as many as inputCols, all different")
	}
	c.oneOf("handleInvalid", a.HandleInvalid, "skip", "error", "keep")
	c.oneOf("stringOrderType", a.StringOrderType, "frequencyDesc", "frequencyAsc", "alphabetDesc", "alphabetAsc")
	return c.err()
}

func (a *StringIndexer) class() string { return "ml.feature.StringIndexer" }

func (a *StringIndexer) adjust(params fields) {
	if len(a.InputCols) > 0 {
		delete(params, "outputCol")
	}
}

// Fit collects and orders the labels.
func (a *StringIndexer) Fit(ctx context.Context, s *spark.Session, data sql.DataFrame) (*StringIndexerModel, error) {
	return fit(ctx, s, a, data, stringIndexerModel, newStringIndexerModel)
}

func (a *StringIndexer) stage(ctx context.Context, s *spark.Session, data sql.DataFrame) (Transformer, error) {
	return a.Fit(ctx, s, data)
}

const stringIndexerModel = "ml.feature.StringIndexerModel"

// StringIndexerModel is a fitted StringIndexer. Transform adds the output columns, doubles.
type StringIndexerModel struct{ Model }

func newStringIndexerModel(m Model) *StringIndexerModel { return &StringIndexerModel{m} }

// LabelsArray has the labels of each input column; a label's place is its number.
func (m *StringIndexerModel) LabelsArray(ctx context.Context) ([][]string, error) {
	return fetch(ctx, &m.Model, asArray(asArray(asString)), "labelsArray")
}
