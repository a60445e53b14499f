package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

// A damaged champion is refused, said once, counted once, and the one before serves on; written anew, it is tried anew.
func TestDamagedChampionIsRefused(t *testing.T) {
	t.Parallel()
	const part = "als/itemFactors/part-00000-test-c000.snappy.parquet"
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		says   string
	}{
		"missing file": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, part)); err != nil {
				t.Fatal(err)
			}
		}, part},
		"truncated file": {func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, part), 100); err != nil {
				t.Fatal(err)
			}
		}, "100 bytes"},
		"missing manifest": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, model.ManifestName)); err != nil {
				t.Fatal(err)
			}
		}, "manifest"},
		"missing folder": {func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}, "manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startWith(t, shop("v1"))
			c.damage(t, modeltest.Write(t, p.models, shop("v2")))
			modeltest.MakeChampion(t, p.models, "v2")
			refusal := p.log.wait(t, "champion refused")
			if text := fmt.Sprint(refusal["error"]); !strings.Contains(text, c.says) || refusal["version"] != "v2" || refusal["serving"] != "v1" {
				t.Errorf("the log says %v, want %q", refusal, c.says)
			}
			if list := p.do(t, "GET", "/v1/visitors/anna/recommendations", "").items(t); list.ModelVersion != "v1" {
				t.Errorf("answered from %s", list.ModelVersion)
			}
			if a := p.do(t, "GET", "/readyz", ""); a.status != 200 || !strings.Contains(string(a.body), `"fault":"`) {
				t.Errorf("/readyz answered %d: %s", a.status, a.body)
			}
			if a := p.do(t, "GET", "/v1/models", ""); !strings.Contains(string(a.body), `"champion":"v1"`) {
				t.Errorf("/v1/models answered %s", a.body)
			}
			// The next champion is sound. When it is loaded, several looks at the damaged one lie behind.
			modeltest.Write(t, p.models, shop("v3"))
			modeltest.MakeChampion(t, p.models, "v3")
			p.ready(t, "v3")
			if n := p.log.count("champion refused"); n != 1 {
				t.Errorf("the refusal was logged %d times", n)
			}
			if n := p.metric(t, "cartwheel_model_refused_total"); n != "1" {
				t.Errorf("%s refusals are counted", n)
			}
			if a := p.do(t, "GET", "/readyz", ""); strings.Contains(string(a.body), "fault") {
				t.Errorf("/readyz still says %s", a.body)
			}
			modeltest.MakeChampion(t, p.models, "v2")
			p.log.wait(t, "champion refused")
		})
	}
}

func TestLatestThatIsNoName(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	modeltest.MakeChampion(t, p.models, "../v1")
	if refusal := p.log.wait(t, "champion refused"); !strings.Contains(fmt.Sprint(refusal["error"]), "../v1") {
		t.Errorf("the log says %v", refusal)
	}
	if err := os.Remove(filepath.Join(p.models, model.LatestName)); err != nil {
		t.Fatal(err)
	}
	if refusal := p.log.wait(t, "champion refused"); !strings.Contains(fmt.Sprint(refusal["error"]), "no such file") {
		t.Errorf("the log says %v", refusal)
	}
	if list := p.do(t, "GET", "/v1/items/popular", "").items(t); list.ModelVersion != "v1" {
		t.Errorf("answered from %s", list.ModelVersion)
	}
}

// A version that is refused at the start leaves the server alive but not ready, and /readyz says why.
func TestStartingOnADamagedVersion(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	models := filepath.Join(data, "models")
	writeFile(t, filepath.Join(modeltest.Write(t, models, shop("v1")), model.ManifestName), "{")
	modeltest.MakeChampion(t, models, "v1")
	p := start(t, data)
	p.log.wait(t, "champion refused")
	p.do(t, "GET", "/readyz", "").problem(t, 503, "", "not valid JSON")
	p.do(t, "GET", "/v1/items/popular", "").problem(t, 503, "", "no model version is loaded")
	if a := p.do(t, "GET", "/v1/models", ""); !strings.Contains(string(a.body), `"error":"`) {
		t.Errorf("/v1/models answered %s", a.body)
	}
}

// A version is activated and rolled back by hand; one that is damaged changes nothing.
func TestActivate(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	modeltest.Write(t, p.models, shop("v2"))
	broken := modeltest.Write(t, p.models, shop("v3"))
	if err := os.Truncate(filepath.Join(broken, "als/userFactors/part-00000-test-c000.snappy.parquet"), 10); err != nil {
		t.Fatal(err)
	}
	expect := func(version string) {
		t.Helper()
		if list := p.do(t, "GET", "/v1/items/popular", "").items(t); list.ModelVersion != version {
			t.Errorf("answered from %s, want %s", list.ModelVersion, version)
		}
		if name, err := model.Champion(p.models); err != nil || name != version {
			t.Errorf("LATEST names %s, %v, want %s", name, err, version)
		}
	}
	for _, step := range []struct{ version, answer string }{
		{"v2", `{"champion":"v2","previous":"v1"}`},
		{"v1", `{"champion":"v1","previous":"v2"}`},
		{"v1", `{"champion":"v1","previous":"v1"}`},
	} {
		if a := p.do(t, "POST", "/v1/models/"+step.version+"/activate", ""); a.status != 200 || strings.TrimSpace(string(a.body)) != step.answer {
			t.Errorf("status %d: %s", a.status, a.body)
		}
		expect(step.version)
	}
	p.do(t, "POST", "/v1/models/v3/activate", "").problem(t, 409, "version", "10 bytes")
	expect("v1")
}
