package sparkml

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cartwheel/internal/spark"
)

// metadata is the part that matters here of the JSON line that Spark keeps in the folder metadata of everything of MLlib's that is saved.
type metadata struct {
	Class        string         `json:"class"`
	Timestamp    int64          `json:"timestamp"`
	SparkVersion string         `json:"sparkVersion"`
	UID          string         `json:"uid"`
	ParamMap     map[string]any `json:"paramMap"`
	Defaults     map[string]any `json:"defaultParamMap"`
}

const pipelineModel = "ml.PipelineModel"

// Write saves the model in Spark's own format as the folder path, as the cluster sees it: any program of Spark's can load it with
// PipelineModel.load. It fails if the folder holds one already; on failure, a part of it may be there.
func (m *PipelineModel) Write(ctx context.Context, path string) error {
	type writable interface {
		Write(ctx context.Context, path string) error
		ownUID() string
	}
	uids := make([]string, len(m.Stages))
	for i, stage := range m.Stages {
		w, ok := stage.(writable)
		if !ok {
			return fmt.Errorf("writing a PipelineModel to %s: stage %d, a %T, cannot be written", path, i, stage)
		}
		uids[i] = w.ownUID()
	}
	line, err := json.Marshal(metadata{
		Class: mllib + pipelineModel, Timestamp: time.Now().UnixMilli(), SparkVersion: m.session.Version, UID: m.uid,
		ParamMap: map[string]any{"stageUids": uids}, Defaults: map[string]any{},
	})
	if err != nil {
		return fmt.Errorf("writing a PipelineModel to %s: %w", path, err)
	}
	df, err := m.session.Sql(ctx, "SELECT '"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(string(line))+"' AS value")
	if err == nil {
		err = df.Writer().Format("text").Save(ctx, path+"/metadata")
	}
	if err != nil {
		return fmt.Errorf("writing a PipelineModel to %s: %w", path, spark.Explain(err))
	}
	for i, stage := range m.Stages {
		if err := stage.(writable).Write(ctx, stagePath(path, i, len(uids), uids[i])); err != nil {
			return fmt.Errorf("writing a PipelineModel to %s: stage %d: %w", path, i, err)
		}
	}
	return nil
}

func (m *Model) ownUID() string { return m.uid }

// stagePath is where Spark keeps a stage.
func stagePath(path string, stage, stages int, uid string) string {
	return fmt.Sprintf("%s/stages/%0*d_%s", path, len(fmt.Sprint(stages)), stage, uid)
}

// ReadPipelineModel loads a model that Write or any other program of Spark's has saved as the folder path, as the cluster sees it, if
// all its stages are of this package's classes.
func ReadPipelineModel(ctx context.Context, s *spark.Session, path string) (*PipelineModel, error) {
	whole, err := readMetadata(ctx, s, path)
	if err != nil {
		return nil, err
	}
	uids, ok := whole.ParamMap["stageUids"].([]any)
	if whole.Class != mllib+pipelineModel || !ok {
		return nil, fmt.Errorf("reading a PipelineModel from %s: there is a %s", path, whole.Class)
	}
	model := &PipelineModel{session: s, uid: whole.UID}
	for i, uid := range uids {
		stage, err := readStage(ctx, s, stagePath(path, i, len(uids), fmt.Sprint(uid)))
		if err != nil {
			_ = model.Delete(context.WithoutCancel(ctx)) // what it cannot delete ends with the session
			return nil, fmt.Errorf("reading a PipelineModel from %s: stage %d: %w", path, i, err)
		}
		model.Stages = append(model.Stages, stage)
	}
	return model, nil
}

func readStage(ctx context.Context, s *spark.Session, path string) (Transformer, error) {
	stage, err := readMetadata(ctx, s, path)
	if err != nil {
		return nil, err
	}
	class := strings.TrimPrefix(stage.Class, mllib)
	if wrap, ok := models[class]; ok {
		m, err := readModel(ctx, s, class, path)
		if err != nil {
			return nil, err
		}
		return wrap(m), nil
	}
	a := NewVectorAssembler()
	if class != a.class() {
		return nil, fmt.Errorf("a %s is not covered", stage.Class)
	}
	// The parameters have, in JSON, the names of the fields but for the case of the first letter, which encoding/json does not mind.
	for _, set := range []map[string]any{stage.Defaults, stage.ParamMap} {
		text, err := json.Marshal(set)
		if err == nil {
			err = json.Unmarshal(text, a)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the parameters in %s: %w", path, err)
		}
	}
	return &assembler{VectorAssembler: a, session: s, name: stage.UID}, nil
}

func readMetadata(ctx context.Context, s *spark.Session, path string) (metadata, error) {
	df, err := s.Read().Format("text").Load(path + "/metadata")
	if err != nil {
		return metadata{}, fmt.Errorf("reading %s/metadata: %w", path, spark.Explain(err))
	}
	row, err := df.First(ctx)
	if err != nil {
		return metadata{}, fmt.Errorf("reading %s/metadata: %w", path, spark.Explain(err))
	}
	var m metadata
	text, _ := row.Value("value").(string)
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return metadata{}, fmt.Errorf("reading %s/metadata: %w", path, err)
	}
	return m, nil
}
