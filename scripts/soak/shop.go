package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"cartwheel/internal/synthetic"
)

const (
	shopEvents = 40_000
	returns    = 3 // times that its events are played during the run
)

// shop is a bounded one, as memory can only be flat while what is learned stays as large as it is: a generated shop's events, and then
// the same visitors come back to the same items, again and again, each time as much later as the whole took.
type shop struct {
	begins int64 // Unix ms: the first event of the replay. All of it is over when the run begins.
	length int64 // of the replay, ms
}

// makeShop writes the two files from the generated one: what happened before the run, and what is replayed.
func (s *soak) makeShop() (shop, error) {
	data, err := os.ReadFile(s.file("generated"))
	if err != nil {
		return shop{}, err
	}
	const span = synthetic.Last - synthetic.First + 1000
	first := time.Now().UnixMilli() - (1+returns)*span
	header, rows, _ := bytes.Cut(data, []byte("\n"))
	write := func(name string, from, to int) error {
		out := append(bytes.Clone(header), '\n')
		for i := from; i < to; i++ {
			for row := range bytes.Lines(rows) {
				at, rest, _ := bytes.Cut(row, []byte(","))
				ms, err := strconv.ParseInt(string(at), 10, 64)
				if err != nil {
					return fmt.Errorf("%s: a row does not begin with its time: %q", s.file("generated"), row)
				}
				out = strconv.AppendInt(out, ms-synthetic.First+first+int64(i)*span, 10)
				out = append(append(out, ','), rest...)
			}
		}
		if err := os.MkdirAll(filepath.Dir(s.file(name)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(s.file(name), out, 0o644)
	}
	if err := write("history", 0, 1); err != nil {
		return shop{}, err
	}
	return shop{begins: first + span, length: returns * span}, write("replay", 1, 1+returns)
}

// speed is how much faster than life the replay must be to last as long as the run.
func (s *soak) speed() float64 { return float64(s.shop.length) / (s.minutes * 60_000) }

// now is the shop's time, in Unix ms.
func (s *soak) now() int64 {
	return s.shop.begins + int64(float64(time.Since(s.start).Milliseconds())*s.speed())
}
