package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// elements counts an SVG's elements by name, and returns its text.
func elements(t *testing.T, svg []byte) (counts map[string]int, words string) {
	t.Helper()
	if dir := os.Getenv("FIGURES"); dir != "" { // to be looked at
		if err := os.WriteFile(filepath.Join(dir, t.Name()+".svg"), svg, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	counts = map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(svg))
	var all strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return counts, all.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			counts[token.Name.Local]++
		case xml.CharData:
			all.Write(token)
		}
	}
}

func TestLines(t *testing.T) {
	x, y := []float64{0, 10, 20, 30}, []float64{10, 12, math.NaN(), 11}
	with := func(lines ...Line) []byte {
		svg, err := Lines(
			Panel{Title: "memory <MB>", X: "minutes", Y: "MB", Lines: lines, Marks: []Mark{{15, "broker down"}}},
			Panel{Title: "goroutines", X: "minutes", Lines: lines})
		if err != nil {
			t.Fatal(err)
		}
		return svg
	}
	one, words := elements(t, with(Line{"api", x, y}))
	for _, want := range []string{"memory <MB>", "goroutines", "minutes", "broker down", "api"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in the figure", want)
		}
	}
	two, words := elements(t, with(Line{"api", x, y}, Line{"consumer", x, y}, Line{"never seen", nil, nil}))
	if two["path"] <= one["path"] || !strings.Contains(words, "consumer") {
		t.Errorf("the second line is not drawn: %v after %v", two, one)
	}
}

func TestBurstIsCutOff(t *testing.T) {
	line := Line{Name: "api"}
	for i := range 1000 {
		line.X, line.Y = append(line.X, float64(i)), append(line.Y, 40)
	}
	line.Y[500] = 90_000
	svg, err := Lines(Panel{Title: "goroutines", Lines: []Line{line}})
	if err != nil {
		t.Fatal(err)
	}
	if _, words := elements(t, svg); strings.Contains(words, "k") || !strings.Contains(words, "200") {
		t.Errorf("the axis is\n%s", words)
	}
}

func TestDots(t *testing.T) {
	svg, err := Lines(Panel{Title: "growth", X: "events", Y: "s", Dots: true, Lines: []Line{{"all", []float64{2e5, 7e5, 2.7e6}, []float64{60, 150, 500}}}})
	if err != nil {
		t.Fatal(err)
	}
	if counts, words := elements(t, svg); counts["path"] < 4 || !strings.Contains(words, "2.5M") || !strings.Contains(words, "growth") {
		t.Errorf("%v %s", counts, words)
	}
}

func TestBars(t *testing.T) {
	svg, err := Bars("rates", "requests/s", []Bar{{"fixed answer", []float64{50_000, 52_000, 57_000}, true}, {"a visitor", []float64{15_000}, false}})
	if err != nil {
		t.Fatal(err)
	}
	_, words := elements(t, svg)
	for _, want := range []string{"rates", "requests/s", "fixed answer", "a visitor", "50k"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in the figure", want)
		}
	}
}
