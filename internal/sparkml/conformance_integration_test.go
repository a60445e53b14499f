//go:build integration

package sparkml

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cartwheel/internal/spark"
	"cartwheel/internal/spark/sparktest"
)

// write has the server make the operator with these parameters, MLlib's checks included, and save it.
func write(t *testing.T, s *spark.Session, op operator, params fields) (string, error) {
	kind := "OPERATOR_TYPE_ESTIMATOR"
	switch op.(type) {
	case Evaluator:
		kind = "OPERATOR_TYPE_EVALUATOR"
	case *VectorAssembler:
		kind = "OPERATOR_TYPE_TRANSFORMER"
	}
	dir := filepath.Join(t.TempDir(), "operator")
	_, err := command(t.Context(), s, fields{"write": fields{
		"operator": fields{"name": mllib + op.class(), "uid": newUID(op.class()), "type": kind}, "params": params, "path": dir,
	}})
	return dir, err
}

// TestDefaultsAreMLlibs compares what the constructors set with the defaults that Spark writes into the metadata of a saved operator.
func TestDefaultsAreMLlibs(t *testing.T) {
	t.Parallel()
	s := sparktest.Open(t)
	for _, op := range operators() {
		dir, err := write(t, s, op, fields{})
		if err != nil {
			t.Errorf("%s: %v", op.class(), err)
			continue
		}
		parts, _ := filepath.Glob(filepath.Join(dir, "metadata", "part-*"))
		if len(parts) != 1 {
			t.Fatalf("%s: metadata in %d files", op.class(), len(parts))
		}
		text, err := os.ReadFile(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		var metadata struct{ DefaultParamMap map[string]any }
		if err := json.Unmarshal(text, &metadata); err != nil {
			t.Fatal(err)
		}
		ours := map[string]any{}
		for name, value := range params(op)["params"].(fields) {
			for kind, v := range value.(fields) {
				if kind == "long" {
					v = json.Number(v.(string))
				}
				ours[name] = v
			}
		}
		// As numbers, both ways of writing them are the same.
		again, err := json.Marshal(ours)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &ours); err != nil {
			t.Fatal(err)
		}
		for _, m := range []map[string]any{ours, metadata.DefaultParamMap} {
			if name, ok := m["outputCol"].(string); ok { // made up with a random number
				prefix, hex, _ := strings.Cut(name, "_")
				if digits, ok := strings.CutSuffix(hex, "__output"); ok && len(digits) == 12 {
					m["outputCol"] = prefix + "_…__output"
				}
			}
		}
		if !reflect.DeepEqual(ours, metadata.DefaultParamMap) {
			t.Errorf("%s: the constructor sets\n%v\nMLlib's defaults are\n%v", op.class(), ours, metadata.DefaultParamMap)
		}
	}
}

// TestConstraintsAreMLlibs asks the server about both sides of each constraint that TestValidate holds Validate to.
func TestConstraintsAreMLlibs(t *testing.T) {
	t.Parallel()
	s := sparktest.Open(t)
	asked := 0
	for _, op := range operators() {
		for _, e := range edges[short(op.class())] {
			for _, bad := range e.bad {
				asked++
				if _, err := write(t, s, op, params(with(op, e.field, bad))); err == nil || !strings.Contains(err.Error(), paramName(e.field)) {
					t.Errorf("MLlib on %s.%s = %v: %v", op.class(), e.field, bad, err)
				}
			}
			for _, good := range e.good {
				asked++
				if _, err := write(t, s, op, params(with(op, e.field, good))); err != nil {
					t.Errorf("MLlib does not take %s.%s = %v: %v", op.class(), e.field, good, err)
				}
			}
		}
	}
	t.Logf("%d values", asked)
}
