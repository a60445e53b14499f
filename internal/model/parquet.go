package model

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
)

// table is a folder of Parquet files as Spark writes it: part-*.parquet beside markers and checksums that are not data.
type table struct {
	root  *os.Root // no name, and no symbolic link, leads out of it
	name  string   // the folder, relative to root
	parts []string // file names relative to root, in Spark's order
	pace  *pace
}

// newTable picks the table's parts out of a list of file names.
func newTable(root *os.Root, name string, files []string, p *pace) (table, error) {
	t := table{root: root, name: name, pace: p}
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
	group := t.pace.group()
	for i, name := range t.parts {
		group.Go(func() error {
			defer t.pace.begin()()
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
	return read(&parquetFile{file: parsed, rows: int(parsed.NumRows()), pace: t.pace})
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
	pace *pace
}

// value is what columns hold.
type value interface {
	int32 | int64 | float32 | float64 | string
}

// maxPacked is how many values of a list a byte of a file may stand for: far more than what Spark's encodings pack of a list's
// items and numbers together. More is a lie that would cost memory.
const maxPacked = 16

// flat reads a whole column of one value for each row. A null is an error.
func flat[T value](f *parquetFile, name string) ([]T, error) { return flatOr[T](f, name, false) }

// flatOrZero is flat with the zero value for a null.
func flatOrZero[T value](f *parquetFile, name string) ([]T, error) { return flatOr[T](f, name, true) }

func flatOr[T value](f *parquetFile, name string, nulls bool) ([]T, error) {
	column := make([]T, 0, min(f.rows, 1<<20)) // their number is only the file's word so far
	err := eachPage(f, 0, func(page parquet.Page, leaf parquet.LeafColumn, values []T) error {
		if len(column)+int(page.NumValues()) > f.rows {
			return fmt.Errorf("more rows than the %d in the footer", f.rows)
		}
		if page.NumNulls() == 0 {
			column = append(column, values...)
			return nil
		}
		for _, level := range page.DefinitionLevels() {
			var one T
			switch {
			case int(level) == leaf.MaxDefinitionLevel:
				one, values = values[0], values[1:]
			case !nulls:
				return fmt.Errorf("a null in row %d", len(column))
			}
			column = append(column, one)
		}
		return nil
	}, name)
	if err == nil && len(column) != f.rows {
		err = fmt.Errorf("the column %s has %d rows, the footer says %d", name, len(column), f.rows)
	}
	return column, err
}

// eachList calls each with the values of a column of lists: with a row's number and its list, or with a piece of it where the list
// goes on in another page. Empty lists do not come by; a null in a list is an error. The values hold only during the call.
func eachList[T value](f *parquetFile, name string, each func(row int, values []T) error) error {
	row := -1
	err := eachPage(f, 1, func(page parquet.Page, leaf parquet.LeafColumn, values []T) error {
		starts, levels := page.RepetitionLevels(), page.DefinitionLevels()
		// A null at this level stands for a list without elements.
		empty := leaf.MaxDefinitionLevel - 1
		if leaf.Node.Optional() {
			empty--
		}
		for at := 0; at < len(starts); {
			if starts[at] == 0 {
				row++
			}
			if row < 0 || row >= f.rows {
				return fmt.Errorf("more rows than the %d in the footer", f.rows)
			}
			if int(levels[at]) < leaf.MaxDefinitionLevel {
				if int(levels[at]) > empty {
					return fmt.Errorf("a null in row %d", row)
				}
				at++
				continue
			}
			n := 1
			for at+n < len(starts) && starts[at+n] != 0 && int(levels[at+n]) == leaf.MaxDefinitionLevel {
				n++
			}
			if err := each(row, values[:n]); err != nil {
				return err
			}
			at, values = at+n, values[n:]
		}
		return nil
	}, name, "list", "element")
	if err == nil && row+1 != f.rows {
		err = fmt.Errorf("the column %s has %d rows, the footer says %d", name, row+1, f.rows)
	}
	return err
}

// length is how many values a column of lists holds by what the file says, empty lists counting as one. It is what to make ready, and
// an error if it is more than the file can hold.
func (f *parquetFile) length(name string) (n int, err error) {
	leaf, ok := f.file.Schema().Lookup(name, "list", "element")
	if !ok {
		return 0, nil // to be said by whoever reads it
	}
	for _, group := range f.file.RowGroups() {
		values := group.ColumnChunks()[leaf.ColumnIndex].NumValues()
		if values < 0 || values > maxPacked*f.file.Size() {
			return 0, fmt.Errorf("%d bytes cannot hold %d values of the column %s", f.file.Size(), values, name)
		}
		n += int(values)
	}
	return n, nil
}

// eachPage calls each with every page of a leaf column in lists so deep, and with its values, without nulls.
func eachPage[T value](f *parquetFile, depth int, each func(parquet.Page, parquet.LeafColumn, []T) error, path ...string) error {
	name := strings.Join(path, ".")
	leaf, ok := f.file.Schema().Lookup(path...)
	if !ok {
		return fmt.Errorf("the column %s is missing", name)
	}
	if got, want := leaf.Node.Type().Kind(), kindOf[T](); got != want {
		return fmt.Errorf("the column %s has type %v, not %v", name, got, want)
	}
	if leaf.MaxRepetitionLevel != depth {
		return fmt.Errorf("the column %s holds lists %d deep, not %d", name, leaf.MaxRepetitionLevel, depth)
	}
	for _, group := range f.file.RowGroups() {
		pages := group.ColumnChunks()[leaf.ColumnIndex].Pages()
		err := eachPageOf(f, pages, func(page parquet.Page, values []T) error { return each(page, leaf, values) })
		_ = pages.Close()
		if err != nil {
			return fmt.Errorf("the column %s: %w", name, err)
		}
	}
	return nil
}

func eachPageOf[T value](f *parquetFile, pages parquet.Pages, each func(parquet.Page, []T) error) error {
	var named parquet.Dictionary // of the pages, which share one
	var known, values []T        // what is in it, and what it makes of a page
	for {
		f.pace.rest()
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if dictionary := page.Dictionary(); dictionary == nil {
			err = each(page, valuesOf[T](page.Data()))
		} else {
			if dictionary != named {
				named, known = dictionary, valuesOf[T](dictionary.Page().Data())
			}
			data := page.Data()
			values = values[:0]
			for _, i := range data.Int32() {
				values = append(values, known[i])
			}
			err = each(page, values)
		}
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
}

// kindOf is how Parquet calls a type.
func kindOf[T value]() parquet.Kind {
	switch any(*new(T)).(type) {
	case int32:
		return parquet.Int32
	case int64:
		return parquet.Int64
	case float32:
		return parquet.Float
	case float64:
		return parquet.Double
	}
	return parquet.ByteArray
}

// valuesOf gives what parquet-go has decoded: numbers where they lie, strings copied, for their page is used again.
func valuesOf[T value](data encoding.Values) []T {
	var values any
	switch data.Kind() {
	case encoding.Int32:
		values = data.Int32()
	case encoding.Int64:
		values = data.Int64()
	case encoding.Float:
		values = data.Float()
	case encoding.Double:
		values = data.Double()
	case encoding.ByteArray:
		bytes, ends := data.ByteArray()
		text, texts := string(bytes), make([]string, 0, len(ends))
		for i := 1; i < len(ends); i++ {
			texts = append(texts, text[ends[i-1]:ends[i]])
		}
		values = texts
	}
	return values.([]T)
}
