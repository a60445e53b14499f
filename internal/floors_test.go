// Package internal_test holds the house to its plan.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// floors are the packages by the floor they stand on, as docs/architecture.md tells; a package imports only from floors below.
var floors = map[string]int{
	"event": 1, "durable": 1, "config": 1, "logging": 2, "metrics": 2, "shutdown": 2, "reexec": 2, "tracing": 2, "dashboard": 1,
	"kafka": 3, "spark": 3, "sparkml": 4, "erasure": 4, "model": 3,
	"ingest": 5, "batch": 5, "recommend": 5, "synthetic": 5, "features": 5, "predict": 5,
	"purchase": 6, "segment": 6, "live": 6, "status": 6,
	"train": 7, "serve": 7, "tuning": 8,
	"e2e": 8,
}

func TestImportsGoDownward(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "cartwheel/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		inside, ok := strings.CutPrefix(p.ImportPath, "cartwheel/internal/")
		if !ok {
			continue // programs may use everything below
		}
		name, helper, _ := strings.Cut(inside, "/")
		own, ok := floors[name]
		if !ok {
			t.Errorf("package %s has no floor; give it one here and in docs/architecture.md", inside)
		}
		if helper != "" {
			own++ // a test helper such as model/modeltest stands on its package
		}
		for _, imported := range p.Imports {
			other, ok := strings.CutPrefix(imported, "cartwheel/internal/")
			if !ok {
				if strings.HasPrefix(imported, "cartwheel/") {
					t.Errorf("%s imports the program %s", p.ImportPath, imported)
				}
				continue
			}
			if other, _, _ = strings.Cut(other, "/"); floors[other] >= own {
				t.Errorf("%s imports %s, which is not on a floor below", p.ImportPath, imported)
			}
			checked++
		}
	}
	if checked == 0 {
		t.Fatal("no import was checked")
	}
}
