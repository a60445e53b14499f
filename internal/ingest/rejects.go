package ingest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"cartwheel/internal/durable"
)

// rejectBytes is how much of a rejected row is kept: enough to recognise it.
const rejectBytes = 1 << 10

// reject is a row that is no event.
type reject struct {
	line   int64
	reason string
	row    string // cut to rejectBytes
}

func newReject(line int64, reason string, row []byte) reject {
	return reject{line: line, reason: reason, row: string(row[:min(len(row), rejectBytes)])}
}

// RejectsHeader is the first line of a rejects file.
const RejectsHeader = "line,reason,row"

// rejects writes the rejects file. It makes none before the first reject, and removes one that an earlier run of the same source
// left, for it tells of that run.
type rejects struct {
	path string
	f    *durable.File
	n    int64
}

func newRejects(path string) *rejects { return &rejects{path: path} }

func (r *rejects) write(list []reject) error {
	if len(list) == 0 {
		return nil
	}
	var b []byte
	if r.f == nil {
		f, err := durable.Create(r.path)
		if err != nil {
			return fmt.Errorf("line %d was rejected (%s), but the rejects file cannot be written: %w (--rejects names another place)", list[0].line, list[0].reason, err)
		}
		r.f = f
		b = append(b, RejectsHeader+"\n"...)
	}
	for _, x := range list {
		b = strconv.AppendInt(b, x.line, 10)
		b = append(b, ',')
		b = appendQuoted(b, x.reason)
		b = append(b, ',')
		b = appendQuoted(b, x.row)
		b = append(b, '\n')
	}
	r.n += int64(len(list))
	if _, err := r.f.Write(b); err != nil {
		return fmt.Errorf("writing the rejects file %s: %w", r.path, err)
	}
	return nil
}

// finish makes the rejects file visible under its name.
func (r *rejects) finish() error {
	if r.f != nil {
		return r.f.Replace()
	}
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an earlier run's rejects file: %w", err)
	}
	return nil
}

func (r *rejects) abort() {
	if r.f != nil {
		r.f.Abort()
	}
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}
