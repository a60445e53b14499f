package sparkml

import (
	"context"
	"fmt"

	"cartwheel/internal/spark"
)

// models has what makes the handle of each class of model.
var models = map[string]func(Model) Transformer{
	alsModel:                func(m Model) Transformer { return newALSModel(m) },
	logisticRegressionModel: func(m Model) Transformer { return newLogisticRegressionModel(m) },
	randomForestModel:       func(m Model) Transformer { return newRandomForestModel(m) },
	gbtModel:                func(m Model) Transformer { return newGBTModel(m) },
	kMeansModel:             func(m Model) Transformer { return newKMeansModel(m) },
	bisectingKMeansModel:    func(m Model) Transformer { return newBisectingKMeansModel(m) },
	standardScalerModel:     func(m Model) Transformer { return newStandardScalerModel(m) },
	minMaxScalerModel:       func(m Model) Transformer { return newMinMaxScalerModel(m) },
	stringIndexerModel:      func(m Model) Transformer { return newStringIndexerModel(m) },
}

// Read loads a model that Write or any other program of Spark's has saved as the folder path, as the cluster sees it. M is the handle's
// type: Read[*KMeansModel](ctx, session, path). A PipelineModel is read by ReadPipelineModel.
func Read[M Transformer](ctx context.Context, s *spark.Session, path string) (M, error) {
	var none M
	for class, wrap := range models {
		if _, ok := wrap(Model{}).(M); !ok {
			continue
		}
		m, err := readModel(ctx, s, class, path)
		if err != nil {
			return none, err
		}
		return wrap(m).(M), nil
	}
	return none, fmt.Errorf("reading %s: %T is no model that can be read", path, none)
}

func readModel(ctx context.Context, s *spark.Session, class, path string) (Model, error) {
	result, err := command(ctx, s, fields{"read": fields{"operator": fields{"name": mllib + class, "type": "OPERATOR_TYPE_MODEL"}, "path": path}})
	if err != nil {
		return Model{}, fmt.Errorf("reading a %s from %s: %w", short(class), path, err)
	}
	return Model{session: s, id: result.OperatorInfo.ObjRef.ID, class: class, uid: result.OperatorInfo.UID}, nil
}
