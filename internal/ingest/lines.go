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
	header  []byte
	pos     position
	pending []byte // read, but not passed on yet
	eof     bool
}

// readHeader reads the first line, without its line end.
func (l *lineReader) readHeader() ([]byte, error) {
	buf := make([]byte, blockBytes)
	n := 0
	for {
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			l.header = bytes.Clone(trimCR(buf[:i]))
			l.pending = bytes.Clone(buf[i+1 : n])
			l.pos = position{Offset: int64(i + 1), Line: 1}
			return l.header, nil
		}
		if n == len(buf) {
			return nil, fmt.Errorf("%w: the first line is longer than %d bytes", event.ErrHeader, blockBytes)
		}
		if l.eof {
			if n == 0 {
				return nil, fmt.Errorf("%w: the source is empty; its first line must name the columns %s", event.ErrHeader, strings.Join(event.Columns, ","))
			}
			l.header = bytes.Clone(trimCR(buf[:n]))
			l.pos = position{Offset: int64(n), Line: 1}
			return l.header, nil
		}
		m, err := l.r.Read(buf[n:])
		n += m
		if err = l.saw(err); err != nil {
			return nil, err
		}
	}
}

// next fills buf with whole lines, at most maxRows of them, and returns io.EOF after the last.
func (l *lineReader) next(buf []byte, maxRows int) (block, error) {
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
		return b, l.skipLong(buf, &b)
	}
	if l.eof && len(l.pending) == 0 {
		end = n // the last line need not end with a line feed
	}
	data, rows, lines := cut(buf[:end], maxRows)
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
	b.rejects = append(b.rejects, newReject(l.pos.Line, fmt.Sprintf("the line has %d bytes, more than %d", length, blockBytes), row))
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

// cut returns the lines of data that hold at most maxRows rows.
func cut(data []byte, maxRows int) (head []byte, rows, lines int) {
	for len(head) < len(data) && rows < maxRows {
		rest := data[len(head):]
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			i = len(rest) - 1
		}
		if len(trimCR(bytes.TrimSuffix(rest[:i+1], []byte("\n")))) > 0 {
			rows++
		}
		lines++
		head = data[:len(head)+i+1]
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
