package model_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

func TestLoadGivesBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	spec := modeltest.Random("20260101T000000Z-a", 1, 57, 43, 7)
	v, err := model.Load(modeltest.Write(t, t.TempDir(), spec))
	if err != nil {
		t.Fatal(err)
	}
	checkIDs(t, v.Visitors, spec.Visitors)
	checkIDs(t, v.Items, spec.Items)
	checkRows(t, v.Factors.Visitors, spec.VisitorFactors)
	checkRows(t, v.Factors.Items, spec.ItemFactors)
	for i, visitor := range spec.Visitors {
		if p, ok := v.Profiles.Of(int32(i)); !ok || p != spec.Profiles[visitor] || p.Check() != nil {
			t.Errorf("visitor %s has the profile %+v, %v, want %+v", visitor, p, p.Check(), spec.Profiles[visitor])
		}
		var got []modeltest.Pair
		items, strengths := v.Seen.Of(int32(i))
		ages, habits := v.Seen.Ages(int32(i)), v.Seen.Habits(int32(i))
		for j := range items {
			got = append(got, modeltest.Pair{Item: v.Items.Name(items[j]), Strength: strengths[j], Age: ages[j], Habit: habits[j]})
		}
		if !slices.Equal(got, spec.Seen[visitor]) {
			t.Errorf("visitor %s has seen %v, want %v", visitor, got, spec.Seen[visitor])
		}
	}
	for i, item := range spec.Items {
		for _, c := range []struct {
			table *model.Neighbours
			want  []modeltest.Scored
		}{{&v.Near, spec.Near[item]}, {&v.Recent, spec.Recent[item]}} {
			var got []modeltest.Scored
			items, scores := c.table.Of(int32(i))
			for j := range items {
				got = append(got, modeltest.Scored{Item: v.Items.Name(items[j]), Score: float64(scores[j])})
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("item %s is near %v, want %v", item, got, c.want)
			}
		}
	}
	checkCategories(t, v, spec)
	named := func(list model.Popular) (got []modeltest.Scored) {
		for i, item := range list.Items {
			got = append(got, modeltest.Scored{Item: v.Items.Name(item), Score: list.Scores[i]})
		}
		return got
	}
	for event, want := range spec.Popular {
		if got := named(v.Popular[event]); !slices.Equal(got, want) {
			t.Errorf("popular by %s is %v, want %v", event, got, want)
		}
	}
	if got := named(*v.Trending); !slices.Equal(got, spec.Trending) {
		t.Errorf("trending is %v, want %v", got, spec.Trending)
	}
}

// checkCategories compares every branch with what walking up from each item's categories gives.
func checkCategories(t *testing.T, v *model.Version, spec modeltest.Spec) {
	t.Helper()
	if v.Categories.Len() != len(spec.Parents) {
		t.Errorf("%d categories, want %d", v.Categories.Len(), len(spec.Parents))
	}
	for category, parent := range spec.Parents {
		branch, known := v.Categories.Branch(category)
		number, _ := v.Categories.Number(category)
		above, hasParent := v.Categories.Number(parent)
		if !known || hasParent != (parent != "") || hasParent && v.Categories.Parent(number) != above || !hasParent && v.Categories.Parent(number) != -1 {
			t.Errorf("category %s: known %v, parent %d, want %q", category, known, v.Categories.Parent(number), parent)
		}
		var got, want []string
		for _, item := range branch.Items() {
			got = append(got, v.Items.Name(item))
		}
		slices.Sort(got)
		for i, item := range spec.Items {
			in := slices.ContainsFunc(spec.Categories[item], func(c string) bool {
				for ; c != "" && c != category; c = spec.Parents[c] {
				}
				return c != ""
			})
			if in {
				want = append(want, item)
			}
			if branch.Has(int32(i)) != in {
				t.Errorf("item %s is in %s: %v, want %v", item, category, !in, in)
			}
		}
		slices.Sort(want)
		if !slices.Equal(slices.Compact(got), want) {
			t.Errorf("category %s holds %v, want %v", category, got, want)
		}
	}
	if _, known := v.Categories.Branch("nothing"); known {
		t.Error("an unknown category is known")
	}
}

// A version whose items are all wanted as before has an empty list; one that was trained before there were trends has none.
func TestLoadWithoutTrends(t *testing.T) {
	t.Parallel()
	spec := modeltest.Random("x", 1, 5, 9, 2)
	for _, spec.Trending = range [][]modeltest.Scored{{}, nil} {
		v, err := model.Load(modeltest.Write(t, t.TempDir(), spec))
		if err != nil {
			t.Fatal(err)
		}
		if has := v.Trending != nil; has != (spec.Trending != nil) || has && v.Trending.Len() != 0 {
			t.Errorf("trending is %v, want %v", v.Trending, spec.Trending)
		}
	}
}

func TestLoadWithoutCategories(t *testing.T) {
	t.Parallel()
	spec := modeltest.Random("x", 1, 5, 9, 2)
	spec.Parents, spec.Categories = nil, nil
	v, err := model.Load(modeltest.Write(t, t.TempDir(), spec))
	if err != nil {
		t.Fatal(err)
	}
	if _, known := v.Categories.Branch("c0"); known || v.Categories.Len() != 0 || len(v.Categories.Of(3)) != 0 {
		t.Error("there are categories")
	}
}

func checkIDs(t *testing.T, ids *model.IDs, want []string) {
	t.Helper()
	if ids.Len() != len(want) {
		t.Fatalf("%d ids, want %d", ids.Len(), len(want))
	}
	for i, name := range want {
		if number, ok := ids.Number(name); !ok || int(number) != i || ids.Name(number) != name {
			t.Errorf("id %q has number %d, %v, want %d", name, number, ok, i)
		}
	}
	if _, ok := ids.Number("nobody"); ok {
		t.Error("an unknown id has a number")
	}
}

func checkRows(t *testing.T, got model.Rows, want [][]float32) {
	t.Helper()
	if got.Len() != len(want) {
		t.Fatalf("%d rows, want %d", got.Len(), len(want))
	}
	for i, row := range want {
		if !slices.Equal(got.Of(int32(i)), row) {
			t.Errorf("row %d is %v, want %v", i, got.Of(int32(i)), row)
		}
	}
}

// Every damage must be refused with an error that names the file and says why.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const part = "/part-00000-test-c000.snappy.parquet"
	type row struct {
		ID       int32     `parquet:"id"`
		Features []float32 `parquet:"features,list"`
	}
	rows := func(name string, rows ...row) func(t *testing.T, dir string, m *model.Manifest) {
		return func(t *testing.T, dir string, m *model.Manifest) {
			modeltest.WriteTable(t, filepath.Join(dir, name), rows, 1)
		}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string, m *model.Manifest) // before sealing
		after  func(t *testing.T, dir string, m *model.Manifest) // after sealing
		want   []string
	}{
		"no manifest":          {after: remove(model.ManifestName), want: []string{"manifest"}},
		"empty":                {after: write(model.ManifestName, ""), want: []string{"manifest.json", "JSON"}},
		"half JSON":            {after: write(model.ManifestName, `{"schema":1,`), want: []string{"manifest.json", "JSON"}},
		"other schema":         {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Schema = 99 }, want: []string{"manifest.json", "schema 99"}},
		"other name":           {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Version = "y" }, want: []string{"manifest.json", `"y"`}},
		"rank 0":               {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Parameters.Rank = 0 }, want: []string{"manifest.json", "rank 0"}},
		"rank 8":               {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Parameters.Rank = 8 }, want: []string{"Factors/part-", "are not 8 numbers"}},
		"rank 6":               {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Parameters.Rank = 6 }, want: []string{"Factors/part-", "more than 6 numbers"}},
		"rank 1e9":             {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Parameters.Rank = 1e9 }, want: []string{"manifest.json", "rank 1000000000"}},
		"1e18 visitors":        {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Counts.Visitors = 1e18 }, want: []string{"manifest.json", "count of visitors"}},
		"2e9 visitors":         {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Counts.Visitors = 2e9 }, want: []string{"visitors", "20 rows", "2000000000"}},
		"0 items":              {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Counts.Items = 0 }, want: []string{"manifest.json", "count of items"}},
		"21 items":             {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Counts.Items = 21 }, want: []string{"items", "20 rows"}},
		"factors count":        {damage: func(_ *testing.T, _ string, m *model.Manifest) { m.Counts.FactorsItems = 17 }, want: []string{"itemFactors", "18 rows", "17"}},
		"file missing":         {after: remove("seen" + part), want: []string{"seen" + part, "no such file"}},
		"file gone":            {damage: remove("items" + part), want: []string{"items", "no part-*.parquet"}},
		"truncated":            {after: truncate("als/itemFactors" + part), want: []string{"als/itemFactors" + part, "the manifest says"}},
		"bit flipped":          {after: flip("als/userFactors" + part), want: []string{"als/userFactors" + part, "SHA-256"}},
		"truncated and sealed": {damage: truncate("als/itemFactors" + part), want: []string{"als/itemFactors" + part}},
		"emptied and sealed":   {damage: write("popular"+part, ""), want: []string{"popular" + part}},
		"not Parquet":          {damage: write("visitors"+part, "hello"), want: []string{"visitors" + part}},
		"a pipe":               {after: both(pipe("visitors/part-9.parquet"), listed("visitors/part-9.parquet")), want: []string{"visitors/part-9.parquet", "regular"}},
		"path up":              {after: listed("../x/manifest.json"), want: []string{"manifest.json", "../x/manifest.json"}},
		"path absolute":        {after: listed("/etc/passwd"), want: []string{"manifest.json", "/etc/passwd"}},
		"path unclean":         {after: listed("als/../items" + part), want: []string{"manifest.json", "als/../items"}},
		"path backslash":       {after: listed(`als\x`), want: []string{"manifest.json", "plain path"}},
		"listed twice":         {after: listed("items" + part), want: []string{"manifest.json", "twice"}},
		"link out":             {damage: link("/etc/passwd", "als/link"), after: listed("als/link"), want: []string{"als/link"}},
		"NaN":                  {damage: rows("als/userFactors", row{0, []float32{0, 0, 0, 0, 0, 0, nan}}), want: []string{"als/userFactors" + part, "id 0 is NaN"}},
		"infinity":             {damage: rows("als/itemFactors", row{0, []float32{inf, 0, 0, 0, 0, 0, 0}}), want: []string{"als/itemFactors" + part, "id 0 is -Inf"}},
		"short row":            {damage: rows("als/itemFactors", row{0, []float32{1, 2}}, row{1, make([]float32, 7)}), want: []string{"id 0 are not 7"}},
		"empty row":            {damage: rows("als/itemFactors", row{0, nil}, row{1, make([]float32, 7)}), want: []string{"are not 7"}},
		"last row empty":       {damage: rows("als/itemFactors", row{0, make([]float32, 7)}, row{1, nil}), want: []string{"are not 7"}},
		"id beyond":            {damage: rows("als/itemFactors", row{20, make([]float32, 7)}), want: []string{"als/itemFactors" + part, "id 20"}},
		"id negative":          {damage: rows("als/itemFactors", row{-1, make([]float32, 7)}), want: []string{"als/itemFactors" + part, "id -1"}},
		"id twice":             {damage: rows("als/itemFactors", row{1, make([]float32, 7)}, row{1, make([]float32, 7)}), want: []string{"id 1 a second time"}},
		"other columns": {damage: func(t *testing.T, dir string, _ *model.Manifest) {
			modeltest.WriteTable(t, filepath.Join(dir, "als/itemFactors"), []struct {
				ID int32 `parquet:"id"`
			}{{1}}, 1)
		}, want: []string{"als/itemFactors" + part, "features.list.element is missing"}},
		"other type": {damage: func(t *testing.T, dir string, _ *model.Manifest) {
			modeltest.WriteTable(t, filepath.Join(dir, "items"), []struct {
				ID     int64  `parquet:"id"`
				ItemID string `parquet:"itemid"`
			}{{1, "a"}}, 1)
		}, want: []string{"items" + part, "column id has type INT64"}},
		"a null": {damage: func(t *testing.T, dir string, _ *model.Manifest) {
			modeltest.WriteTable(t, filepath.Join(dir, "items"), []struct {
				ID     int32   `parquet:"id"`
				ItemID *string `parquet:"itemid,optional"`
			}{{1, nil}}, 1)
		}, want: []string{"items" + part, "itemid: a null in row 0"}},
		"ids not dense":         {damage: items(append(numbered(19), item{77, "x"})...), want: []string{"items" + part, "id 77"}},
		"ids repeated":          {damage: items(append(numbered(19), item{0, "x"})...), want: []string{"items" + part, "id 0 a second time"}},
		"name repeated":         {damage: items(append(numbered(19), item{19, "n0"})...), want: []string{"items", `"n0" has the numbers 0 and 19`}},
		"name empty":            {damage: items(append(numbered(19), item{19, ""})...), want: []string{"items", "itemid is empty"}},
		"seen item":             {damage: seen(seenRow{0, []int32{20}, []float32{1}, []float32{1}, []float32{1}}), want: []string{"seen" + part, "item 20"}},
		"seen lengths":          {damage: seen(seenRow{0, []int32{1, 2}, []float32{1}, []float32{1, 1}, []float32{1, 1}}), want: []string{"seen" + part, "2 items and 1 strengths"}},
		"seen strength":         {damage: seen(seenRow{0, []int32{1}, []float32{nan}, []float32{1}, []float32{1}}), want: []string{"seen" + part, "NaN"}},
		"seen visitor":          {damage: seen(seenRow{20, []int32{1}, []float32{1}, []float32{1}, []float32{1}}), want: []string{"seen" + part, "visitor 20"}},
		"seen twice":            {damage: seen(seenRow{1, []int32{1}, []float32{1}, []float32{1}, []float32{1}}, seenRow{1, []int32{2}, []float32{1}, []float32{1}, []float32{1}}), want: []string{"seen" + part, "visitor 1 a second time"}},
		"popular item":          {damage: popular(popularRow{"all", 20, 1}), want: []string{"popular" + part, "item 20"}},
		"popular score":         {damage: popular(popularRow{"all", 1, math.Inf(1)}), want: []string{"popular" + part, "+Inf"}},
		"popular twice":         {damage: popular(popularRow{"all", 1, 2}, popularRow{"all", 1, 1}), want: []string{"popular", "item 1", "second time"}},
		"trending item":         {damage: trending(trendingRow{20, 2}), want: []string{"trending" + part, "item 20"}},
		"trending score":        {damage: trending(trendingRow{1, math.NaN()}), want: []string{"trending" + part, "NaN"}},
		"trending twice":        {damage: trending(trendingRow{1, 2}, trendingRow{1, 3}), want: []string{"trending", "item 1", "second time"}},
		"half the categories":   {damage: removeAll("item_categories"), want: []string{"item_categories", "no part-*.parquet"}},
		"category twice":        {damage: tree(category{"a", ""}, category{"a", ""}), want: []string{"categories", `"a"`}},
		"category empty":        {damage: tree(category{"", ""}), want: []string{"categories", "empty"}},
		"parent unknown":        {damage: tree(category{"a", "b"}), want: []string{"categories", `"b"`, "not in the table"}},
		"own parent":            {damage: tree(category{"a", ""}, category{"b", "b"}), want: []string{"categories", "1 of 2", "circle"}},
		"circle":                {damage: tree(category{"a", "b"}, category{"b", "c"}, category{"c", "a"}), want: []string{"categories", "circle"}},
		"in no category":        {damage: members(member{3, "nowhere"}), want: []string{"item_categories" + part, `"nowhere"`}},
		"categorised item":      {damage: members(member{20, "c0"}), want: []string{"item_categories" + part, "item 20"}},
		"categorised item less": {damage: members(member{-1, "c0"}), want: []string{"item_categories" + part, "item -1"}},
		"categorised twice":     {damage: members(member{3, "c0"}, member{3, "c0"}), want: []string{"item_categories", "item 3", "second time"}},
		"profile beyond":        {damage: profiles(soundProfile(20)), want: []string{"profiles" + part, "visitor 20"}},
		"profile negative":      {damage: profiles(soundProfile(-1)), want: []string{"profiles" + part, "visitor -1"}},
		"profile twice":         {damage: profiles(soundProfile(3), soundProfile(3)), want: []string{"profiles" + part, "visitor 3 a second time"}},
		"profile impossible":    {damage: profiles(changed(soundProfile(3), "viewed_items", 9)), want: []string{"profiles" + part, "visitor 3", "viewed_items is more than views"}},
		"profile below zero":    {damage: profiles(changed(soundProfile(3), "weekend", -1)), want: []string{"profiles" + part, "weekend is -1"}},
		"profile absurd":        {damage: profiles(changed(soundProfile(3), "views", 1<<62)), want: []string{"profiles" + part, "views is 4611686018427387904"}},
		"profile columns": {damage: table("profiles", []struct {
			Visitor int32 `parquet:"visitor"`
		}{{1}}), want: []string{"profiles" + part, "first_seen is missing"}},
		"profiles cut":     {damage: truncate("profiles" + part), want: []string{"profiles" + part}},
		"model not listed": {after: both(mkdir("purchase/data"), write("purchase/data/part-0", "x")), want: []string{"purchase/data/part-0", "does not list it"}},
		"popular nothing":  {damage: popular(popularRow{"view", 1, 1}), want: []string{"popular", `"all"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := modeltest.Write(t, t.TempDir(), modeltest.Random("x", 3, 20, 20, 7))
			m, err := model.ReadManifest(dir)
			if err != nil {
				t.Fatal(err)
			}
			if c.damage != nil {
				c.damage(t, dir, m)
				modeltest.Seal(t, dir, *m)
				if m, err = readManifest(dir); err != nil {
					t.Fatal(err)
				}
			}
			if c.after != nil {
				c.after(t, dir, m)
			}
			_, err = model.Load(dir)
			if !errors.Is(err, model.ErrBadVersion) {
				t.Fatalf("loading gave %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}

// Whatever happens to the bytes of a table, loading must end in an error or in a version, never in a panic.
func TestLoadSurvivesDamageBehindChecksums(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	models := t.TempDir()
	dir := modeltest.Write(t, models, modeltest.Random("x", 3, 20, 20, 7))
	m, err := model.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	var refused int
	for range 300 {
		file := m.Files[r.IntN(len(m.Files))]
		path := filepath.Join(dir, file.Path)
		if file.Bytes == 0 {
			continue
		}
		sound, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damaged := slices.Clone(sound)
		if r.IntN(2) == 0 {
			damaged = damaged[:r.IntN(len(damaged))]
		}
		for range r.IntN(4) {
			if len(damaged) > 0 {
				damaged[r.IntN(len(damaged))] ^= 1 << r.IntN(8)
			}
		}
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		modeltest.Seal(t, dir, *m)
		if _, err := model.Load(dir); err != nil {
			refused++
			if !errors.Is(err, model.ErrBadVersion) {
				t.Errorf("the error is not ErrBadVersion: %v", err)
			}
		}
		if err := os.WriteFile(path, sound, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if refused < 100 {
		t.Errorf("only %d of 300 damaged versions were refused", refused)
	}
	modeltest.Seal(t, dir, *m)
	if _, err := model.Load(dir); err != nil {
		t.Errorf("the sound version is refused: %v", err)
	}
}

func TestChampion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := model.Champion(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without LATEST: %v", err)
	}
	modeltest.MakeChampion(t, dir, "20260101T000000Z-abc")
	if name, err := model.Champion(dir); err != nil || name != "20260101T000000Z-abc" {
		t.Errorf("got %q, %v", name, err)
	}
	for _, bad := range []string{"", ".", "..", "../x", "a/b", `a\b`, "/etc", ".hidden", "a\nb", "a\x00", strings.Repeat("x", 200), "ä"} {
		modeltest.MakeChampion(t, dir, bad)
		if name, err := model.Champion(dir); !errors.Is(err, model.ErrBadVersion) {
			t.Errorf("LATEST with %q gave %q, %v", bad, name, err)
		}
	}
}

func TestListPutsTheNewestFirst(t *testing.T) {
	t.Parallel()
	models := filepath.Join(t.TempDir(), "models")
	if all, err := model.List(models); err != nil || len(all) != 0 {
		t.Errorf("without a folder: %v, %v", all, err)
	}
	for _, name := range []string{"2026-b", "2025-a", "2027-c"} {
		modeltest.Write(t, models, modeltest.Random(name, 1, 2, 3, 2))
	}
	modeltest.MakeChampion(t, models, "2026-b")
	remove(model.ManifestName)(t, filepath.Join(models, "2025-a"), nil)
	if err := os.Mkdir(filepath.Join(models, ".tmp-2028"), 0o755); err != nil {
		t.Fatal(err)
	}
	all, err := model.List(models)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range all {
		got = append(got, fmt.Sprint(l.Name, l.Err == nil))
	}
	if want := []string{"2027-ctrue", "2026-btrue", "2025-afalse"}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}
