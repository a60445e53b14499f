package model_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

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
func items(rows ...item) change         { return table("items", rows) }
func seen(rows ...seenRow) change       { return table("seen", rows) }
func tree(rows ...category) change      { return table("categories", rows) }
func members(rows ...member) change     { return table("item_categories", rows) }
func popular(rows ...popularRow) change { return table("popular", rows) }

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
