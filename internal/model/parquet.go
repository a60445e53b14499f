package model

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"sort"
	"strings"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"
)

// table is a folder of Parquet files as Spark writes it: part-*.parquet beside markers and checksums that are not data.
type table struct {
	root  *os.Root // no name, and no symbolic link, leads out of it
	name  string   // the folder, relative to root
	parts []string // file names relative to root, in Spark's order
}

// newTable picks the table's parts out of a list of file names.
func newTable(root *os.Root, name string, files []string) (table, error) {
	t := table{root: root, name: name}
	for _, file := range files {
		dir, base := path.Split(file)
		if path.Clean(dir) == path.Clean(name) && strings.HasPrefix(base, "part-") && strings.HasSuffix(base, ".parquet") {
			t.parts = append(t.parts, file)
		}
	}
	if len(t.parts) == 0 {
		return t, fmt.Errorf("%w: the table %s has no part-*.parquet file", ErrBadVersion, name)
	}
	sort.Strings(t.parts)
	return t, nil
}

// hasTable reports whether a version has a table that it need not have.
func hasTable(name string, files []string) bool {
	return slices.ContainsFunc(files, func(file string) bool { return strings.HasPrefix(file, name+"/") })
}

// each calls read for every part, several at a time. Errors, and panics too, come back as errors that name the file.
func (t table) each(read func(i int, f *parquetFile) error) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range t.parts {
		group.Go(func() error {
			if err := t.readPart(name, func(f *parquetFile) error { return read(i, f) }); err != nil {
				return fmt.Errorf("%w: reading %s: %w", ErrBadVersion, name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (t table) readPart(name string, read func(*parquetFile) error) (err error) {
	// parquet-go indexes into what a file says about itself and panics on some damaged files. A damaged file must not end a
	// server that has a sound version to go on with.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	file, err := openRegular(t.root, name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	parsed, err := parquet.OpenFile(file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	// The most that Spark's encodings pack a row of one column is far below this; more is a lie that would cost memory.
	if rows := parsed.NumRows(); rows < 0 || rows > 1<<31-1 || rows > 4096*info.Size() {
		return fmt.Errorf("%d bytes cannot hold %d rows", info.Size(), rows)
	}
	return read(&parquetFile{file: parsed, rows: int(parsed.NumRows())})
}

// openRegular opens a file but no pipe or device, on which opening would wait for ever.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return root.Open(name)
}

// parquetFile reads columns one at a time. Unlike a read into a Go struct it tells a missing column from a column of zeros.
type parquetFile struct {
	file *parquet.File
	rows int
}

// column calls each with every value of a leaf column and the row it is in. A null, and a value of another kind, is an error;
// the rows of a list column may be empty.
func (f *parquetFile) column(kind parquet.Kind, each func(row int, v parquet.Value) error, name ...string) error {
	return f.columnOrNull(kind, func(row int, v parquet.Value) error {
		if v.IsNull() {
			return fmt.Errorf("a null in row %d", row)
		}
		return each(row, v)
	}, name...)
}

// columnOrNull is column where nulls are values like others.
func (f *parquetFile) columnOrNull(kind parquet.Kind, each func(row int, v parquet.Value) error, name ...string) error {
	leaf, ok := f.file.Schema().Lookup(name...)
	if !ok {
		return fmt.Errorf("the column %s is missing", strings.Join(name, "."))
	}
	if got := leaf.Node.Type().Kind(); got != kind {
		return fmt.Errorf("the column %s has type %v, not %v", strings.Join(name, "."), got, kind)
	}
	// A null at this definition level stands for a list without elements.
	empty := leaf.MaxDefinitionLevel - 1
	if leaf.Node.Optional() {
		empty--
	}
	row := -1
	values := make([]parquet.Value, 1024)
	for _, group := range f.file.RowGroups() {
		pages := group.ColumnChunks()[leaf.ColumnIndex].Pages()
		err := forEachValue(pages, values, func(v parquet.Value) error {
			if v.RepetitionLevel() == 0 {
				row++
			}
			if row < 0 || row >= f.rows {
				return fmt.Errorf("more rows than the %d in the footer", f.rows)
			}
			if v.IsNull() && leaf.MaxRepetitionLevel > 0 && v.DefinitionLevel() <= empty {
				return nil
			}
			return each(row, v)
		})
		_ = pages.Close()
		if err != nil {
			return fmt.Errorf("the column %s: %w", strings.Join(name, "."), err)
		}
	}
	if row+1 != f.rows {
		return fmt.Errorf("the column %s has %d rows, the footer says %d", strings.Join(name, "."), row+1, f.rows)
	}
	return nil
}

func forEachValue(pages parquet.Pages, buffer []parquet.Value, each func(parquet.Value) error) error {
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for reader := page.Values(); err == nil; {
			var n int
			n, err = reader.ReadValues(buffer)
			for _, v := range buffer[:n] {
				if err := each(v); err != nil {
					parquet.Release(page)
					return err
				}
			}
		}
		parquet.Release(page)
		if !errors.Is(err, io.EOF) {
			return err
		}
	}
}

// capacity is what to make ready for a column: its rows, unless their number, which is only the file's word so far, is large.
func (f *parquetFile) capacity() int { return min(f.rows, 1<<20) }

// int32s reads a whole column of numbers.
func (f *parquetFile) int32s(name string) ([]int32, error) {
	numbers := make([]int32, 0, f.capacity())
	err := f.column(parquet.Int32, func(_ int, v parquet.Value) error {
		numbers = append(numbers, v.Int32())
		return nil
	}, name)
	return numbers, err
}

// strings reads a whole column of strings, copied out.
func (f *parquetFile) strings(name string) ([]string, error) {
	texts := make([]string, 0, f.capacity())
	err := f.column(parquet.ByteArray, func(_ int, v parquet.Value) error {
		texts = append(texts, string(v.ByteArray()))
		return nil
	}, name)
	return texts, err
}

// stringsOrNull is strings with "" for a null.
func (f *parquetFile) stringsOrNull(name string) ([]string, error) {
	texts := make([]string, 0, f.capacity())
	err := f.columnOrNull(parquet.ByteArray, func(_ int, v parquet.Value) error {
		texts = append(texts, string(v.ByteArray()))
		return nil
	}, name)
	return texts, err
}
