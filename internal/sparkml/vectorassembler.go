package sparkml

import (
	"context"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// VectorAssembler is org.apache.spark.ml.feature.VectorAssembler: it puts numbers, booleans and vectors of several columns into one
// vector, in the order of InputCols.
type VectorAssembler struct {
	InputCols     []string `ml:"optional"`
	OutputCol     string   // NewVectorAssembler makes up a name, as MLlib does
	HandleInvalid string   // what to do with a null or NaN: "error", "skip" the row, or "keep" a NaN
}

// NewVectorAssembler returns a VectorAssembler with MLlib's defaults.
func NewVectorAssembler() *VectorAssembler {
	return &VectorAssembler{OutputCol: newUID("VectorAssembler") + "__output", HandleInvalid: "error"}
}

// Validate reports every parameter that breaks a constraint of MLlib's; the errors wrap ErrParam.
func (a *VectorAssembler) Validate() error {
	c := checks{operator: "VectorAssembler"}
	c.columnList("inputCols", a.InputCols)
	c.columns("outputCol", a.OutputCol)
	c.oneOf("handleInvalid", a.HandleInvalid, "skip", "error", "keep")
	return c.err()
}

func (a *VectorAssembler) class() string { return "ml.feature.VectorAssembler" }

// Transform adds the vector as OutputCol.
func (a *VectorAssembler) Transform(ctx context.Context, s *spark.Session, data sql.DataFrame) (sql.DataFrame, error) {
	return apply(ctx, s, a, data)
}
