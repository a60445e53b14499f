package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

// swapped returns the shop with its items' names changed by a suffix, so that an answer shows what it was made from.
func swapped(version string) modeltest.Spec {
	spec := modeltest.Random(version, 1, 50, 200, 8)
	for i := range spec.Items {
		spec.Items[i] += "@" + version
	}
	spec.Parents, spec.Categories = nil, nil
	for visitor, pairs := range spec.Seen {
		for i := range pairs {
			spec.Seen[visitor][i].Item += "@" + version
		}
	}
	for _, lists := range []map[string][]modeltest.Scored{spec.Popular, spec.Near, spec.Recent} {
		for key, list := range maps.Clone(lists) {
			for i := range list {
				list[i].Item += "@" + version
			}
			if slices.Contains(spec.Items, key+"@"+version) {
				delete(lists, key)
				lists[key+"@"+version] = list
			}
		}
	}
	return spec
}

// Champions change under load: no request fails, and none mixes two versions.
func TestChampionsChangeUnderLoad(t *testing.T) {
	t.Parallel()
	p := startWith(t, swapped("v0"))
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	client := &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	var (
		done     atomic.Bool
		answered atomic.Int64
		workers  sync.WaitGroup
	)
	for worker := range 4 {
		workers.Go(func() {
			for i := 0; !done.Load(); i++ {
				method, path, body := "GET", fmt.Sprintf("/v1/visitors/v%d/recommendations?limit=20", (i*7+worker)%60), ""
				switch i % 3 {
				case 1:
					method, path, body = "POST", "/v1/sessions/recommendations", fmt.Sprintf(`{"items":["i%d@v0","i%d@v1","i3@v2"]}`, i%200, i%200)
				case 2:
					path = "/v1/items/popular"
				}
				a, err := p.try(client, method, path, body, "Content-Type", "application/json")
				if err != nil {
					t.Error(err)
					return
				}
				var list itemList
				if err := json.Unmarshal(a.body, &list); err != nil || a.status != 200 || len(list.Items) == 0 {
					t.Errorf("status %d: %s", a.status, a.body)
					return
				}
				if list.ModelVersion != a.header.Get("X-Model-Version") {
					t.Errorf("the body names %s, the header %s", list.ModelVersion, a.header.Get("X-Model-Version"))
				}
				for _, item := range list.Items {
					if !strings.HasSuffix(item.ItemID, "@"+list.ModelVersion) {
						t.Errorf("an answer of %s holds %s", list.ModelVersion, item.ItemID)
						return
					}
				}
				answered.Add(1)
			}
		})
	}
	for i := 1; i <= 3; i++ {
		spec := swapped(fmt.Sprint("v", i))
		modeltest.Write(t, p.models, spec)
		modeltest.MakeChampion(t, p.models, spec.Name)
		p.ready(t, spec.Name)
		if list := p.do(t, "GET", "/v1/visitors/v1/recommendations", "").items(t); list.ModelVersion != spec.Name {
			t.Errorf("with %s loaded, %s answered", spec.Name, list.ModelVersion)
		}
	}
	done.Store(true)
	workers.Wait()
	if answered.Load() == 0 {
		t.Error("nothing was answered meanwhile")
	}
	if loads := p.metric(t, "cartwheel_model_loads_total"); loads != "4" {
		t.Errorf("%s loads are counted, want 4", loads)
	}
}

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
