package status

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/durable"
	"cartwheel/internal/model"
)

// folder tells whether a folder's names have changed since the last look. What is in it is looked at only then.
type folder struct{ written time.Time }

// settled is how old a change must be before the folder's time tells the next one from it.
const settled = 2 * time.Second

// changed reports whether the names must be read again; the folder's time is that of the last change of its names.
func (f *folder) changed(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		f.written = time.Time{}
		return true, err
	}
	if info.ModTime().Equal(f.written) {
		return false, nil
	}
	f.written = time.Time{}
	if time.Since(info.ModTime()) > settled {
		f.written = info.ModTime()
	}
	return true, nil
}

// batchFolder is the folder of batch files.
type batchFolder struct {
	folder
	names []batch.Name
	found Batches
}

func (b *batchFolder) look(dataDir string, into *Batches) {
	dir := filepath.Join(dataDir, batch.FolderName)
	changed, err := b.changed(dir)
	if changed && err == nil {
		err = b.read(dir)
	}
	if err != nil {
		b.names, b.found = nil, Batches{}
		if !errors.Is(err, fs.ErrNotExist) {
			b.found.Error = err.Error()
		}
	}
	*into = b.found
}

func (b *batchFolder) read(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing the batch files: %w", err)
	}
	before := b.found.Last
	b.names, b.found = nil, Batches{}
	var last *BatchFile
	for _, e := range entries {
		name, ok := batch.ParseName(e.Name())
		if !ok {
			continue
		}
		b.names = append(b.names, name)
		b.found.Files++
		b.found.Offsets += name.Last - name.First + 1
		if info, err := e.Info(); err == nil && (last == nil || info.ModTime().After(last.At)) {
			last = &BatchFile{Name: e.Name(), At: info.ModTime().UTC()}
		}
	}
	if last != nil {
		if before != nil && before.Name == last.Name {
			last.Rows = before.Rows
		} else {
			last.Rows = countRows(filepath.Join(dir, last.Name))
		}
	}
	b.found.Last = last
	return nil
}

// unread sums the offsets of the batch files that a version was not made from.
func (b *batchFolder) unread(m *model.Manifest) (n int64) {
	known := map[string]bool{}
	if m != nil {
		for _, name := range append(m.Data.BatchFiles, m.Data.BadBatchFiles...) {
			known[name] = true
		}
	}
	for _, name := range b.names {
		if !known[name.String()] {
			n += name.Last - name.First + 1
		}
	}
	return n
}

// mostCounted is the size of file up to which rows are counted.
const mostCounted = 32 << 20

// countRows returns nil where the file is larger or cannot be read: its name says enough.
func countRows(path string) *int64 {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostCounted+1))
	if err != nil || len(data) > mostCounted {
		return nil
	}
	rows := max(0, int64(bytes.Count(data, []byte("\n")))-1) // one is the header
	return &rows
}

// modelFolder is the folder of versions.
type modelFolder struct {
	folder
	found    Models
	training Training
	newest   *model.Manifest // nil if there is none
}

func (m *modelFolder) look(dataDir string, into *Status) {
	dir := filepath.Join(dataDir, "models")
	changed, err := m.changed(dir)
	if changed && err == nil {
		err = m.read(dir)
	}
	if err != nil {
		m.found, m.training, m.newest = Models{}, Training{}, nil
		if !errors.Is(err, fs.ErrNotExist) {
			m.found.Error = err.Error()
		}
	}
	into.Models, into.Training = m.found, m.training
}

func (m *modelFolder) read(dir string) error {
	all, err := model.List(dir)
	if err != nil {
		return err
	}
	m.found, m.training, m.newest = Models{}, Training{Since: underWay(dir)}, nil
	for _, l := range all {
		if l.Err != nil {
			m.found.Damaged++
			continue
		}
		m.found.Versions++
		if m.newest == nil {
			m.newest = l.Manifest
			m.training.Last = trained(l.Manifest)
		}
	}
	if m.found.Champion, err = model.Champion(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.found.Error = err.Error()
	}
	if previous, err := model.Previous(dir); err == nil && previous != m.found.Champion {
		m.found.Previous = previous
	}
	return nil
}

// abandoned is the age from which a version in the making is taken to be what a training left that was killed.
const abandoned = 6 * time.Hour

// underWay returns when the training began that has a version in the making, which is a folder under a name that begins with a dot.
// One that was killed leaves its folder until the next begins.
func underWay(dir string) *time.Time {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), durable.TempPrefix)
		began, _, _ := strings.Cut(name, "-")
		if at, err := time.Parse("20060102T150405Z", began); ok && e.IsDir() && err == nil && time.Since(at) < abandoned {
			return &at
		}
	}
	return nil
}

func trained(m *model.Manifest) *Trained {
	t := &Trained{Version: m.Version, Began: m.CreatedAt, Seconds: m.Seconds, Events: m.Counts.Events, Promoted: true}
	if m.Decision != nil {
		t.Promoted, t.Reason = m.Decision.Promoted, m.Decision.Reason
	}
	return t
}
