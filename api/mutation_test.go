package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

// mutation is a damage done to a copy of a trained version: to its files, and to what is then said of them in the manifest.
type mutation struct {
	name   string
	damage func(t *testing.T, dir string, m *model.Manifest)
	after  func(t *testing.T, dir string, m *model.Manifest) // once the checksums are those of the damaged files
	broken bool                                              // the checksums are those of the sound files
}

// files are those of a version that a server reads.
func readFiles(m *model.Manifest) (files []string) {
	for _, f := range m.Files {
		if strings.Contains(f.Path, "/part-") && !strings.HasPrefix(f.Path, "als/metadata/") {
			files = append(files, f.Path)
		}
	}
	return files
}

func onFile(name string, change func([]byte) []byte) func(*testing.T, string, *model.Manifest) {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, string(change(data)))
	}
}

// mutations are at least 200: five of each file that is read, and the absurd ones.
func mutations(m *model.Manifest) (all []mutation) {
	half := func(b []byte) []byte { return b[:len(b)/2] }
	for _, file := range readFiles(m) {
		gone := func(t *testing.T, dir string, _ *model.Manifest) {
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, mutation{"truncated " + file, onFile(file, half), nil, true}, mutation{"flipped " + file, onFile(file, func(b []byte) []byte { b[len(b)/3] ^= 4; return b }), nil, true},
			mutation{"missing " + file, gone, nil, true}, mutation{"truncated and sealed " + file, onFile(file, half), nil, false},
			mutation{"emptied and sealed " + file, onFile(file, func([]byte) []byte { return nil }), nil, false})
	}
	for name, said := range map[string]func(*model.Manifest){
		"rank 0":          func(m *model.Manifest) { m.Parameters.Rank = 0 },
		"rank 7":          func(m *model.Manifest) { m.Parameters.Rank = 7 },
		"rank 9":          func(m *model.Manifest) { m.Parameters.Rank = 9 },
		"rank 2e9":        func(m *model.Manifest) { m.Parameters.Rank = 2e9 },
		"no visitors":     func(m *model.Manifest) { m.Counts.Visitors = 0 },
		"2e9 visitors":    func(m *model.Manifest) { m.Counts.Visitors = 2e9 },
		"9e18 visitors":   func(m *model.Manifest) { m.Counts.Visitors = 9e18 },
		"-1 items":        func(m *model.Manifest) { m.Counts.Items = -1 },
		"2e9 items":       func(m *model.Manifest) { m.Counts.Items = 2e9 },
		"one factor less": func(m *model.Manifest) { m.Counts.FactorsItems-- },
		"alpha below 0":   func(m *model.Manifest) { m.Parameters.Alpha = -1 },
		"schema":          func(m *model.Manifest) { m.Schema = 2 },
		"another's name":  func(m *model.Manifest) { m.Version = "other" },
		"window":          func(m *model.Manifest) { m.Purchase.WindowDays = math.MaxInt },
		"label":           func(m *model.Manifest) { m.Purchase.LabelDays = 0 },
		"rate":            func(m *model.Manifest) { m.Purchase.InactiveRate = 1.5 },
		"fewer features":  func(m *model.Manifest) { m.Purchase.Features = m.Purchase.Features[1:] },
		"other features": func(m *model.Manifest) {
			m.Purchase.Features[0], m.Purchase.Features[1] = m.Purchase.Features[1], m.Purchase.Features[0]
		},
		"a segment less":    func(m *model.Manifest) { m.Segments.Segments = m.Segments.Segments[1:] },
		"no segments":       func(m *model.Manifest) { m.Segments.Segments = nil },
		"segments' names":   func(m *model.Manifest) { m.Segments.Segments[1].Name = m.Segments.Segments[0].Name },
		"segments' means":   func(m *model.Manifest) { m.Segments.Segments[0].Means = nil },
		"a feature unknown": func(m *model.Manifest) { m.Segments.Features[0] = "luck" },
		"a feature less":    func(m *model.Manifest) { m.Segments.Features = m.Segments.Features[1:] },
		"population":        func(m *model.Manifest) { m.Segments.Population = append(m.Segments.Population, 1) },
		"-1 in a segment":   func(m *model.Manifest) { m.Segments.Segments[0].Visitors = -1 },
	} {
		all = append(all, mutation{name: name, damage: func(_ *testing.T, _ string, m *model.Manifest) { said(m) }})
	}
	for _, path := range []string{"../" + m.Version + "/manifest.json", "/etc/passwd", "als/../manifest.json", `als\x`, "nul\x00", "items/", ".", "", "items/nothing.parquet", readFiles(m)[0], "manifest.json"} {
		all = append(all, mutation{name: fmt.Sprintf("lists %q", path), after: func(t *testing.T, _ string, m *model.Manifest) { m.Files = append(m.Files, model.File{Path: path}) }})
	}
	type row struct {
		ID       int32     `parquet:"id"`
		Features []float32 `parquet:"features,list"`
	}
	for name, rows := range map[string][]row{"NaN": {{0, []float32{0, 0, 0, 0, 0, 0, 0, float32(math.NaN())}}}, "infinite": {{0, []float32{float32(math.Inf(1)), 0, 0, 0, 0, 0, 0, 0}}},
		"short": {{0, make([]float32, 7)}}, "beyond": {{2e9, make([]float32, 8)}}, "negative": {{-5, make([]float32, 8)}}, "twice": {{1, make([]float32, 8)}, {1, make([]float32, 8)}}} {
		for _, table := range []string{"als/userFactors", "als/itemFactors"} {
			all = append(all, mutation{name: table + " " + name, damage: func(t *testing.T, dir string, _ *model.Manifest) {
				modeltest.WriteTable(t, filepath.Join(dir, table), rows, 1)
			}})
		}
	}
	for to, from := range map[string]string{"purchase": "segments/kmeans", "segments/kmeans": "purchase", "segments/scaler": "segments/kmeans"} {
		all = append(all, mutation{name: from + " as " + to, damage: func(t *testing.T, dir string, _ *model.Manifest) {
			if err := os.RemoveAll(filepath.Join(dir, to)); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(filepath.Join(trained, from))); err != nil {
				t.Fatal(err)
			}
		}})
	}
	for name, text := range map[string]string{"no manifest": "", "half a manifest": `{"schema":1,`, "an array": `[]`, "a deep manifest": strings.Repeat("[", 1<<20), "a count of 1e999": `{"schema":1,"counts":{"items":1e999}}`} {
		all = append(all, mutation{name: name, after: func(t *testing.T, dir string, m *model.Manifest) {
			*m = model.Manifest{}
			writeFile(t, filepath.Join(dir, model.ManifestName), text)
		}})
	}
	all = append(all, mutation{name: "a pipe", after: func(t *testing.T, dir string, m *model.Manifest) {
		if err := unix.Mkfifo(filepath.Join(dir, "items/part-x.parquet"), 0o644); err != nil {
			t.Fatal(err)
		}
		m.Files = append(m.Files, model.File{Path: "items/part-x.parquet"})
	}}, mutation{name: "a link out", after: func(t *testing.T, dir string, m *model.Manifest) {
		if err := os.Symlink("/etc/passwd", filepath.Join(dir, "purchase/data/part-x")); err != nil {
			t.Fatal(err)
		}
		m.Files = append(m.Files, model.File{Path: "purchase/data/part-x"})
	}}, mutation{name: "an unlisted part", after: func(t *testing.T, dir string, _ *model.Manifest) {
		writeFile(t, filepath.Join(dir, "segments/kmeans/data/part-00000-a"), "")
	}})
	return all
}

// write makes the damaged version.
func (u *mutation) write(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(dir, os.DirFS(trained)); err != nil {
		t.Fatal(err)
	}
	m, err := model.ReadManifest(trained)
	if err != nil {
		t.Fatal(err)
	}
	m.Version = filepath.Base(dir)
	manifest := filepath.Join(dir, model.ManifestName)
	reseal := func() {
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, manifest, string(data))
	}
	if u.damage != nil {
		u.damage(t, dir, m)
	}
	if u.broken {
		reseal()
		return
	}
	modeltest.Seal(t, dir, *m)
	if u.after != nil {
		data, err := os.ReadFile(manifest)
		if err == nil {
			err = json.Unmarshal(data, m)
		}
		if err != nil {
			t.Fatal(err)
		}
		if u.after(t, dir, m); m.Version != "" {
			reseal()
		}
	}
}

// However a version is damaged, it is refused, by an admin's request and as the champion; what was served is served on, and no lie of
// a file or a manifest costs memory.
func TestFaultDamagedVersions(t *testing.T) {
	sound, err := model.ReadManifest(trained)
	if err != nil {
		t.Fatal(err)
	}
	p := startWith(t, shop("sound")) // not in parallel: it looks at what the whole process allocates
	all := mutations(sound)
	if len(all) < 200 {
		t.Errorf("there are only %d mutations", len(all))
	}
	if !whole {
		slices.SortFunc(all, func(a, b mutation) int { return strings.Compare(a.name, b.name) })
		some := all[:0:0]
		for i := 0; i < len(all); i += 24 {
			some = append(some, all[i])
		}
		all = some
	}
	var done atomic.Bool
	var asking sync.WaitGroup
	asking.Go(func() {
		for !done.Load() {
			a, err := p.try(http.DefaultClient, "GET", "/v1/visitors/anna", "")
			if err != nil || a.status != 200 || a.header.Get("X-Model-Version") != "sound" {
				t.Errorf("%v, status %d: %s", err, a.status, a.body)
				return
			}
			runtime.Gosched()
		}
	})
	const most = 256 << 20 // for all that reading a version of 2 MB needs, and what is asked meanwhile
	champions := 0
	for i, u := range all {
		dir := filepath.Join(p.models, fmt.Sprint("m", i))
		u.write(t, dir)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := p.do(t, "POST", "/v1/models/"+filepath.Base(dir)+"/activate", "")
		runtime.ReadMemStats(&after)
		if a.status != 409 {
			t.Errorf("%s: status %d: %s", u.name, a.status, a.body)
		}
		if cost := after.TotalAlloc - before.TotalAlloc; cost > most {
			t.Errorf("%s: refusing it took %d bytes", u.name, cost)
		}
		if i%40 == 3 {
			champions++
			modeltest.MakeChampion(t, p.models, filepath.Base(dir))
			if refusal := p.log.wait(t, "champion refused"); refusal["serving"] != "sound" || refusal["version"] != filepath.Base(dir) {
				t.Errorf("%s: the log says %v", u.name, refusal)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	asking.Wait()
	if n := p.metric(t, "cartwheel_model_refused_total"); n != fmt.Sprint(champions) {
		t.Errorf("%s refusals are counted, want %d", n, champions)
	}
	if err := os.CopyFS(filepath.Join(p.models, sound.Version), os.DirFS(trained)); err != nil {
		t.Fatal(err)
	}
	if a := p.do(t, "POST", "/v1/models/"+sound.Version+"/activate", ""); a.status != 200 {
		t.Errorf("the sound version is answered with %d: %s", a.status, a.body)
	}
}
