package sparkml

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, op := range operators() {
		name := short(op.class())
		if err := with(op, "", nil).Validate(); err != nil {
			t.Errorf("%s with its defaults: %v", name, err)
		}
		for _, e := range edges[name] {
			for _, bad := range e.bad {
				err := with(op, e.field, bad).Validate()
				if want := name + "." + paramName(e.field); !errors.Is(err, ErrParam) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s.%s = %v: error %v, want ErrParam that names %s", name, e.field, bad, err, want)
				}
			}
			for _, good := range e.good {
				if err := with(op, e.field, good).Validate(); err != nil {
					t.Errorf("%s.%s = %v: %v", name, e.field, good, err)
				}
			}
		}
		// A float that is no number is refused everywhere: no constraint of MLlib's is true of NaN, and infinity ruins a fit.
		v := reflect.ValueOf(op).Elem()
		for _, f := range reflect.VisibleFields(v.Type()) {
			if f.Type.Kind() != reflect.Float64 {
				continue
			}
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				if err := with(op, f.Name, bad).Validate(); !errors.Is(err, ErrParam) {
					t.Errorf("%s.%s = %v: error %v, want ErrParam", name, f.Name, bad, err)
				}
			}
		}
	}
}

func TestValidateNamesAllThatIsWrong(t *testing.T) {
	t.Parallel()
	k := NewKMeans()
	k.K, k.InitMode = 0, "x"
	for _, want := range []string{"KMeans.k = 0: must be a number of at least 2", `KMeans.initMode = "x": must be one of k-means||, random`} {
		if err := k.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func TestColumnsAreRequired(t *testing.T) {
	t.Parallel()
	for _, op := range []operator{
		NewVectorAssembler(), NewStandardScaler(), NewMinMaxScaler(), NewStringIndexer(),
		&VectorAssembler{InputCols: []string{"a", ""}, OutputCol: "o", HandleInvalid: "error"},
		&MinMaxScaler{InputCol: "a", OutputCol: "o", Min: 1, Max: 1},
		&StringIndexer{InputCols: []string{"a", "b"}, OutputCols: []string{"c"}, HandleInvalid: "error", StringOrderType: "alphabetAsc"},
		&StringIndexer{InputCols: []string{"a", "b"}, OutputCols: []string{"c", "c"}, HandleInvalid: "error", StringOrderType: "alphabetAsc"},
		&StringIndexer{InputCol: "a", InputCols: []string{"b"}, OutputCols: []string{"c"}, HandleInvalid: "error", StringOrderType: "alphabetAsc"},
		&StringIndexer{InputCol: "a", OutputCol: "b", OutputCols: []string{"c"}, HandleInvalid: "error", StringOrderType: "alphabetAsc"},
	} {
		if err := op.Validate(); !errors.Is(err, ErrParam) {
			t.Errorf("%+v: error %v, want ErrParam", op, err)
		}
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	lr := NewLogisticRegression()
	lr.Thresholds = []float64{0.3, 0.7}
	got, err := json.Marshal(params(lr))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"maxIter":{"integer":100}`, `"tol":{"double":0.000001}`, `"fitIntercept":{"boolean":true}`, `"featuresCol":{"string":"features"}`,
		`"thresholds":{"array":{"elementType":{"double":{}},"elements":[{"double":0.3},{"double":0.7}]}}`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
	for _, unwanted := range []string{`"threshold":`, "weightCol"} {
		if strings.Contains(string(got), unwanted) {
			t.Errorf("%s\nhas %s", got, unwanted)
		}
	}
	if seed := params(NewGBTClassifier())["params"].(fields)["seed"]; !reflect.DeepEqual(seed, fields{"long": "-1287390502"}) {
		t.Errorf("the seed, of an embedded struct, is %v", seed)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	const (
		dense  = `{"struct":{"elements":[{"byte":1},{"null":{}},{"null":{}},{"specializedArray":{"doubles":{"values":[1,"NaN","-Infinity"]}}}]}}`
		sparse = `{"struct":{"elements":[{"byte":0},{"integer":4},{"specializedArray":{"ints":{"values":[1,3]}}},{"specializedArray":{"doubles":{"values":[5,7]}}}]}}`
		beyond = `{"struct":{"elements":[{"byte":0},{"integer":3},{"specializedArray":{"ints":{"values":[1,3]}}},{"specializedArray":{"doubles":{"values":[5,7]}}}]}}`
	)
	read := func(text string) (l literal) {
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	if v, ok := asVector(read(dense)); !ok || v[0] != 1 || !math.IsNaN(v[1]) || !math.IsInf(v[2], -1) {
		t.Errorf("dense vector: %v, %v", v, ok)
	}
	if v, ok := asVector(read(sparse)); !ok || !reflect.DeepEqual(v, []float64{0, 5, 0, 7}) {
		t.Errorf("sparse vector: %v, %v", v, ok)
	}
	for _, wrong := range []string{beyond, `{"double":1}`, `{"struct":{"elements":[{"byte":1}]}}`} {
		if v, ok := asVector(read(wrong)); ok {
			t.Errorf("%s as a vector: %v", wrong, v)
		}
		if v, ok := asRows(read(wrong)); ok {
			t.Errorf("%s as a matrix: %v", wrong, v)
		}
	}
	matrix := func(kind, starts, indices, values, transposed string) literal {
		return read(`{"struct":{"elements":[{"byte":` + kind + `},{"integer":2},{"integer":3},{"specializedArray":{"ints":{"values":[` + starts +
			`]}}},{"specializedArray":{"ints":{"values":[` + indices + `]}}},{"specializedArray":{"doubles":{"values":[` + values + `]}}},{"boolean":` + transposed + `}]}}`)
	}
	want := [][]float64{{1, 0, 3}, {0, 5, 6}}
	for name, l := range map[string]literal{
		"by column":         matrix("1", "", "", "1,0,0,5,3,6", "false"),
		"by row":            matrix("1", "", "", "1,0,3,0,5,6", "true"),
		"sparse, by column": matrix("0", "0,1,2,4", "0,1,0,1", "1,5,3,6", "false"),
		"sparse, by row":    matrix("0", "0,2,4", "0,2,1,2", "1,3,5,6", "true"),
	} {
		if m, ok := asRows(l); !ok || !reflect.DeepEqual(m, want) {
			t.Errorf("matrix %s: %v, %v", name, m, ok)
		}
	}
	for name, l := range map[string]literal{
		"too short":        matrix("1", "", "", "1,2", "false"),
		"a row beyond":     matrix("0", "0,1,2,4", "0,2,0,1", "1,5,3,6", "false"),
		"too few columns":  matrix("0", "0,4", "0,1,0,1", "1,5,3,6", "false"),
		"ends beyond them": matrix("0", "0,1,2,9", "0,1,0,1", "1,5,3,6", "false"),
	} {
		if m, ok := asRows(l); ok {
			t.Errorf("matrix %s: %v", name, m)
		}
	}
	if list, ok := asArray(asArray(asString))(read(`{"array":{"elements":[{"array":{"elements":[{"string":"a"},{"string":"b"}]}},{"array":{}}]}}`)); !ok || !reflect.DeepEqual(list, [][]string{{"a", "b"}, {}}) {
		t.Errorf("labels: %v, %v", list, ok)
	}
	if list, ok := asArray(asLong)(read(`{"array":{"elements":[{"long":"7"},{"string":"b"}]}}`)); ok {
		t.Errorf("a list of long and string: %v", list)
	}
}
