package sparkml

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// Stage is a step of a Pipeline: any estimator of this package, or a VectorAssembler.
type Stage interface {
	Validate() error
	// stage fits the step, if it wants fitting, and gives what transforms the data for the next one.
	stage(ctx context.Context, s *spark.Session, data sql.DataFrame) (Transformer, error)
}

// Pipeline is org.apache.spark.ml.Pipeline: stages that each take what the ones before have made of the data. As in Spark's own Connect
// client it is run from here, a stage a command.
type Pipeline struct {
	Stages []Stage
}

// NewPipeline returns a Pipeline of these stages.
func NewPipeline(stages ...Stage) *Pipeline { return &Pipeline{Stages: stages} }

// Validate reports what is wrong with any of the stages.
func (p *Pipeline) Validate() error {
	broken := make([]error, 0, len(p.Stages))
	if len(p.Stages) == 0 {
		broken = append(broken, fmt.Errorf("%w: Pipeline.stages: must not be empty", ErrParam))
	}
	for i, stage := range p.Stages {
		if err := stage.Validate(); err != nil {
			broken = append(broken, fmt.Errorf("stage %d of the pipeline: %w", i, err))
		}
	}
	return errors.Join(broken...)
}

// Fit checks all stages, then fits one after the other. Of a fit that fails, no model stays on the server.
func (p *Pipeline) Fit(ctx context.Context, s *spark.Session, data sql.DataFrame) (*PipelineModel, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	model := &PipelineModel{session: s, uid: newUID("Pipeline")}
	for i, stage := range p.Stages {
		fitted, err := stage.stage(ctx, s, data)
		if err == nil {
			model.Stages = append(model.Stages, fitted)
			if i+1 < len(p.Stages) {
				data, err = fitted.Transform(ctx, data)
			}
		}
		if err != nil {
			_ = model.Delete(context.WithoutCancel(ctx)) // what it cannot delete ends with the session
			return nil, fmt.Errorf("stage %d of the pipeline: %w", i, err)
		}
	}
	return model, nil
}

// PipelineModel is a fitted Pipeline.
type PipelineModel struct {
	Stages []Transformer // the fitted models, such as *KMeansModel, and the transformers between them

	session *spark.Session
	uid     string
}

// Transform takes the data through all stages.
func (m *PipelineModel) Transform(ctx context.Context, data sql.DataFrame) (sql.DataFrame, error) {
	for i, stage := range m.Stages {
		var err error
		if data, err = stage.Transform(ctx, data); err != nil {
			return nil, fmt.Errorf("stage %d of the pipeline: %w", i, err)
		}
	}
	return data, nil
}

// Delete frees the stages' models on the server.
func (m *PipelineModel) Delete(ctx context.Context) error {
	var failed []error
	for _, stage := range slices.Backward(m.Stages) {
		if d, ok := stage.(interface{ Delete(context.Context) error }); ok {
			failed = append(failed, d.Delete(ctx))
		}
	}
	return errors.Join(failed...)
}

// assembler is a VectorAssembler as a stage of a PipelineModel.
type assembler struct {
	*VectorAssembler
	session *spark.Session
	name    string
}

func (a *assembler) Transform(ctx context.Context, data sql.DataFrame) (sql.DataFrame, error) {
	return a.VectorAssembler.Transform(ctx, a.session, data)
}

func (a *assembler) Write(ctx context.Context, path string) error {
	_, err := command(ctx, a.session, fields{"write": fields{
		"operator": fields{"name": mllib + a.class(), "uid": a.name, "type": "OPERATOR_TYPE_TRANSFORMER"}, "params": params(a.VectorAssembler), "path": path,
	}})
	if err != nil {
		return fmt.Errorf("writing a VectorAssembler to %s: %w", path, err)
	}
	return nil
}

func (a *assembler) ownUID() string { return a.name }

func (a *VectorAssembler) stage(_ context.Context, s *spark.Session, _ sql.DataFrame) (Transformer, error) {
	fixed := *a // what the caller does to it later does not reach the model
	fixed.InputCols = slices.Clone(a.InputCols)
	return &assembler{VectorAssembler: &fixed, session: s, name: newUID(a.class())}, nil
}
