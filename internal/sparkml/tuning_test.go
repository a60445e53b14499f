package sparkml

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

func TestGrid(t *testing.T) {
	t.Parallel()
	grid := Grid(NewLogisticRegression,
		Axis(func(lr *LogisticRegression, v float64) { lr.RegParam = v }, 0, 0.1),
		Axis(func(lr *LogisticRegression, v int) { lr.MaxIter = v }, 5, 10, 20))
	var got [][2]float64
	for _, lr := range grid {
		got = append(got, [2]float64{lr.RegParam, float64(lr.MaxIter)})
	}
	if want := [][2]float64{{0, 5}, {0, 10}, {0, 20}, {0.1, 5}, {0.1, 10}, {0.1, 20}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if alone := Grid(NewKMeans); len(alone) != 1 {
		t.Errorf("a grid without axes has %d candidates", len(alone))
	}
}

func TestBest(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for name, test := range map[string]struct {
		folds  [][]float64
		larger bool
		want   int
	}{
		"the larger mean":   {[][]float64{{1, 2}, {3, 1}, {0, 3}}, true, 1},
		"the smaller mean":  {[][]float64{{1, 2}, {3, 1}, {0, 2}}, false, 2},
		"no number, larger": {[][]float64{{nan, 2}, {0, 0}}, true, 1},
		"no number, less":   {[][]float64{{nan, 2}, {9, 9}}, false, 1},
		"the first of two":  {[][]float64{{2, 2}, {1, 3}}, true, 0},
	} {
		averages := make([]float64, len(test.folds))
		if got, err := best(test.folds, averages, test.larger); err != nil || got != test.want {
			t.Errorf("%s: %d, %v, means %v; want %d", name, got, err, averages, test.want)
		}
	}
	if _, err := best([][]float64{{nan}}, make([]float64, 1), true); err == nil {
		t.Error("only NaN: no error")
	}
}

func TestTuningIsChecked(t *testing.T) {
	t.Parallel()
	wrong := NewKMeans()
	wrong.K = 0
	for name, try := range map[string]func() error{
		"one fold": func() error {
			_, err := CrossValidate(t.Context(), nil, &CrossValidator{NumFolds: 1, Parallelism: 1}, []*KMeans{NewKMeans()}, NewClusteringEvaluator(), nil)
			return err
		},
		"nothing at once": func() error {
			_, err := CrossValidate(t.Context(), nil, &CrossValidator{NumFolds: 2}, []*KMeans{NewKMeans()}, NewClusteringEvaluator(), nil)
			return err
		},
		"no candidate": func() error {
			_, err := CrossValidate(t.Context(), nil, NewCrossValidator(), []*KMeans{}, NewClusteringEvaluator(), nil)
			return err
		},
		"a wrong candidate": func() error {
			_, err := CrossValidate(t.Context(), nil, NewCrossValidator(), []*KMeans{wrong}, NewClusteringEvaluator(), nil)
			return err
		},
		"a wrong evaluator": func() error {
			_, err := TrainAndValidate(t.Context(), nil, NewTrainValidationSplit(), []*KMeans{NewKMeans()}, &ClusteringEvaluator{}, nil)
			return err
		},
		"all for training": func() error {
			_, err := TrainAndValidate(t.Context(), nil, &TrainValidationSplit{TrainRatio: 1, Parallelism: 1}, []*KMeans{NewKMeans()}, NewClusteringEvaluator(), nil)
			return err
		},
		"an empty pipeline": func() error { return NewPipeline().Validate() },
		"a wrong stage":     func() error { return NewPipeline(wrong).Validate() },
	} {
		if err := try(); !errors.Is(err, ErrParam) {
			t.Errorf("%s: error %v, want ErrParam", name, err)
		}
	}
}
