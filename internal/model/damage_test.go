package model_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/sys/unix"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

type (
	item struct {
		ID     int32  `parquet:"id"`
		ItemID string `parquet:"itemid"`
	}
	seenRow struct {
		Visitor   int32     `parquet:"visitor"`
		Items     []int32   `parquet:"items,list"`
		Strengths []float32 `parquet:"strengths,list"`
		Ages      []float32 `parquet:"ages,list"`
		Habits    []float32 `parquet:"habits,list"`
	}
	popularRow struct {
		Event string  `parquet:"event"`
		Item  int32   `parquet:"item"`
		Score float64 `parquet:"score"`
	}
	trendingRow struct {
		Item  int32   `parquet:"item"`
		Score float64 `parquet:"score"`
	}
	category struct {
		Category string `parquet:"category"`
		Parent   string `parquet:"parent,optional"`
	}
	member struct {
		Item     int32  `parquet:"item"`
		Category string `parquet:"category"`
	}
	change = func(t *testing.T, dir string, m *model.Manifest)
)

func table[T any](name string, rows []T) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		modeltest.WriteTable(t, filepath.Join(dir, name), rows, 1)
	}
}
func items(rows ...item) change           { return table("items", rows) }
func seen(rows ...seenRow) change         { return table("seen", rows) }
func tree(rows ...category) change        { return table("categories", rows) }
func members(rows ...member) change       { return table("item_categories", rows) }
func popular(rows ...popularRow) change   { return table("popular", rows) }
func trending(rows ...trendingRow) change { return table("trending", rows) }

// profiles writes a table of profiles, each as its visitor and the numbers of model.ProfileColumns.
func profiles(rows ...map[string]int64) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		group := parquet.Group{"visitor": parquet.Leaf(parquet.Int32Type)}
		for _, name := range model.ProfileColumns {
			group[name] = parquet.Leaf(parquet.Int64Type)
		}
		var all []map[string]any
		for _, row := range rows {
			one := map[string]any{}
			for name, n := range row {
				one[name] = n
			}
			one["visitor"] = int32(row["visitor"])
			all = append(all, one)
		}
		removeAll("profiles")(t, dir, nil)
		mkdir("profiles")(t, dir, nil)
		file, err := os.Create(filepath.Join(dir, "profiles/part-00000-test-c000.snappy.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		w := parquet.NewGenericWriter[map[string]any](file, parquet.NewSchema("spark_schema", group))
		if _, err := w.Write(all); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func soundProfile(visitor int64) map[string]int64 {
	row := map[string]int64{"visitor": visitor}
	for _, name := range model.ProfileColumns {
		row[name] = 0
	}
	for _, name := range []string{"first_seen", "last_seen", "views", "items", "viewed_items", "sessions"} {
		row[name] = 1
	}
	return row
}

func changed(row map[string]int64, name string, n int64) map[string]int64 {
	row[name] = n
	return row
}

func mkdir(name string) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func numbered(n int) (rows []item) {
	for i := range n {
		rows = append(rows, item{int32(i), fmt.Sprint("n", i)})
	}
	return rows
}

func remove(name string) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func removeAll(name string) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func write(name, data string) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func truncate(name string) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, info.Size()/2); err != nil {
			t.Fatal(err)
		}
	}
}

func flip(name string) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func link(to, name string) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// listed adds a file to the manifest as it is on disk.
func listed(path string) change {
	return func(t *testing.T, dir string, m *model.Manifest) {
		m.Files = append(m.Files, model.File{Path: path})
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		write(model.ManifestName, string(data))(t, dir, m)
	}
}

// readManifest reads what Seal wrote without the checks under test.
func readManifest(dir string) (*model.Manifest, error) {
	data, err := os.ReadFile(filepath.Join(dir, model.ManifestName))
	if err != nil {
		return nil, err
	}
	var m model.Manifest
	return &m, json.Unmarshal(data, &m)
}

// pipe puts a named pipe where a file should be: a reader that opens it would wait for ever. Sealing must not meet it.
func pipe(name string) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func both(a, b change) change {
	return func(t *testing.T, dir string, m *model.Manifest) {
		a(t, dir, m)
		b(t, dir, m)
	}
}
