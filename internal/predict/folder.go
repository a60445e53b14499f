package predict

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// maxRows bounds a table of a model: a thousand trees of depth 12 have eight million nodes.
const maxRows = 1 << 24

// folder is a model as Spark's writer leaves it: metadata/part-*, a line of JSON, and tables of Parquet.
type folder struct {
	root *os.Root // no name, and no symbolic link, leads out of it
	meta metadata
}

// metadata is the part of Spark's metadata that predictions depend on.
type metadata struct {
	Class       string                     `json:"class"`
	ParamMap    map[string]json.RawMessage `json:"paramMap"`
	DefaultMap  map[string]json.RawMessage `json:"defaultParamMap"`
	NumFeatures int                        `json:"numFeatures"` // of trees
	NumClasses  int                        `json:"numClasses"`  // of random forests
	NumTrees    int                        `json:"numTrees"`    // of trees
}

// param reads a parameter, as it was set or else its default.
func (m *metadata) param(name string, into any) error {
	text, ok := m.ParamMap[name]
	if !ok {
		if text, ok = m.DefaultMap[name]; !ok {
			return fmt.Errorf("metadata: the parameter %s is missing", name)
		}
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("metadata: the parameter %s is %.40s", name, text)
	}
	return nil
}

// load opens a folder, reads its metadata and has read make the model from it. Errors name the folder.
func load[T any](dir string, read func(*folder) (T, error)) (model T, err error) {
	defer func() {
		// parquet-go indexes into what a file says about itself and panics on some damaged files.
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s: a file is damaged: %v", ErrBadModel, dir, p)
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return model, fmt.Errorf("%w: opening the folder: %w", ErrBadModel, err)
	}
	defer root.Close()
	f := &folder{root: root}
	if err := f.readMetadata(); err != nil {
		return model, fmt.Errorf("%w: %s: %w", ErrBadModel, dir, err)
	}
	if model, err = read(f); err != nil {
		return model, fmt.Errorf("%w: %s: %w", ErrBadModel, dir, err)
	}
	return model, nil
}

func (f *folder) expect(class string) error {
	if f.meta.Class != class {
		return fmt.Errorf("metadata: the class is %.100q, not %s", f.meta.Class, class)
	}
	return nil
}

func (f *folder) readMetadata() error {
	parts, err := f.parts("metadata")
	if err != nil {
		return err
	}
	const most = 1 << 20
	file, err := f.open(parts[0])
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return fmt.Errorf("reading %s: %w", parts[0], err)
	}
	if err := json.Unmarshal(text, &f.meta); err != nil {
		return fmt.Errorf("%s is not valid JSON: %w", parts[0], err)
	}
	return nil
}

// parts lists the data files of a table in Spark's order.
func (f *folder) parts(table string) ([]string, error) {
	entries, err := fs.ReadDir(f.root.FS(), table)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", table, err)
	}
	var parts []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "part-") {
			parts = append(parts, table+"/"+entry.Name())
		}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("%s has no part-* file", table)
	}
	slices.Sort(parts)
	return parts, nil
}

// open opens a file but no pipe or device, on which opening would wait for ever.
func (f *folder) open(name string) (*os.File, error) {
	info, err := f.root.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("opening %s: not a regular file", name)
	}
	return f.root.Open(name)
}

// readTable reads all rows of a table. A column of T that a file lacks, or has with another type, is an error: parquet-go itself
// would leave the field zero.
func readTable[T any](f *folder, table string) ([]T, error) {
	parts, err := f.parts(table)
	if err != nil {
		return nil, err
	}
	var all []T
	for _, name := range parts {
		rows, err := readPart[T](f, name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		all = append(all, rows...)
	}
	return all, nil
}

func readPart[T any](f *folder, name string) ([]T, error) {
	file, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	parsed, err := parquet.OpenFile(file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	if rows := parsed.NumRows(); rows < 0 || rows > min(maxRows, 4096*info.Size()) {
		return nil, fmt.Errorf("%d bytes cannot hold %d rows", info.Size(), rows)
	}
	wanted := parquet.SchemaOf(new(T))
	for _, column := range wanted.Columns() {
		want, _ := wanted.Lookup(column...)
		got, ok := parsed.Schema().Lookup(column...)
		if !ok {
			return nil, fmt.Errorf("the column %s is missing", strings.Join(column, "."))
		}
		if got.Node.Type().Kind() != want.Node.Type().Kind() {
			return nil, fmt.Errorf("the column %s has type %v, not %v", strings.Join(column, "."), got.Node.Type(), want.Node.Type())
		}
	}
	reader := parquet.NewGenericReader[T](parsed)
	defer reader.Close()
	rows := make([]T, parsed.NumRows())
	n, err := reader.Read(rows)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if n != len(rows) {
		return nil, fmt.Errorf("it has %d rows, its footer says %d", n, len(rows))
	}
	return rows, nil
}

// one reads a table that must have a single row.
func one[T any](f *folder, table string) (row T, err error) {
	rows, err := readTable[T](f, table)
	if err != nil {
		return row, err
	}
	if len(rows) != 1 {
		return row, fmt.Errorf("the table %s has %d rows, not one", table, len(rows))
	}
	return rows[0], nil
}
