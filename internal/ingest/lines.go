package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"cartwheel/internal/event"
)

// blockBytes is how much of the source is handled as one piece, and the longest line that can be a row.
const blockBytes = 512 << 10

// block is some whole lines.
type block struct {
	data      []byte
	firstLine int64 // its number in the source; the header is line 1
	rows      int   // lines that are not blank, those in rejects included
	rejects   []reject
	end       position
}

// position is a place between two lines of a source.
type position struct {
	Offset int64 // bytes before it, after decompression
	Line   int64 // lines before it, the header included
}

// lineReader cuts a source into blocks.
type lineReader struct {
	r       io.Reader
	live    bool // pass on what there is instead of waiting for a full block
	layout  event.Layout
	source  event.Source
	pos     position
	pending []byte // read, but not passed on yet
	eof     bool
}

// begin reads the header line, and as much of the first row as the source's identity needs.
func begin(src *source) (*lineReader, error) {
	l := &lineReader{r: src, live: src.live}
	header, err := l.readHeader()
	if err != nil {
		return nil, err
	}
	if l.layout, err = event.ParseHeader(header); err != nil {
		return nil, err
	}
	buf := make([]byte, 4<<10)
	for !l.eof && len(l.pending) < identityBytes && bytes.IndexByte(l.pending, '\n') < 0 {
		n, err := l.r.Read(buf)
		l.pending = append(l.pending, buf[:n]...)
		if err = l.saw(err); err != nil {
			return nil, err
		}
	}
	first, _, _ := bytes.Cut(l.pending[:min(len(l.pending), identityBytes)], []byte("\n"))
	l.source = event.SourceOf(header, trimCR(first))
	return l, nil
}

// identityBytes is how much of the first row counts for a source's identity; no sound row is longer.
const identityBytes = 4 << 10

// skipTo passes over everything before p, which an earlier run has dealt with.
func (l *lineReader) skipTo(p position) error {
	skip := p.Offset - l.pos.Offset
	n := min(skip, int64(len(l.pending)))
	l.pending = l.pending[n:]
	m, err := io.CopyN(io.Discard, l.r, skip-n)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n+m < skip {
		return fmt.Errorf("the source ends after %d bytes, before the place at %d bytes where the last run ended: it has become shorter", l.pos.Offset+n+m, p.Offset)
	}
	l.pos = p
	return nil
}

// readHeader reads the first line, without its line end.
func (l *lineReader) readHeader() ([]byte, error) {
	buf := make([]byte, blockBytes)
	n := 0
	for {
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			l.pending = bytes.Clone(buf[i+1 : n])
			l.pos = position{Offset: int64(i + 1), Line: 1}
			return trimCR(buf[:i]), nil
		}
		if n == len(buf) {
			return nil, fmt.Errorf("%w: the first line is longer than %d bytes", event.ErrHeader, blockBytes)
		}
		if l.eof {
			if n == 0 {
				return nil, fmt.Errorf("%w: the source is empty; its first line must name the columns %s", event.ErrHeader, strings.Join(event.Columns, ","))
			}
			l.pos = position{Offset: int64(n), Line: 1}
			return trimCR(buf[:n]), nil
		}
		m, err := l.r.Read(buf[n:])
		n += m
		if err = l.saw(err); err != nil {
			return nil, err
		}
	}
}

// next fills buf with whole lines, as many as admit lets pass, and returns io.EOF after the last. At least one line passes.
func (l *lineReader) next(buf []byte, admit func(row []byte) bool) (block, error) {
	b := block{firstLine: l.pos.Line + 1}
	n := copy(buf, l.pending)
	l.pending = l.pending[n:]
	for n < len(buf) && !l.eof && (!l.live || bytes.IndexByte(buf[:n], '\n') < 0) {
		m, err := l.r.Read(buf[n:])
		n += m
		if err = l.saw(err); err != nil {
			return block{}, fmt.Errorf("after line %d: %w", l.pos.Line, err)
		}
	}
	if n == 0 {
		return block{}, io.EOF
	}
	end := bytes.LastIndexByte(buf[:n], '\n') + 1
	if end == 0 && n == len(buf) {
		err := l.skipLong(buf, &b)
		return b, err
	}
	if l.eof && len(l.pending) == 0 {
		end = n // the last line need not end with a line feed
	}
	data, rows, lines := cut(buf[:end], admit)
	l.pending = append(bytes.Clone(buf[len(data):n]), l.pending...)
	l.pos.Offset += int64(len(data))
	l.pos.Line += int64(lines)
	b.data, b.rows, b.end = data, rows, l.pos
	return b, nil
}

// skipLong passes over a line that begins with all of buf and rejects it.
func (l *lineReader) skipLong(buf []byte, b *block) error {
	l.pos.Line++
	length := int64(len(buf))
	row := bytes.Clone(buf[:rejectBytes])
	for done := false; !done; {
		n := copy(buf, l.pending)
		l.pending = l.pending[n:]
		if n == 0 && !l.eof {
			m, err := l.r.Read(buf)
			n = m
			if err = l.saw(err); err != nil {
				return fmt.Errorf("inside line %d: %w", l.pos.Line, err)
			}
		}
		i := bytes.IndexByte(buf[:n], '\n')
		switch {
		case i >= 0:
			l.pending = append(bytes.Clone(buf[i+1:n]), l.pending...)
			length += int64(i)
			l.pos.Offset++ // the line feed
			done = true
		case n == 0 && l.eof:
			done = true
		default:
			length += int64(n)
		}
	}
	l.pos.Offset += length
	b.rows, b.end = 1, l.pos
	b.rejects = append(b.rejects, newReject(l.pos.Line, fmt.Errorf("the line has %d bytes, more than %d", length, blockBytes), row))
	return nil
}

// saw keeps the end of the source in mind and passes on every other error.
func (l *lineReader) saw(err error) error {
	if errors.Is(err, io.EOF) {
		l.eof = true
		return nil
	}
	return err
}

// cut returns the lines of data before the first row that is not admitted. Blank lines are no rows.
func cut(data []byte, admit func(row []byte) bool) (head []byte, rows, lines int) {
	for len(head) < len(data) {
		rest := data[len(head):]
		next := bytes.IndexByte(rest, '\n') + 1
		row := rest[:max(next-1, 0)]
		if next == 0 {
			row, next = rest, len(rest)
		}
		if row = trimCR(row); len(row) > 0 {
			if !admit(row) && rows > 0 {
				break
			}
			rows++
		}
		lines++
		head = data[:len(head)+next]
	}
	return head, rows, lines
}

// blockPool bounds the number of blocks that are on their way.
type blockPool struct {
	free chan []byte
}

func newBlockPool(n int) *blockPool {
	p := &blockPool{free: make(chan []byte, n)}
	for range n {
		p.free <- nil // memory is made when it is first needed: a slow source needs little
	}
	return p
}

func (p *blockPool) get(ctx context.Context) ([]byte, error) {
	select {
	case b := <-p.free:
		if b == nil {
			b = make([]byte, blockBytes)
		}
		return b[:blockBytes], nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *blockPool) put(b []byte) {
	if cap(b) < blockBytes {
		b = nil
	}
	p.free <- b
}
