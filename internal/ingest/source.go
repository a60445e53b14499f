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
	"time"

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
func open(stop context.Context, o Options, counts *Counts) (*source, error) {
	s := &source{name: o.Path}
	raw := o.Stdin
	if o.Path == "-" {
		s.name, s.live = "standard input", true
	} else {
		f, err := os.Open(o.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("opening the source: %w (--file says what to read; README.md says where the data set comes from and how to generate one)", err)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the source: %w", err)
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a folder", o.Path)
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
		if o.Follow && !s.live {
			s.live = true
			raw = &follower{stop: stop, f: f}
		}
	}
	if s.live && !o.Follow {
		raw = s.interruptible(stop, raw)
	}
	b := bufio.NewReaderSize(&counted{raw, counts}, 64<<10)
	magic, _ := b.Peek(4) // an error comes again with the first read
	gzipped, zstandard := bytes.HasPrefix(magic, []byte{0x1f, 0x8b}), bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd})
	switch {
	case o.Follow && (gzipped || zstandard):
		s.Close()
		return nil, fmt.Errorf("opening the source: %s is compressed, and only a plain file can be followed while it grows", s.name)
	case gzipped:
		z, err := gzip.NewReader(b)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("opening the source: %s: %w", s.name, err)
		}
		s.Reader = z
	case zstandard:
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

// follower reads a file that grows.
type follower struct {
	stop context.Context
	f    *os.File
	read int64
}

// followEvery is how often a file that may grow is looked at.
const followEvery = 100 * time.Millisecond

func (f *follower) Read(p []byte) (int, error) {
	for {
		n, err := f.f.Read(p)
		f.read += int64(n)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		if info, err := f.f.Stat(); err == nil && info.Size() < f.read {
			return 0, fmt.Errorf("the file has become shorter, from %d bytes to %d: it was replaced while it was followed", f.read, info.Size())
		}
		t := time.NewTimer(followEvery)
		select {
		case <-t.C:
		case <-f.stop.Done():
			t.Stop()
			return 0, ErrInterrupted
		}
	}
}

// Identify reads as much of a source file as its identity and its columns need.
func Identify(path string) (event.Source, event.Layout, error) {
	src, err := open(context.Background(), Options{Path: path}, &Counts{})
	if err != nil {
		return event.Source{}, event.Layout{}, err
	}
	defer src.Close()
	l, err := begin(src)
	if err != nil {
		return event.Source{}, event.Layout{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return l.source, l.layout, nil
}
