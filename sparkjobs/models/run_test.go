package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/serve"
)

// shop is a data folder of three versions, of which "b" is the champion and "a" was before.
func shop(t *testing.T) (dataDir string) {
	t.Helper()
	dataDir = t.TempDir()
	models := filepath.Join(dataDir, "models")
	for i, name := range []string{"a", "b", "c"} {
		modeltest.Write(t, models, modeltest.Random(name, uint64(i), 5, 8, 2+i))
	}
	for _, name := range []string{"a", "b"} {
		if _, err := model.Activate(models, name, serve.Check); err != nil {
			t.Fatal(err)
		}
	}
	return dataDir
}

func models(t *testing.T, dataDir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, func(name string) string { return map[string]string{"DATA_DIR": dataDir}[name] }, &out, &errs)
	return code, out.String(), errs.String()
}

func TestCommands(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args string
		code int
		says []string
	}{
		{"list", 0, []string{"version", "c ", "champion before", "champion\n"}},
		{"show champion", 0, []string{"version   b", "rank 3", "als"}},
		{"compare c", 0, []string{"A: c", "B: b", "parameters.rank"}},
		{"compare a b", 0, []string{"A: a", "B: b"}},
		{"activate c", 0, []string{"c is the champion now", "rollback goes back to b"}},
		{"rollback", 0, []string{"a is the champion now"}},
		{"prune --keep 0", 0, []string{"c ", "would be removed", "1 of 3", "--yes"}},
		{"prune --keep 0 --yes", 0, []string{"1 of 3 removed"}},
		{"--help", 0, []string{"models prune"}},
		{"list --help", 0, []string{"--json", "DATA_DIR"}},
		{"", 2, []string{"models activate VERSION"}},
		{"polish", 2, []string{`no command "polish"`, "--help"}},
		{"show", 2, []string{"show: 0 versions"}},
		{"activate a b", 2, []string{"activate: 2 versions"}},
		{"list --jsn", 2, []string{"-jsn"}},
		{"prune --keep -1", 2, []string{"--keep -1"}},
		{"show --json a", 2, []string{`unexpected argument "a"`}},
		{"show nobody", 1, []string{`no version "nobody"`, "models list"}},
		{"activate ../a", 1, []string{"../a", "cannot be a version's name"}},
		{"list --data-dir /nowhere/at/all", 0, []string{"no versions in /nowhere/at/all/models"}},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := models(t, shop(t), strings.Fields(test.args)...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, want := range test.says {
				if !strings.Contains(stdout+stderr, want) {
					t.Errorf("lacks %q:\n%s%s", want, stdout, stderr)
				}
			}
			if (code == 0) != (stderr == "") {
				t.Errorf("exit code %d with the message %q", code, stderr)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	dir := shop(t)
	ask := func(into any, args ...string) {
		t.Helper()
		code, stdout, stderr := models(t, dir, append(args, "--json")...)
		if err := json.Unmarshal([]byte(stdout), into); code != 0 || err != nil {
			t.Fatalf("%v: exit code %d, %v: %s%s", args, code, err, stdout, stderr)
		}
	}
	var all []listed
	if ask(&all, "list"); len(all) != 3 || all[0].Version != "c" || !all[1].Champion || !all[2].Previous || all[0].Manifest.Parameters.Rank != 4 {
		t.Errorf("list: %+v", all)
	}
	var m model.Manifest
	if ask(&m, "show", "a"); m.Version != "a" || len(m.Files) == 0 {
		t.Errorf("show: %+v", m)
	}
	var c comparison
	if ask(&c, "compare", "c"); c.A != "c" || c.B != "b" || len(c.Differences) == 0 || len(c.Metrics) == 0 {
		t.Errorf("compare: %+v", c)
	}
	var now changed
	if ask(&now, "activate", "c"); now != (changed{"c", "b"}) {
		t.Errorf("activate: %+v", now)
	}
	var p prunings
	if ask(&p, "prune", "--keep", "0"); !p.Dry || len(p.Versions) != 3 || !p.Versions[2].Removed {
		t.Errorf("prune: %+v", p)
	}
	if _, err := os.Stat(filepath.Join(dir, "models", "a")); err != nil {
		t.Errorf("a dry run removed something: %v", err)
	}
}

func TestDamageIsTold(t *testing.T) {
	t.Parallel()
	dir := shop(t)
	if err := os.WriteFile(filepath.Join(dir, "models", "c", model.ManifestName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, stdout, _ := models(t, dir, "list"); code != 0 || !strings.Contains(stdout, "damaged: bad model version") {
		t.Errorf("list: exit code %d\n%s", code, stdout)
	}
	if code, _, stderr := models(t, dir, "activate", "c"); code != 1 || !strings.Contains(stderr, "not valid JSON") {
		t.Errorf("activate: exit code %d, %s", code, stderr)
	}
	// What only the API reads is held against the same standard: here a purchase model that takes features nobody knows.
	foreign := modeltest.Random("d", 9, 5, 8, 2)
	foreign.Features = []string{"shoe_size"}
	modeltest.Write(t, filepath.Join(dir, "models"), foreign)
	if code, _, stderr := models(t, dir, "activate", "d"); code != 1 || !strings.Contains(stderr, "shoe_size") {
		t.Errorf("activate: exit code %d, %s", code, stderr)
	}
	if now, err := model.Champion(filepath.Join(dir, "models")); err != nil || now != "b" {
		t.Errorf("the champion is %s, %v", now, err)
	}
}
