package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"cartwheel/internal/event"
)

// source is an open file or standard input, decompressed.
type source struct {
	io.Reader
	name  string
	live  bool // lines may come slowly and are passed on as they come
	close []func()
}

func (s *source) Close() {
	for _, f := range s.close {
		f()
	}
}

// open opens a source. What is compressed with gzip or zstd is recognised by its first bytes, whatever its name.
func open(stop context.Context, path string, stdin io.Reader, counts *Counts) (*source, error) {
	s := &source{name: path}
	raw := stdin
	if path == "-" {
		s.name, s.live = "standard input", true
	} else {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("opening the source: %w (--file says what to read; README.md says where the data set comes from and how to generate one)", err)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the source: %w", err)
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a folder", path)
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("opening the source: %w", err)
		}
		if info.Mode().IsRegular() {
			counts.Size.Store(info.Size())
		} else {
			s.live = true
		}
		s.close = append(s.close, func() { f.Close() })
		raw = f
	}
	if s.live {
		raw = s.interruptible(stop, raw)
	}
	b := bufio.NewReaderSize(&counted{raw, counts}, 64<<10)
	magic, _ := b.Peek(4) // an error comes again with the first read
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("opening the source: %s: %w", s.name, err)
		}
		s.Reader = z
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20))
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("opening the source: %s: %w", s.name, err)
		}
		s.close = append(s.close, z.Close)
		s.Reader = z
	default:
		s.Reader = b
	}
	return s, nil
}

// interruptible makes reads end with ErrInterrupted when stop is done: a read of a pipe or a terminal may otherwise wait for ever.
func (s *source) interruptible(stop context.Context, raw io.Reader) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, raw)
		w.CloseWithError(err)
	}()
	release := context.AfterFunc(stop, func() { w.CloseWithError(ErrInterrupted) })
	s.close = append(s.close, func() { release(); r.Close() })
	return r
}

type counted struct {
	r      io.Reader
	counts *Counts
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.counts.Bytes.Add(int64(n))
	return n, err
}

// begin reads the header line.
func begin(src *source) (*lineReader, event.Layout, error) {
	l := &lineReader{r: src, live: src.live}
	header, err := l.readHeader()
	if err != nil {
		return nil, event.Layout{}, err
	}
	layout, err := event.ParseHeader(header)
	return l, layout, err
}
