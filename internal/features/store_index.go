package features

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cartwheel/internal/durable"

	"github.com/parquet-go/parquet-go"
)

// indexName is the file that says which parts the store has. A folder that it does not name is not part of the store.
const indexName = "index.json"

const indexSchema = 1

// index is what the store holds.
type index struct {
	Schema int    `json:"schema"`
	Parts  []part `json:"parts"`
	Erased string `json:"erased,omitempty"` // erasure.List.Sum of the visitors who were left out
}

// part is a folder of Parquet files: the events of some batch files that no earlier part has.
type part struct {
	Name    string           `json:"name"`
	Events  int64            `json:"events"`
	Batches []batchFile      `json:"batch_files"`
	Files   map[string]int64 `json:"files"` // name to bytes
}

// readIndex returns what the store holds, or nothing and why it must be made anew. A store that was never made holds nothing.
func readIndex(dir string) (ix *index, why string, err error) {
	data, err := os.ReadFile(filepath.Join(dir, indexName))
	if errors.Is(err, fs.ErrNotExist) {
		return &index{}, "", nil
	} else if err != nil {
		return nil, "", fmt.Errorf("opening the store of events: %w", err)
	}
	ix = &index{}
	if err := json.Unmarshal(data, ix); err != nil {
		return &index{}, fmt.Sprintf("%s is damaged: %v", indexName, err), nil
	}
	if ix.Schema != indexSchema {
		return &index{}, fmt.Sprintf("%s has schema %d, this program knows %d", indexName, ix.Schema, indexSchema), nil
	}
	for _, p := range ix.Parts {
		files, err := parquetFiles(filepath.Join(dir, p.Name))
		if err != nil {
			return nil, "", err
		}
		for name, bytes := range p.Files {
			if at, ok := files[name]; !ok || at != bytes {
				return &index{}, fmt.Sprintf("its file %s is missing or has another size", filepath.Join(p.Name, name)), nil
			}
		}
		if len(files) != len(p.Files) {
			return &index{}, fmt.Sprintf("its folder %s holds files that do not belong there", p.Name), nil
		}
	}
	return ix, "", nil
}

func (ix *index) write(dir string) error {
	ix.Schema = indexSchema
	text, err := json.Marshal(ix)
	if err != nil {
		return fmt.Errorf("writing the store's index: %w", err)
	}
	return durable.WriteFile(filepath.Join(dir, indexName), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// parquetFiles lists a part's files with their sizes. A folder that does not exist has none.
func parquetFiles(dir string) (map[string]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing a part of the store: %w", err)
	}
	files := map[string]int64{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".parquet") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("listing a part of the store: %w", err)
		}
		files[e.Name()] = info.Size()
	}
	return files, nil
}

// CountRows counts the rows of a folder of Parquet files by what their ends say, without the cluster.
func CountRows(dir string) (int64, error) {
	_, rows, err := countParquet(dir)
	return rows, err
}

// countParquet lists a part's files, and counts their rows by what their ends say.
func countParquet(dir string) (files map[string]int64, rows int64, err error) {
	if files, err = parquetFiles(dir); err != nil {
		return nil, 0, err
	}
	for name, size := range files {
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, 0, fmt.Errorf("counting the store's events: %w", err)
		}
		parsed, err := parquet.OpenFile(file, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		if err == nil {
			rows += parsed.NumRows()
		}
		_ = file.Close()
		if err != nil {
			return nil, 0, fmt.Errorf("counting the store's events in %s: %w", name, err)
		}
	}
	return files, rows, nil
}

// clean removes from the store's folder what the index does not name: what was replaced, and what a training that died left behind.
func (ix *index) clean(dir string) error {
	named := map[string]bool{indexName: true}
	for _, p := range ix.Parts {
		named[p.Name] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing the store: %w", err)
	}
	for _, e := range entries {
		if named[e.Name()] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("clearing the store: %w", err)
		}
	}
	return nil
}

// batches returns the batch files that are in the store, by name.
func (ix *index) batches() map[string]batchFile {
	all := map[string]batchFile{}
	for _, p := range ix.Parts {
		for _, f := range p.Batches {
			all[f.Name] = f
		}
	}
	return all
}

func (ix *index) rows() (n int64) {
	for _, p := range ix.Parts {
		for _, f := range p.Batches {
			n += f.Rows
		}
	}
	return n
}

// erased counts the rows of erased visitors.
func (ix *index) erased() (n int64) {
	for _, p := range ix.Parts {
		for _, f := range p.Batches {
			n += f.Erased
		}
	}
	return n
}

// repeats counts the rows that repeat another one's event.
func (ix *index) repeats() int64 { return ix.rows() - ix.erased() - ix.events() }

func (ix *index) events() (n int64) {
	for _, p := range ix.Parts {
		n += p.Events
	}
	return n
}

// compare returns the files that the store has not, and what of it has been removed or changed since.
func (ix *index) compare(ctx context.Context, dir string, now []batchFile) (fresh []batchFile, gone []string, err error) {
	stored := ix.batches()
	for _, f := range now {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		old, ok := stored[f.Name]
		delete(stored, f.Name)
		switch {
		case !ok:
			fresh = append(fresh, f)
		case old.Bytes != f.Bytes:
			gone = append(gone, f.Name+" has changed")
		case old.Modified != f.Modified:
			same, err := sameContents(dir, old)
			if err != nil {
				return nil, nil, err
			}
			if !same {
				gone = append(gone, f.Name+" has changed")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		gone = append(gone, name+" is not there any more")
	}
	return fresh, gone, nil
}
