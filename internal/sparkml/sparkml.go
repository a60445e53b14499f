// Package sparkml is Spark's MLlib for Go, over Spark Connect: estimators are Go values with MLlib's own names and defaults, Fit runs
// on the cluster, and the model stays there as an object that can transform DataFrames, be asked for its parts, be saved in Spark's own
// format and be deleted.
//
//	als := sparkml.NewALS()
//	als.Rank, als.ImplicitPrefs = 64, true
//	model, err := als.Fit(ctx, session, ratings)
//
// Parameters are checked before anything is sent, with MLlib's own constraints. A context that ends interrupts the job on the server;
// spark.WithProgress on the context reports its progress.
//
// Covered so far, each exercised against a real server by the integration tests:
//
//	operator                              calls
//	ml.recommendation.ALS                 Fit
//	ml.recommendation.ALSModel            Transform, UserFactors, ItemFactors, Write, Delete
package sparkml

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/google/uuid"
)

// ErrParam is wrapped by errors that say a parameter breaks one of MLlib's constraints.
var ErrParam = errors.New("invalid parameter")

type fields = map[string]any

// Literals of Spark Connect, in protobuf's JSON form. A 64-bit integer is a string there.
func intParam(v int) fields        { return fields{"integer": v} }
func longParam(v int64) fields     { return fields{"long": fmt.Sprint(v)} }
func doubleParam(v float64) fields { return fields{"double": v} }
func boolParam(v bool) fields      { return fields{"boolean": v} }
func stringParam(v string) fields  { return fields{"string": v} }

// checks collects the constraints that an operator's parameters break.
type checks struct {
	operator string
	broken   []error
}

func (c *checks) that(ok bool, name string, value any, constraint string) {
	if !ok {
		c.broken = append(c.broken, fmt.Errorf("%w: %s.%s = %v: %s", ErrParam, c.operator, name, value, constraint))
	}
}

func (c *checks) err() error { return errors.Join(c.broken...) }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// uid names an operator as MLlib does: its class and twelve hex digits.
func uid(class string) string {
	short := class[strings.LastIndexByte(class, '.')+1:]
	return short + "_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
}

// object is something that lives in the session's cache on the server: a fitted model.
type object struct {
	session *spark.Session
	id      string
}

func (o *object) ref() fields { return fields{"id": o.id} }

// fit runs an estimator on a DataFrame and returns the model's handle.
func fit(ctx context.Context, s *spark.Session, class string, params fields, data sql.DataFrame) (*object, error) {
	input, release, err := relation(ctx, s, data)
	if err != nil {
		return nil, err
	}
	defer release()
	result, err := command(ctx, s, fields{"fit": fields{
		"estimator": fields{"name": class, "uid": uid(class), "type": "OPERATOR_TYPE_ESTIMATOR"},
		"params":    fields{"params": params},
		"dataset":   input,
	}})
	if err != nil {
		return nil, fmt.Errorf("fitting %s: %w", class, err)
	}
	if result.OperatorInfo.ObjRef.ID == "" {
		return nil, fmt.Errorf("fitting %s: the server named no model", class)
	}
	return &object{session: s, id: result.OperatorInfo.ObjRef.ID}, nil
}

// transform applies the model to a DataFrame. The result is computed when it is used, and needs the model until then.
func (o *object) transform(ctx context.Context, data sql.DataFrame, params fields) (sql.DataFrame, error) {
	input, release, err := relation(ctx, o.session, data)
	if err != nil {
		return nil, err
	}
	defer release()
	return frame(ctx, o.session, fields{"transform": fields{"objRef": o.ref(), "input": input, "params": fields{"params": params}}})
}

// fetch returns a DataFrame that the model's method of that name gives.
func (o *object) fetch(ctx context.Context, method string) (sql.DataFrame, error) {
	return frame(ctx, o.session, fields{"fetch": fields{"objRef": o.ref(), "methods": []fields{{"method": method}}}})
}

// Write saves the model in Spark's own format as the folder path, as the cluster sees it. It fails if the folder exists.
func (o *object) Write(ctx context.Context, path string) error {
	if _, err := command(ctx, o.session, fields{"write": fields{"objRef": o.ref(), "path": path}}); err != nil {
		return fmt.Errorf("writing the model to %s: %w", path, err)
	}
	return nil
}

// Delete frees the model on the server. DataFrames that it gave cannot be computed afterwards.
func (o *object) Delete(ctx context.Context) error {
	if _, err := command(ctx, o.session, fields{"delete": fields{"objRefs": []fields{o.ref()}}}); err != nil {
		return fmt.Errorf("deleting the model: %w", err)
	}
	return nil
}

// mlResult is spark.connect.MlCommandResult, as far as it is used here.
type mlResult struct {
	OperatorInfo struct {
		ObjRef struct {
			ID string `json:"id"`
		} `json:"objRef"`
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

// frame turns an MlRelation into a DataFrame, by way of a view of the session.
func frame(ctx context.Context, s *spark.Session, ml fields) (sql.DataFrame, error) {
	name := viewName()
	_, err := s.Execute(ctx, fields{"createDataframeView": fields{"name": name, "replace": true, "input": fields{"mlRelation": ml}}})
	if err != nil {
		return nil, err
	}
	df, err := s.Table(name)
	return df, spark.Explain(err)
}

func viewName() string { return "sparkml_" + strings.ReplaceAll(uuid.NewString(), "-", "") }
