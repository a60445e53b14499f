//go:build integration

package sparkml_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/spark"
	"cartwheel/internal/spark/sparktest"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
)

// saved is a model with what every one of them can do.
type saved interface {
	sparkml.Transformer
	Write(ctx context.Context, path string) error
	Delete(ctx context.Context) error
	ID() string
}

// TestModelsComeBack saves a model of each class, reads it back and compares what both make of the data and what both answer.
func TestModelsComeBack(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	blob := blobs(t, s)
	if err := blob.Cache(ctx); err != nil {
		t.Fatal(err)
	}

	lr := sparkml.NewLogisticRegression()
	lr.MaxIter, lr.Threshold = 5, 0.7
	comesBack(t, s, must(lr.Fit(ctx, s, blob))(t), blob, "prediction")
	rf := sparkml.NewRandomForestClassifier()
	rf.NumTrees = 3
	comesBack(t, s, must(rf.Fit(ctx, s, blob))(t), blob, "prediction")
	gbt := sparkml.NewGBTClassifier()
	gbt.MaxIter = 2
	comesBack(t, s, must(gbt.Fit(ctx, s, blob))(t), blob, "prediction")
	kmeans := sparkml.NewKMeans()
	comesBack(t, s, must(kmeans.Fit(ctx, s, blob))(t), blob, "prediction")
	bisecting := sparkml.NewBisectingKMeans()
	comesBack(t, s, must(bisecting.Fit(ctx, s, blob))(t), blob, "prediction")
	standard := sparkml.NewStandardScaler()
	standard.InputCol, standard.OutputCol = "features", "scaled"
	comesBack(t, s, must(standard.Fit(ctx, s, blob))(t), blob, "CAST(scaled AS string)")
	minMax := sparkml.NewMinMaxScaler()
	minMax.InputCol, minMax.OutputCol = "features", "scaled"
	comesBack(t, s, must(minMax.Fit(ctx, s, blob))(t), blob, "CAST(scaled AS string)")
	indexer := sparkml.NewStringIndexer()
	indexer.InputCol, indexer.OutputCol = "label", "number"
	comesBack(t, s, must(indexer.Fit(ctx, s, blob))(t), blob, "number")
	als := sparkml.NewALS()
	als.UserCol, als.ItemCol, als.RatingCol, als.PredictionCol, als.MaxIter = "id", "label", "w", "rated", 1
	model := must(als.Fit(ctx, s, blob))(t)
	dir := comesBack(t, s, model, blob, "rated")

	if _, err := sparkml.Read[*sparkml.KMeansModel](ctx, s, dir); err == nil || !strings.Contains(err.Error(), "ALSModel") {
		t.Errorf("an ALSModel read as a KMeansModel: %v", err)
	}
	var e *spark.Error
	if _, err := sparkml.Read[*sparkml.ALSModel](ctx, s, dir+"-nowhere"); !errors.As(err, &e) || !strings.Contains(err.Error(), dir+"-nowhere") {
		t.Errorf("reading what is not there: %v", err)
	}
}

// comesBack saves and reads a model and returns the folder.
func comesBack[M saved](t *testing.T, s *spark.Session, model M, data sql.DataFrame, column string) string {
	t.Helper()
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "model")
	if err := model.Write(ctx, dir); err != nil {
		t.Fatal(err)
	}
	again, err := sparkml.Read[M](ctx, s, dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID() == model.ID() {
		t.Errorf("%T: read and saved model are the same object", model)
	}
	byRow := "sort_array(collect_list(struct(id, " + column + "))) of_rows"
	want, got := rows(t, must(model.Transform(ctx, data))(t), byRow), rows(t, must(again.Transform(ctx, data))(t), byRow)
	if len(want) == 0 || !reflect.DeepEqual(want, got) {
		t.Errorf("%T: transforms to %v, and read back to %v", model, want, got)
	}
	fitted, read := answers(t, model), answers(t, again)
	if len(fitted) == 0 {
		t.Errorf("%T: nothing was asked", model)
	}
	for call, value := range fitted {
		_, hasSummary := fitted["HasSummary"]
		switch ofFit := hasSummary && strings.HasPrefix(call, "Summary."); {
		case reflect.ValueOf(value).IsZero() || reflect.ValueOf(value).Kind() == reflect.Slice && reflect.ValueOf(value).Len() == 0:
			t.Errorf("%T: %s = %v", model, call, value)
		case call == "HasSummary":
			if read[call] != false {
				t.Errorf("%T: a model that was read says that it has a summary: %v", model, read[call])
			}
		case ofFit:
			if err, ok := read[call].(error); !ok || err.Error() == "" {
				t.Errorf("%T: %s of a model that was read: %v, want an error", model, call, read[call])
			}
		case !reflect.DeepEqual(read[call], value):
			t.Errorf("%T: %s = %v, and read back %v", model, call, value, read[call])
		}
	}
	if err := again.Delete(ctx); err != nil {
		t.Errorf("%T: %v", model, err)
	}
	return dir
}

// answers makes every call of a model that needs a context alone, and those of its summary, and returns by name what each gives: a
// value, the number of rows of a DataFrame, or an error.
func answers(t *testing.T, handle any) map[string]any {
	t.Helper()
	given := map[string]any{}
	v := reflect.ValueOf(handle)
	for i := range v.NumMethod() {
		name, method := v.Type().Method(i).Name, v.Method(i)
		switch {
		case name == "Summary":
			for call, value := range answers(t, method.Call(nil)[0].Interface()) {
				given["Summary."+call] = value
			}
		case method.Type().NumIn() == 1 && method.Type().NumOut() == 2: // which leaves out Transform, Write, Delete and what recommends
			out := method.Call([]reflect.Value{reflect.ValueOf(t.Context())})
			err, _ := out[1].Interface().(error)
			if df, ok := out[0].Interface().(sql.DataFrame); ok && err == nil {
				given[name], err = df.Count(t.Context())
			} else {
				given[name] = out[0].Interface()
			}
			if err != nil {
				given[name] = err
			}
		}
	}
	return given
}

func TestCache(t *testing.T) {
	t.Parallel()
	s, ctx := sparktest.Open(t), t.Context()
	data := blobs(t, s)
	k := sparkml.NewKMeans()
	first, second := must(k.Fit(ctx, s, data))(t), must(k.Fit(ctx, s, data))(t)
	info := must(sparkml.CacheInfo(ctx, s))(t)
	for _, m := range []*sparkml.KMeansModel{first, second} {
		if !slices.ContainsFunc(info, func(c sparkml.Cached) bool {
			return c.ID == m.ID() && c.Class == "org.apache.spark.ml.clustering.KMeansModel" && c.Bytes > 0
		}) {
			t.Errorf("%+v lacks the model %s", info, m.ID())
		}
	}
	if err := first.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	if after := must(sparkml.CacheInfo(ctx, s))(t); len(after) != len(info)-1 {
		t.Errorf("after a model's deletion: %+v", after)
	}
	if n := must(sparkml.CleanCache(ctx, s))(t); n != len(info)-1 {
		t.Errorf("cleaned %d objects, want %d", n, len(info)-1)
	}
	if after := must(sparkml.CacheInfo(ctx, s))(t); len(after) != 0 {
		t.Errorf("after cleaning: %+v", after)
	}
	if _, err := second.ClusterCenters(ctx); err == nil {
		t.Error("a model that was cleaned away still answers")
	}
}
