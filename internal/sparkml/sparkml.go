// Package sparkml is Spark's MLlib for Go, over Spark Connect: estimators are Go values with MLlib's own names and defaults, Fit runs
// on the cluster, and the model stays there as an object that can transform DataFrames, be asked for its parts, be saved in Spark's own
// format and be deleted.
//
//	als := sparkml.NewALS()
//	als.Rank, als.ImplicitPrefs = 64, true
//	model, err := als.Fit(ctx, session, ratings)
//
// Parameters are checked before anything is sent, with MLlib's own constraints. A context that ends interrupts the job on the server;
// spark.WithProgress on the context reports its progress. A model takes room on the server until it is deleted or its session is closed.
//
// The package ends at MLlib: DataFrames and SQL are spark-connect-go's, the session is package spark's, and what the data are of is the
// business of whoever has them.
//
// Covered, each call exercised against a real server by the integration tests (models also have Transform, Write, Overwrite, Delete):
//
//	operator                                          calls
//	ml.recommendation.ALS                             Fit
//	ml.recommendation.ALSModel                        Rank UserFactors ItemFactors RecommendForAllUsers RecommendForAllItems RecommendForUserSubset RecommendForItemSubset
//	ml.classification.LogisticRegression              Fit
//	ml.classification.LogisticRegressionModel         NumFeatures NumClasses Coefficients Intercept CoefficientMatrix InterceptVector HasSummary Summary
//	ml.classification.RandomForestClassifier          Fit
//	ml.classification.RandomForestClassificationModel NumFeatures NumClasses FeatureImportances NumTrees TreeWeights TotalNumNodes ToDebugString
//	ml.classification.GBTClassifier                   Fit
//	ml.classification.GBTClassificationModel          NumFeatures NumClasses FeatureImportances NumTrees TreeWeights TotalNumNodes ToDebugString
//	ml.clustering.KMeans                              Fit
//	ml.clustering.KMeansModel                         NumFeatures ClusterCenters HasSummary Summary
//	ml.clustering.BisectingKMeans                     Fit
//	ml.clustering.BisectingKMeansModel                NumFeatures ClusterCenters HasSummary Summary
//	ml.feature.StandardScaler                         Fit
//	ml.feature.StandardScalerModel                    Mean Std
//	ml.feature.MinMaxScaler                           Fit
//	ml.feature.MinMaxScalerModel                      OriginalMin OriginalMax
//	ml.feature.StringIndexer                          Fit
//	ml.feature.StringIndexerModel                     LabelsArray
//	ml.feature.VectorAssembler                        Transform
//	ml.evaluation.BinaryClassificationEvaluator       Evaluate IsLargerBetter
//	ml.evaluation.MulticlassClassificationEvaluator   Evaluate IsLargerBetter
//	ml.evaluation.RegressionEvaluator                 Evaluate IsLargerBetter
//	ml.evaluation.RankingEvaluator                    Evaluate IsLargerBetter
//	ml.evaluation.ClusteringEvaluator                 Evaluate IsLargerBetter
//	ml.functions                                      VectorToArray ArrayToVector
//	models                                            Read CacheInfo CleanCache
//	ml.Pipeline                                       Fit
//	ml.PipelineModel                                  Transform Write Delete ReadPipelineModel
//	ml.tuning.CrossValidator                          CrossValidate
//	ml.tuning.TrainValidationSplit                    TrainAndValidate
package sparkml

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/google/uuid"
)

const mllib = "org.apache.spark."

// Transformer turns a DataFrame into another: a fitted model, or a PipelineModel.
type Transformer interface {
	// Transform adds the columns that the transformer makes. The result is computed when it is used.
	Transform(ctx context.Context, data sql.DataFrame) (sql.DataFrame, error)
}

// Model is a fitted model, which lives in the session's cache on the server until it is deleted or the session ends.
type Model struct {
	session *spark.Session
	id      string
	class   string // MLlib's, without "org.apache.spark."
	uid     string
}

func (m *Model) ref() fields { return fields{"id": m.id} }

// Transform applies the model to a DataFrame. The result is computed when it is used, and needs the model until then.
func (m *Model) Transform(ctx context.Context, data sql.DataFrame) (sql.DataFrame, error) {
	df, err := transform(ctx, m.session, fields{"objRef": m.ref(), "params": fields{}}, data)
	if err != nil {
		return nil, fmt.Errorf("transforming by %s: %w", short(m.class), err)
	}
	return df, nil
}

// Write saves the model in Spark's own format as the folder path, as the cluster sees it. It fails if the folder exists.
func (m *Model) Write(ctx context.Context, path string) error { return m.write(ctx, path, false) }

// Overwrite is Write, but replaces what is there.
func (m *Model) Overwrite(ctx context.Context, path string) error { return m.write(ctx, path, true) }

func (m *Model) write(ctx context.Context, path string, over bool) error {
	if _, err := command(ctx, m.session, fields{"write": fields{"objRef": m.ref(), "path": path, "shouldOverwrite": over}}); err != nil {
		return fmt.Errorf("writing %s to %s: %w", short(m.class), path, err)
	}
	return nil
}

// Delete frees the model on the server. DataFrames that it gave cannot be computed afterwards.
func (m *Model) Delete(ctx context.Context) error {
	if _, err := command(ctx, m.session, fields{"delete": fields{"objRefs": []fields{m.ref()}}}); err != nil {
		return fmt.Errorf("deleting %s: %w", short(m.class), err)
	}
	return nil
}

// ID names the model in CacheInfo.
func (m *Model) ID() string { return m.id }

// frame returns the DataFrame that the model's method of that name gives.
func (m *Model) frame(ctx context.Context, methods ...fields) (sql.DataFrame, error) {
	df, err := frame(ctx, m.session, fields{"mlRelation": fields{"fetch": fields{"objRef": m.ref(), "methods": methods}}})
	if err != nil {
		return nil, fmt.Errorf("asking %s for %v: %w", short(m.class), methods[len(methods)-1]["method"], err)
	}
	return df, nil
}

// fit runs an estimator on a DataFrame. wrap makes the handle of the model, whose class is named.
func fit[M any](ctx context.Context, s *spark.Session, estimator operator, data sql.DataFrame, class string, wrap func(Model) M) (M, error) {
	var none M
	if err := estimator.Validate(); err != nil {
		return none, err
	}
	input, release, err := relation(ctx, s, data)
	if err != nil {
		return none, err
	}
	defer release()
	uid := newUID(estimator.class())
	result, err := command(ctx, s, fields{"fit": fields{
		"estimator": fields{"name": mllib + estimator.class(), "uid": uid, "type": "OPERATOR_TYPE_ESTIMATOR"},
		"params":    params(estimator),
		"dataset":   input,
	}})
	if err != nil {
		return none, fmt.Errorf("fitting %s: %w", short(estimator.class()), err)
	}
	if result.OperatorInfo.ObjRef.ID == "" {
		return none, fmt.Errorf("fitting %s: the server named no model", short(estimator.class()))
	}
	return wrap(Model{session: s, id: result.OperatorInfo.ObjRef.ID, class: class, uid: uid}), nil
}

// apply has a transformer that needs no fitting transform a DataFrame.
func apply(ctx context.Context, s *spark.Session, transformer operator, data sql.DataFrame) (sql.DataFrame, error) {
	if err := transformer.Validate(); err != nil {
		return nil, err
	}
	df, err := transform(ctx, s, fields{
		"transformer": fields{"name": mllib + transformer.class(), "uid": newUID(transformer.class()), "type": "OPERATOR_TYPE_TRANSFORMER"},
		"params":      params(transformer),
	}, data)
	if err != nil {
		return nil, fmt.Errorf("transforming by %s: %w", short(transformer.class()), err)
	}
	return df, nil
}

// evaluate computes an evaluator's figure on a DataFrame.
func evaluate(ctx context.Context, s *spark.Session, evaluator operator, data sql.DataFrame) (float64, error) {
	if err := evaluator.Validate(); err != nil {
		return 0, err
	}
	input, release, err := relation(ctx, s, data)
	if err != nil {
		return 0, err
	}
	defer release()
	result, err := command(ctx, s, fields{"evaluate": fields{
		"evaluator": fields{"name": mllib + evaluator.class(), "uid": newUID(evaluator.class()), "type": "OPERATOR_TYPE_EVALUATOR"},
		"params":    params(evaluator),
		"dataset":   input,
	}})
	if err != nil {
		return 0, fmt.Errorf("evaluating by %s: %w", short(evaluator.class()), err)
	}
	var l literal
	if err := json.Unmarshal(result.Param, &l); err != nil || l.Double == nil {
		return 0, fmt.Errorf("evaluating by %s: the server answered %.200s", short(evaluator.class()), result.Param)
	}
	return float64(*l.Double), nil
}

// short is a class without its packages.
func short(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

// newUID names an operator as MLlib does: its class and twelve hex digits.
func newUID(class string) string { return short(class) + "_" + hex()[:12] }

func hex() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }

// mlResult is spark.connect.MlCommandResult, as far as it is used here.
type mlResult struct {
	Param        json.RawMessage `json:"param"`
	OperatorInfo struct {
		ObjRef struct {
			ID string `json:"id"`
		} `json:"objRef"`
		UID    string `json:"uid"`
		Params struct {
			Params map[string]literal `json:"params"`
		} `json:"params"`
	} `json:"operatorInfo"`
}

// command runs one MlCommand.
func command(ctx context.Context, s *spark.Session, ml fields) (mlResult, error) {
	answers, err := s.Execute(ctx, fields{"mlCommand": ml})
	if err != nil {
		return mlResult{}, err
	}
	for _, a := range answers {
		var message struct {
			MLCommandResult *mlResult `json:"mlCommandResult"`
		}
		if err := json.Unmarshal(a, &message); err != nil {
			return mlResult{}, fmt.Errorf("reading the answer to an ML command: %w", err)
		}
		if message.MLCommandResult != nil {
			return *message.MLCommandResult, nil
		}
	}
	return mlResult{}, nil // write and delete may answer with nothing
}

// relation gives a DataFrame a name, by which an ML command can take it: the plan inside spark-connect-go's DataFrame is not to be had.
// release drops the name; the plan has then been taken over.
func relation(ctx context.Context, s *spark.Session, data sql.DataFrame) (fields, func(), error) {
	name := viewName()
	if err := data.CreateOrReplaceTempView(ctx, name); err != nil {
		return nil, nil, fmt.Errorf("naming the data for MLlib: %w", spark.Explain(err))
	}
	release := func() {
		// A name left behind ends with the session, so a failure here harms nothing.
		_, _ = s.Sql(context.WithoutCancel(ctx), "DROP VIEW IF EXISTS "+name)
	}
	return fields{"read": fields{"namedTable": fields{"unparsedIdentifier": name}}}, release, nil
}

// transform applies what operator names to a DataFrame.
func transform(ctx context.Context, s *spark.Session, operator fields, data sql.DataFrame) (sql.DataFrame, error) {
	input, release, err := relation(ctx, s, data)
	if err != nil {
		return nil, err
	}
	defer release()
	operator["input"] = input
	return frame(ctx, s, fields{"mlRelation": fields{"transform": operator}})
}

// frame turns a spark.connect.Relation into a DataFrame, by way of a view of the session.
func frame(ctx context.Context, s *spark.Session, relation fields) (sql.DataFrame, error) {
	name := viewName()
	_, err := s.Execute(ctx, fields{"createDataframeView": fields{"name": name, "replace": true, "input": relation}})
	if err != nil {
		return nil, err
	}
	df, err := s.Table(name)
	return df, spark.Explain(err)
}

func viewName() string { return "sparkml_" + hex() }
