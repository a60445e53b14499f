// Package modeltest writes small model versions for tests, in the layout and with the Parquet schemas that Spark gives them.
package modeltest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"

	"cartwheel/internal/durable"
	"cartwheel/internal/model"
)

// Spec is a version to be written. Rows of factors that are nil are left out, as Spark leaves out what it never trained on.
type Spec struct {
	Name           string
	Rank           int
	Visitors       []string
	Items          []string
	VisitorFactors [][]float32
	ItemFactors    [][]float32
	Seen           map[string][]Pair   // by visitor, newest first
	Near           map[string][]Scored // by item, best first
	Recent         map[string][]Scored // likewise
	Popular        map[string][]Scored
	Trending       []Scored                 // best first; nil leaves the table out
	Parents        map[string]string        // by category; "" at a root; nil leaves the tables of categories out
	Categories     map[string][]string      // by item
	Profiles       map[string]model.Profile // by visitor; nil leaves out profiles and all that follows from them
	Features       []string                 // of visitors, as the program knows them; nil leaves out the purchase model and the segments
	Alpha          float64
	RegParam       float64
	EventWeights   map[string]float64
	Blends         model.Blends
}

// Pair is an item that a visitor has touched.
type Pair struct {
	Item     string
	Strength float32
	Age      float32 // days
	Habit    float32
}

// Scored is an item of a list of popular or trending ones.
type Scored struct {
	Item  string
	Score float64
}

// Random returns a version of visitors v0, v1, … and items i0, i1, … with random factors for all but each tenth of them, a few
// items seen by each visitor, profiles, every second item among the popular ones and every third among the trending ones. Categories c0, c1, … make a tree in which c0 is above
// all; an item is in up to two.
func Random(name string, seed uint64, visitors, items, rank int) Spec {
	r := rand.New(rand.NewPCG(seed, 1))
	spec := Spec{Name: name, Rank: rank, Alpha: 1, RegParam: 0.1, Seen: map[string][]Pair{}, Near: map[string][]Scored{}, Recent: map[string][]Scored{}, Popular: map[string][]Scored{},
		EventWeights: map[string]float64{"view": 1, "addtocart": 3, "transaction": 5}}
	spec.Visitors, spec.VisitorFactors = random(r, "v", visitors, rank)
	spec.Items, spec.ItemFactors = random(r, "i", items, rank)
	for i, item := range spec.Items {
		for rank := range r.IntN(4) {
			spec.Near[item] = append(spec.Near[item], Scored{spec.Items[(i+rank*7)%items], 1 / float64(int(1)<<rank)})
			spec.Recent[item] = append(spec.Recent[item], Scored{spec.Items[(i+rank*11)%items], 3 / float64(int(1)<<rank)})
		}
	}
	spec.Profiles = map[string]model.Profile{}
	for _, visitor := range spec.Visitors {
		first := r.IntN(items)
		for i := range min(items, 1+r.IntN(4)) {
			item := spec.Items[(first+i)%items]
			spec.Seen[visitor] = append(spec.Seen[visitor], Pair{item, float32(1 + r.IntN(5)), float32(r.IntN(100)), float32(1 + r.IntN(3))})
		}
		spec.Profiles[visitor] = randomProfile(r, int64(len(spec.Seen[visitor])))
	}
	spec.Parents, spec.Categories = map[string]string{"c0": ""}, map[string][]string{}
	for i := range items / 4 {
		spec.Parents[fmt.Sprint("c", i+1)] = fmt.Sprint("c", i/2)
	}
	for i, item := range spec.Items {
		for c := range min(i%7%3, len(spec.Parents)) {
			spec.Categories[item] = append(spec.Categories[item], fmt.Sprint("c", (i*5+c)%len(spec.Parents)))
		}
	}
	for _, event := range []string{model.PopularAll, "view", "addtocart", "transaction"} {
		for i, item := range r.Perm(items)[:(items+1)/2] {
			spec.Popular[event] = append(spec.Popular[event], Scored{spec.Items[item], float64(items - i)})
		}
	}
	for i, item := range r.Perm(items)[:(items+2)/3] {
		spec.Trending = append(spec.Trending, Scored{spec.Items[item], 1 + 1/float64(1+i)})
	}
	return spec
}

func random(r *rand.Rand, prefix string, n, rank int) (names []string, rows [][]float32) {
	for i := range n {
		names = append(names, fmt.Sprint(prefix, i))
		var row []float32
		if i%10 != 9 {
			for range rank {
				row = append(row, float32(r.NormFloat64()/4))
			}
		}
		rows = append(rows, row)
	}
	return names, rows
}

// The rows as Spark writes them.
type (
	factorRow struct {
		ID       int32     `parquet:"id"`
		Features []float32 `parquet:"features,list"`
	}
	visitorRow struct {
		ID        int32  `parquet:"id"`
		VisitorID string `parquet:"visitorid,optional"`
	}
	itemRow struct {
		ID     int32  `parquet:"id"`
		ItemID string `parquet:"itemid,optional"`
	}
	seenRow struct {
		Visitor   int32     `parquet:"visitor"`
		Items     []int32   `parquet:"items,list"`
		Strengths []float32 `parquet:"strengths,list"`
		Ages      []float32 `parquet:"ages,list"`
		Habits    []float32 `parquet:"habits,list"`
	}
	neighboursRow struct {
		Item   int32     `parquet:"item"`
		Items  []int32   `parquet:"items,list"`
		Scores []float32 `parquet:"scores,list"`
	}
	popularRow struct {
		Event string  `parquet:"event,optional"`
		Item  int32   `parquet:"item"`
		Score float64 `parquet:"score"`
	}
	trendingRow struct {
		Item  int32   `parquet:"item"`
		Score float64 `parquet:"score"`
	}
	categoryRow struct {
		Category string  `parquet:"category,optional"`
		Parent   *string `parquet:"parent,optional"`
	}
	itemCategoryRow struct {
		Item     int32  `parquet:"item"`
		Category string `parquet:"category,optional"`
	}
)

// Write writes the version under modelsDir, manifest included, and returns its folder. It does not make it the champion.
func Write(tb testing.TB, modelsDir string, spec Spec) string {
	tb.Helper()
	dir := filepath.Join(modelsDir, spec.Name)
	items := numbers(spec.Items)
	var (
		visitorRows []visitorRow
		itemRows    []itemRow
		seenRows    []seenRow
		popularRows []popularRow
		pairs       int64
	)
	for i, id := range spec.Visitors {
		visitorRows = append(visitorRows, visitorRow{int32(i), id})
		row := seenRow{Visitor: int32(i)}
		for _, pair := range spec.Seen[id] {
			row.Items = append(row.Items, items[pair.Item])
			row.Strengths = append(row.Strengths, pair.Strength)
			row.Ages = append(row.Ages, pair.Age)
			row.Habits = append(row.Habits, pair.Habit)
		}
		if len(row.Items) > 0 {
			seenRows = append(seenRows, row)
		}
		pairs += int64(len(row.Items))
	}
	for i, id := range spec.Items {
		itemRows = append(itemRows, itemRow{int32(i), id})
	}
	for event, list := range spec.Popular {
		for _, scored := range list {
			popularRows = append(popularRows, popularRow{event, items[scored.Item], scored.Score})
		}
	}
	userFactors, itemFactors := factorRows(spec.VisitorFactors), factorRows(spec.ItemFactors)
	WriteTable(tb, filepath.Join(dir, "als/userFactors"), userFactors, 3)
	WriteTable(tb, filepath.Join(dir, "als/itemFactors"), itemFactors, 2)
	WriteTable(tb, filepath.Join(dir, "visitors"), visitorRows, 2)
	WriteTable(tb, filepath.Join(dir, "items"), itemRows, 1)
	WriteTable(tb, filepath.Join(dir, "seen"), seenRows, 2)
	WriteTable(tb, filepath.Join(dir, "neighbours"), neighbourRows(spec.Near, items), 2)
	WriteTable(tb, filepath.Join(dir, "recent_neighbours"), neighbourRows(spec.Recent, items), 1)
	WriteTable(tb, filepath.Join(dir, "popular"), popularRows, 1)
	if spec.Trending != nil {
		var rows []trendingRow
		for _, scored := range spec.Trending {
			rows = append(rows, trendingRow{items[scored.Item], scored.Score})
		}
		WriteTable(tb, filepath.Join(dir, "trending"), rows, 2)
	}
	if spec.Parents != nil {
		var categoryRows []categoryRow
		for category, parent := range spec.Parents {
			row := categoryRow{Category: category}
			if parent != "" {
				row.Parent = &parent
			}
			categoryRows = append(categoryRows, row)
		}
		var memberRows []itemCategoryRow
		for item, categories := range spec.Categories {
			for _, category := range categories {
				memberRows = append(memberRows, itemCategoryRow{items[item], category})
			}
		}
		WriteTable(tb, filepath.Join(dir, "categories"), categoryRows, 2)
		WriteTable(tb, filepath.Join(dir, "item_categories"), memberRows, 2)
	}
	m := model.Manifest{
		Schema: model.Schema, Version: spec.Name, CreatedAt: End, SparkVersion: "4.1.2",
		Parameters: model.Parameters{Rank: spec.Rank, Iterations: 10, RegParam: spec.RegParam, Alpha: spec.Alpha, EventWeights: spec.EventWeights, Blends: spec.Blends},
		Counts: model.Counts{Visitors: int64(len(spec.Visitors)), Items: int64(len(spec.Items)), Pairs: pairs,
			FactorsUsers: int64(len(userFactors)), FactorsItems: int64(len(itemFactors))},
		Data:     model.DataRange{From: End.AddDate(0, -4, 0), To: End, HoldoutStart: End.AddDate(0, 0, -7)},
		Metrics:  map[string]model.Measurement{"als": {Cases: 1, Values: map[string]model.Interval{"ndcg@10": {Mean: 0.5, Low: 0.4, High: 0.6}}}},
		Decision: &model.Decision{Promoted: true, Reason: "better than popularity"},
	}
	foretell(tb, dir, spec, &m)
	Seal(tb, dir, m)
	return dir
}

// Seal writes the manifest of a version with the files as they are now. A test that has damaged a file seals it again where the
// damage must get past the checksums.
func Seal(tb testing.TB, dir string, m model.Manifest) {
	tb.Helper()
	m.Files = nil
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || d.IsDir() || name == model.ManifestName {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		m.Files = append(m.Files, model.File{Path: filepath.ToSlash(name), Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
		return nil
	})
	if err != nil {
		tb.Fatalf("listing the version: %v", err)
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		tb.Fatalf("encoding the manifest: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, model.ManifestName), data, 0o644); err != nil {
		tb.Fatalf("writing the manifest: %v", err)
	}
}

// MakeChampion points LATEST at a version, or at whatever name says.
func MakeChampion(tb testing.TB, modelsDir, name string) {
	tb.Helper()
	if err := os.MkdirAll(modelsDir, 0o755); err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(modelsDir, model.LatestName)
	temporary := filepath.Join(modelsDir, durable.TempPrefix+"LATEST")
	if err := os.WriteFile(temporary, []byte(name+"\n"), 0o644); err != nil {
		tb.Fatalf("writing LATEST: %v", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		tb.Fatalf("writing LATEST: %v", err)
	}
}

// WriteTable writes rows into a number of part files, compressed in turn as Spark may be told to, beside Spark's marker.
func WriteTable[T any](tb testing.TB, dir string, rows []T, parts int) {
	tb.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	for part := range parts {
		name := filepath.Join(dir, fmt.Sprintf("part-%05d-test-c000.snappy.parquet", part))
		from, to := part*len(rows)/parts, (part+1)*len(rows)/parts
		compression := parquet.Compression(&parquet.Snappy)
		if part%2 == 1 {
			compression = parquet.Compression(&parquet.Zstd)
		}
		if err := parquet.WriteFile(name, rows[from:to], compression, parquet.DataPageVersion(1)); err != nil {
			tb.Fatalf("writing %s: %v", name, err)
		}
	}
	for _, marker := range []string{"_SUCCESS", "._SUCCESS.crc"} {
		if err := os.WriteFile(filepath.Join(dir, marker), nil, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
}

func neighbourRows(near map[string][]Scored, items map[string]int32) (rows []neighboursRow) {
	for id, list := range near {
		row := neighboursRow{Item: items[id]}
		for _, scored := range list {
			row.Items = append(row.Items, items[scored.Item])
			row.Scores = append(row.Scores, float32(scored.Score))
		}
		rows = append(rows, row)
	}
	return rows
}

func factorRows(rows [][]float32) []factorRow {
	var all []factorRow
	for i, row := range rows {
		if row != nil {
			all = append(all, factorRow{int32(i), row})
		}
	}
	return all
}

func numbers(names []string) map[string]int32 {
	m := map[string]int32{}
	for i, name := range names {
		m[name] = int32(i)
	}
	return m
}
