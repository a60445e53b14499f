package ingest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"cartwheel/internal/event"
)

// rejectBytes is how much of a rejected row is kept: enough to recognise it.
const rejectBytes = 1 << 10

// reject is a row that is no event.
type reject struct {
	line   int64
	reason string
	rule   string // the reason in a word, for counting
	row    string // cut to rejectBytes
}

func newReject(line int64, reason error, row []byte) reject {
	return reject{line: line, reason: reason.Error(), rule: event.Rule(reason), row: string(row[:min(len(row), rejectBytes)])}
}

// RejectsHeader is the first line of a rejects file.
const RejectsHeader = "line,reason,row"

// rejects writes the rejects file. There is none before the first reject; from then on it grows, line by line, so that a run that
// was killed leaves what it had.
type rejects struct {
	path string
	mu   sync.Mutex // the file is written by one goroutine and synced by another
	f    *os.File
	size int64
}

// begin keeps so many bytes of an earlier run's file, which is the same run if that is to be resumed.
func (r *rejects) begin(keep int64) error {
	if keep == 0 {
		if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return fmt.Errorf("removing an earlier run's rejects file: %w", err)
		}
		return nil
	}
	if info, err := os.Stat(r.path); err == nil {
		r.size = min(keep, info.Size())
	}
	if err := r.open(); err != nil {
		return fmt.Errorf("opening the earlier run's rejects file: %w (--rejects names another place)", err)
	}
	return nil
}

// write adds rejects, and returns the file's length then.
func (r *rejects) write(list []reject) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(list) == 0 {
		return r.size, nil
	}
	var b []byte
	if r.f == nil {
		if err := r.open(); err != nil {
			return 0, fmt.Errorf("line %d was rejected (%s), but the rejects file cannot be written: %w (--rejects names another place)", list[0].line, list[0].reason, err)
		}
		if r.size == 0 {
			b = append(b, RejectsHeader+"\n"...)
		}
	}
	for _, x := range list {
		b = strconv.AppendInt(b, x.line, 10)
		b = append(b, ',')
		b = appendQuoted(b, x.reason)
		b = append(b, ',')
		b = appendQuoted(b, x.row)
		b = append(b, '\n')
	}
	n, err := r.f.Write(b)
	r.size += int64(n)
	if err != nil {
		return 0, fmt.Errorf("writing the rejects file: %w", err)
	}
	return r.size, nil
}

func (r *rejects) open() error {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err := f.Truncate(r.size); err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err := f.Seek(r.size, io.SeekStart); err != nil {
		return errors.Join(err, f.Close())
	}
	r.f = f
	return nil
}

func (r *rejects) sync() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f == nil {
		return nil
	}
	return r.f.Sync()
}

func (r *rejects) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f == nil {
		return nil
	}
	f := r.f
	r.f = nil
	return errors.Join(f.Sync(), f.Close())
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}
