// Package synthetictest makes batch files of a generated shop without a broker, for tests and benchmarks of what reads them.
package synthetictest

import (
	"bufio"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"

	"cartwheel/internal/batch"
	"cartwheel/internal/durable"
	"cartwheel/internal/event"
	"cartwheel/internal/synthetic"
)

// partitions are as many as the topic has by default.
const partitions = 6

// WriteBatches writes the events of a generated shop below dataDir as a consumer would, in files of size events, a visitor's events
// all in one partition. It returns how many files there are.
func WriteBatches(ctx context.Context, dataDir string, s synthetic.Settings, size int) (files int, err error) {
	w := &writer{dir: filepath.Join(dataDir, batch.FolderName), size: size}
	if err := Each(ctx, s, w.add); err != nil {
		return 0, err
	}
	return w.close()
}

// WriteEvents writes events in the same way.
func WriteEvents(dataDir string, events []event.Event, size int) (files int, err error) {
	w := &writer{dir: filepath.Join(dataDir, batch.FolderName), size: size}
	for i := range events {
		if err := w.add(&events[i]); err != nil {
			return 0, err
		}
	}
	return w.close()
}

// Each passes on the events of a generated shop in their order. The text of an event lasts until the next one only.
func Each(ctx context.Context, s synthetic.Settings, each func(*event.Event) error) error {
	in, out := io.Pipe()
	go func() {
		_, err := synthetic.New(s).WriteEvents(ctx, out, nil)
		_ = out.CloseWithError(err)
	}()
	defer in.Close()
	lines := bufio.NewScanner(in)
	lines.Scan()
	header := lines.Text()
	layout, err := event.ParseHeader([]byte(header))
	if err != nil {
		return err
	}
	var source event.Source
	for row := int64(1); lines.Scan(); row++ {
		if row == 1 {
			source = event.SourceOf([]byte(header), lines.Bytes())
		}
		var e event.Event
		if err := layout.ParseRow(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("row %d: %w", row, err)
		}
		e.EventID = string(source.AppendID(nil, row, lines.Bytes()))
		if err := each(&e); err != nil {
			return err
		}
	}
	return lines.Err()
}

type writer struct {
	dir   string
	size  int
	files int
	open  [partitions]struct {
		first, rows int64
		text        []byte
	}
}

func (w *writer) add(e *event.Event) error {
	h := fnv.New32a()
	_, _ = io.WriteString(h, e.VisitorID)
	p := int(h.Sum32() % partitions)
	o := &w.open[p]
	o.text = event.AppendBatchRow(o.text, e)
	o.rows++
	if o.rows == int64(w.size) {
		return w.flush(p)
	}
	return nil
}

func (w *writer) flush(p int) error {
	o := &w.open[p]
	if o.rows == 0 {
		return nil
	}
	name := batch.Name{Partition: p, First: o.first, Last: o.first + o.rows - 1}
	if err := WriteBatch(w.dir, name, o.text); err != nil {
		return err
	}
	o.first, o.rows, o.text = o.first+o.rows, 0, o.text[:0]
	w.files++
	return nil
}

// close writes what is left, and tells how many files there are.
func (w *writer) close() (files int, err error) {
	for p := range w.open {
		if err := w.flush(p); err != nil {
			return 0, err
		}
	}
	return w.files, nil
}

// WriteBatch writes one batch file of these rows into the folder dir.
func WriteBatch(dir string, name batch.Name, rows []byte) error {
	return durable.WriteFile(filepath.Join(dir, name.String()), func(w io.Writer) error {
		_, err := w.Write(append(append([]byte(event.BatchHeader), '\n'), rows...))
		return err
	})
}

// Copy puts batch files of another data folder into this one, those whose places in the sorted list of names are in from up to to.
func Copy(dataDir, other string, from, to int) error {
	names, err := filepath.Glob(filepath.Join(other, batch.FolderName, "batch_*.csv"))
	if err != nil {
		return err
	}
	for _, name := range names[from:min(to, len(names))] {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		err = durable.WriteFile(filepath.Join(dataDir, batch.FolderName, filepath.Base(name)), func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
