package sparkml

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestTheTableIsTrue holds the table in the package's comment against the code: every operator and model stands there with all of its
// calls, and every call is made in an integration test.
func TestTheTableIsTrue(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "sparkml.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(file.Doc.Text(), "calls\n")
	if !ok {
		t.Fatal("the package's comment has no table")
	}
	listed := map[string][]string{}
	for line := range strings.Lines(table) {
		if name, calls, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(line, "\t") {
			listed[name] = append(listed[name], strings.Fields(calls)...)
		}
	}

	handles := map[string]any{}
	for _, op := range operators() {
		handles[op.class()] = op
	}
	for class, wrap := range models {
		handles[class] = wrap(Model{})
	}
	common := []string{"Validate", "Transform", "Write", "Overwrite", "Delete", "ID"}
	for class, handle := range handles {
		var methods []string
		kind := reflect.TypeOf(handle)
		for i := range kind.NumMethod() {
			if name := kind.Method(i).Name; !slices.Contains(common, name) || class == "ml.feature.VectorAssembler" && name == "Transform" {
				methods = append(methods, name)
			}
		}
		calls := slices.Sorted(slices.Values(listed[class]))
		if slices.Sort(methods); !slices.Equal(methods, calls) {
			t.Errorf("%s has the calls %v, the table %v", class, methods, calls)
		}
	}

	var tests strings.Builder
	paths, err := filepath.Glob("*_integration_test.go")
	if err != nil || len(paths) == 0 {
		t.Fatalf("finding the integration tests: %v, %v", paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	for class, calls := range listed {
		if _, ok := handles[class].(operator); ok && !strings.Contains(tests.String(), "sparkml.New"+short(class)+"(") {
			t.Errorf("no integration test makes a %s", class)
		}
		for _, call := range calls {
			// Called, instantiated, or handed to what calls it.
			if !slices.ContainsFunc([]string{"(", "[", ","}, func(next string) bool { return strings.Contains(tests.String(), "."+call+next) }) {
				t.Errorf("no integration test calls %s of %s", call, class)
			}
		}
	}
}
