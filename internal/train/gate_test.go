package train

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

// The blends of the planted shop: what its visitors take next is beside what they took, and nowhere in the factors.
var (
	goodBlends = alike(model.Blend{Neighbours: 1, Popular: 0.01, NeighboursDecay: 1, OwnDecay: 1})
	badBlends  = alike(model.Blend{Popular: 1, Factors: 0.001, NeighboursDecay: 1, OwnDecay: 1})
	wrongBlend = alike(model.Blend{Factors: 1, NeighboursDecay: 1, OwnDecay: 1})
)

const plantedVisitors = 80

// planted is a shop in which each item has one neighbour, and visitors take the neighbour of what they had; but every fourth takes what
// is most popular.
func planted(name string) modeltest.Spec {
	r := rand.New(rand.NewPCG(5, 5))
	spec := modeltest.Spec{Name: name, Rank: 2, Alpha: 1, RegParam: 0.1, EventWeights: map[string]float64{"view": 1, "addtocart": 3, "transaction": 5},
		Seen: map[string][]modeltest.Pair{}, Near: map[string][]modeltest.Scored{}, Popular: map[string][]modeltest.Scored{}}
	const items = 200
	for i := range items {
		spec.Items = append(spec.Items, fmt.Sprint("i", i))
		spec.ItemFactors = append(spec.ItemFactors, []float32{r.Float32(), r.Float32()})
		spec.Popular["all"] = append(spec.Popular["all"], modeltest.Scored{Item: fmt.Sprint("i", i), Score: float64(items - i)})
		spec.Near[fmt.Sprint("i", i)] = []modeltest.Scored{{Item: fmt.Sprint("i", (i+1)%items), Score: 1}}
	}
	for v := range plantedVisitors {
		id := fmt.Sprint("v", v)
		spec.Visitors = append(spec.Visitors, id)
		spec.VisitorFactors = append(spec.VisitorFactors, []float32{r.Float32(), r.Float32()})
		spec.Seen[id] = []modeltest.Pair{{Item: fmt.Sprint("i", 100+v), Strength: 1}}
	}
	return spec
}

func plantedEvents(visitors int) (events []heldOut) {
	for v := range visitors {
		item := fmt.Sprint("i", 101+v)
		if v%4 == 0 {
			item = "i0"
		}
		events = append(events, heldOut{fmt.Sprint("v", v), item, "view", 1})
	}
	return events
}

// verdictOn asks the gate about a candidate with its blends, beside the champion that modelsDir holds.
func verdictOn(t *testing.T, modelsDir string, candidate model.Blends, visitors int, force bool) *model.Decision {
	t.Helper()
	v, err := model.Load(modeltest.Write(t, t.TempDir(), planted("measured")))
	if err != nil {
		t.Fatal(err)
	}
	j := &job{Config: recipe(v.Manifest.Parameters, Config{Force: force}), staging: &model.Staging{Dir: filepath.Join(modelsDir, ".tmp-candidate")}}
	m := &model.Manifest{Parameters: v.Manifest.Parameters, Data: v.Manifest.Data}
	m.Parameters.Blends = candidate
	r := recommend.New(v)
	e := newEvaluation(questions(plantedEvents(visitors), v), v.Items)
	for name, answer := range answerers(r, v.Items, [2]model.Blends{candidate, candidate}, 1) {
		e.ask(name, answer)
	}
	c, err := j.findChampion()
	if err != nil {
		t.Fatal(err)
	}
	if err := j.askChampion(t.Context(), e, r, m, c, nil); err != nil {
		t.Fatal(err)
	}
	return decide(e, c, force, 1)
}

func TestGate(t *testing.T) {
	t.Parallel()
	withChampion := func(b model.Blends) string {
		dir := t.TempDir()
		spec := planted("champion")
		spec.Blends = b
		modeltest.Write(t, dir, spec)
		modeltest.MakeChampion(t, dir, "champion")
		return dir
	}
	damaged := withChampion(goodBlends)
	parts, err := filepath.Glob(filepath.Join(damaged, "champion", "items", "part-*"))
	if err != nil || len(parts) == 0 {
		t.Fatal(parts, err)
	}
	if err := os.WriteFile(parts[0], []byte("not Parquet"), 0o644); err != nil {
		t.Fatal(err)
	}
	gone, nonsense := t.TempDir(), t.TempDir()
	modeltest.MakeChampion(t, gone, "nowhere")
	modeltest.MakeChampion(t, nonsense, "../..")
	for _, test := range []struct {
		name      string
		modelsDir string
		candidate model.Blends
		visitors  int
		force     bool
		promoted  bool
		champion  string
		says      []string
	}{
		{"no champion", t.TempDir(), goodBlends, 80, false, true, "", []string{"better than popularity", "no champion"}},
		{"no champion, no better than popularity", t.TempDir(), badBlends, 80, false, false, "", []string{"not better than popularity"}},
		{"no champion, worse than popularity", t.TempDir(), wrongBlend, 80, false, false, "", []string{"worse than popularity", visitorNew, "80 visitors"}},
		{"better than a bad champion", withChampion(wrongBlend), goodBlends, 80, false, true, "champion", []string{"not worse than the champion champion"}},
		{"like the champion", withChampion(goodBlends), goodBlends, 80, false, true, "champion", []string{"not worse than the champion champion"}},
		{"worse than the champion", withChampion(goodBlends), badBlends, 80, false, false, "champion", []string{"worse than the champion champion", visitorNew, "ndcg@10"}},
		{"worse, and forced", withChampion(goodBlends), badBlends, 80, true, true, "champion", []string{"forced", "worse than the champion"}},
		{"good, and forced for nothing", withChampion(goodBlends), goodBlends, 80, true, true, "champion", []string{"not worse"}},
		{"a damaged champion", damaged, goodBlends, 80, false, true, "champion", []string{"cannot be served", "items/part-", "bytes"}},
		{"a damaged champion does not excuse", damaged, wrongBlend, 80, false, false, "champion", []string{"worse than popularity"}},
		{"a champion that is not there", gone, goodBlends, 80, false, true, "nowhere", []string{"cannot be served", "no such file"}},
		{"a LATEST that names no version", nonsense, goodBlends, 80, false, true, "", []string{"cannot be served", "../.."}},
		{"few visitors", withChampion(goodBlends), wrongBlend, 49, false, true, "champion", []string{"too few visitors", visitorNew + ": 49", "50 decide"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := verdictOn(t, test.modelsDir, test.candidate, test.visitors, test.force)
			if d.Promoted != test.promoted || d.Champion != test.champion || d.Forced != (test.force && strings.HasPrefix(d.Reason, "forced")) {
				t.Errorf("got %+v, want promoted: %v beside %q", d, test.promoted, test.champion)
			}
			for _, want := range test.says {
				if !strings.Contains(d.Reason, want) {
					t.Errorf("the reason lacks %q: %s", want, d.Reason)
				}
			}
			for _, c := range d.Comparisons {
				if c.Visitors != test.visitors || c.Cases != test.visitors || c.Difference.Low > c.Difference.Mean || c.Difference.High < c.Difference.Mean {
					t.Errorf("a comparison is %+v", c)
				}
			}
		})
	}
}

// Noise refuses nobody: of two blends that are as good as each other, neither is found worse more often than one in forty times.
func TestGateLetsNoisePass(t *testing.T) {
	t.Parallel()
	refused := 0
	const trials = 400
	for seed := range int64(trials) {
		r := rand.New(rand.NewPCG(uint64(seed), 9))
		e := &evaluation{answers: map[string][]result{}, visitorsN: map[string]int{visitorNew: 60}}
		for v := range 60 {
			e.asked = append(e.asked, question{kind: visitorNew, visitor: fmt.Sprint(v)})
		}
		for _, name := range []string{byBlend, byCandidate, byChampion, byPopularity} {
			for range e.asked {
				level := r.Float64()
				if name == byPopularity {
					level = 0
				}
				e.answers[name] = append(e.answers[name], result{figures: figures{ndcg10: level}})
			}
		}
		if d := decide(e, champion{name: "c", manifest: &model.Manifest{}}, false, seed); !d.Promoted {
			refused++
		}
	}
	if refused == 0 || refused > trials/20 { // expected: a fortieth, 10; a test in which nothing can be refused proves nothing
		t.Errorf("%d of %d refused", refused, trials)
	}
}

func TestConfirmWithdrawsWhatWasComparedWithAnotherChampion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &model.Decision{Promoted: true, Reason: "fine"}
	if err := confirm(dir, d); err != nil || !d.Promoted {
		t.Errorf("still no champion: %+v, %v", d, err)
	}
	modeltest.MakeChampion(t, dir, "other")
	forced := &model.Decision{Promoted: true, Forced: true, Champion: "old"}
	if err := confirm(dir, forced); err != nil || !forced.Promoted {
		t.Errorf("forced: %+v, %v", forced, err)
	}
	if err := confirm(dir, d); err != nil || d.Promoted || !strings.Contains(d.Reason, `"other"`) {
		t.Errorf("another champion: %+v, %v", d, err)
	}
}

func TestRecipe(t *testing.T) {
	t.Parallel()
	v, err := model.Load(modeltest.Write(t, t.TempDir(), planted("v")))
	if err != nil {
		t.Fatal(err)
	}
	own := recipe(v.Manifest.Parameters, Config{DataDir: "d"})
	if !sameRecipe(own, recipe(v.Manifest.Parameters, Config{DataDir: "e", Holdout: 0.3})) {
		t.Error("where the data lies and how much is held out are no part of a recipe")
	}
	for name, change := range map[string]func(*model.Parameters){
		"rank": func(p *model.Parameters) { p.Rank++ }, "iterations": func(p *model.Parameters) { p.Iterations++ }, "reg": func(p *model.Parameters) { p.RegParam++ },
		"alpha": func(p *model.Parameters) { p.Alpha++ }, "seed": func(p *model.Parameters) { p.Seed++ }, "min items": func(p *model.Parameters) { p.MinItems++ },
		"weights": func(p *model.Parameters) { p.EventWeights = map[string]float64{"view": 9} },
		"window":  func(p *model.Parameters) { p.WindowDays++ }, "half-life": func(p *model.Parameters) { p.HalfLifeDays++ }, "popularity's half-life": func(p *model.Parameters) { p.PopularHalfLife++ },
	} {
		p := v.Manifest.Parameters
		change(&p)
		if sameRecipe(own, recipe(p, Config{})) {
			t.Errorf("another %s is the same recipe", name)
		}
	}
}
