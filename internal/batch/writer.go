package batch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cartwheel/internal/durable"
	"cartwheel/internal/event"
)

// Steps of publishing a batch file, in order, for whoever wants to be told (Options.OnStep).
const (
	StepClaimed   = "claimed"   // the partition's folder is claimed, nothing has been read
	StepWritten   = "written"   // all rows are in the unfinished file
	StepSynced    = "synced"    // they are on disk
	StepPublished = "published" // the file bears its name, and the name is on disk
	StepCommitted = "committed" // Kafka knows the offset
)

// writeBytes is how many bytes of rows are gathered before they go to the file.
const writeBytes = 1 << 20

// file is a batch file in the making.
type file struct {
	claim *claim
	first int64 // offset
	rows  int
	buf   []byte
	f     *os.File

	origins origins // of its events, where traces are sent
}

func (c *claim) begin(first int64, buf []byte) *file {
	return &file{claim: c, first: first, buf: append(append(buf[:0], event.BatchHeader...), '\n')}
}

func (f *file) add(e *event.Event) error {
	f.buf = event.AppendBatchRow(f.buf, e)
	f.rows++
	if len(f.buf) >= writeBytes {
		return f.flush()
	}
	return nil
}

func (f *file) flush() error {
	if f.f == nil {
		path := filepath.Join(f.claim.own, fmt.Sprintf("%020d", f.first))
		out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			return f.claim.fenced(fmt.Errorf("beginning a batch file: %w", err))
		}
		f.f = out
	}
	if _, err := f.f.Write(f.buf); err != nil {
		return fmt.Errorf("writing a batch file: %w", err)
	}
	f.buf = f.buf[:0]
	return nil
}

// publish gives the file its final name, which covers the offsets up to last. What is published never changes: a taken name is
// refused, and so is everything after the claim is lost.
func (f *file) publish(last int64, step func(string)) (Name, error) {
	name := Name{Partition: f.claim.partition, First: f.first, Last: last}
	if err := f.flush(); err != nil {
		return name, err
	}
	step(StepWritten)
	if err := f.f.Sync(); err != nil {
		return name, fmt.Errorf("syncing batch file %s: %w", name, err)
	}
	if err := f.f.Close(); err != nil {
		return name, fmt.Errorf("closing batch file %s: %w", name, err)
	}
	step(StepSynced)
	if err := durable.Rename(f.f.Name(), filepath.Join(f.claim.dir, name.String()), true); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return name, fmt.Errorf("%w: %s exists already", errFenced, name)
		}
		return name, f.claim.fenced(fmt.Errorf("publishing batch file %s: %w", name, err))
	}
	step(StepPublished)
	return name, nil
}

func (f *file) abort() {
	if f.f != nil {
		_ = f.f.Close()
		_ = os.Remove(f.f.Name())
	}
}
