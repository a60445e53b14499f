package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cartwheel/internal/model/modeltest"
)

// Requests that schemathesis (PyPI) makes up from the contract, sound ones and broken ones, find no fault of the server's and no answer
// that is off the contract. It runs where schemathesis is in PATH, as scripts/test puts it there.
func TestFaultSchemathesis(t *testing.T) {
	t.Parallel()
	schemathesis, err := exec.LookPath("schemathesis")
	if err != nil {
		t.Skip("schemathesis is not in PATH (scripts/test fetches it)")
	}
	examples := "2"
	if whole {
		examples = "100"
	}
	data, version := t.TempDir(), filepath.Base(trained)
	models := filepath.Join(data, "models")
	if err := os.CopyFS(filepath.Join(models, version), os.DirFS(trained)); err != nil {
		t.Fatal(err)
	}
	modeltest.MakeChampion(t, models, version)
	_, addr := broker(t)
	p := startLive(t, data, addr)
	settings := filepath.Join(data, "schemathesis.toml")
	// Of what breaks a rule, some is too long before it is read.
	writeFile(t, settings, "[checks]\nnegative_data_rejection.expected-statuses = [400, 404, 405, 413, 414, 415, 422, 431]\n")
	described, err := filepath.Abs("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(schemathesis, "--config-file", settings, "run", described, "--url", p.url, "--exclude-path", "/v1/status/stream", "--max-examples", examples,
		"--seed", "1", "--no-color", "--generation-database", "none", "--checks",
		"not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection")
	cmd.Dir = t.TempDir() // it leaves files where it runs
	out, err := cmd.CombinedOutput()
	if t.Logf("%s", out); err != nil {
		t.Errorf("schemathesis: %v", err)
	}
	if p.log.count(`"level":"ERROR"`) > 0 {
		t.Errorf("something failed here:\n%s", p.log.text())
	}
}
