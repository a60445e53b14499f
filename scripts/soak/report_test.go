package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// series is one figure by name, sampled every five seconds.
func series(of func(i int) float64) (list []sample) {
	for i := range 30 {
		list = append(list, sample{at: time.Duration(i) * sampleEvery, memory: 1e6 * of(i), goroutines: 10})
	}
	return list
}

func soaked() *report {
	s := &soak{minutes: 2.5, rate: 200, events: 1000, start: time.Now(), marks: []mark{{time.Minute, "broker <down>"}}}
	return &report{soak: s, samples: map[string][]sample{"api": series(func(i int) float64 { return min(float64(i)*20, 100) })},
		requests: &requests{reads: 10, took: []time.Duration{time.Millisecond}}, found: &found{rows: 1000, files: 3, versions: 2}}
}

func TestEachFaultIsTold(t *testing.T) {
	if text, ok := soaked().page("x.svg"); !ok || strings.Contains(text, "**no**") {
		t.Errorf("nothing is wrong, but the page says\n%s", text)
	}
	for name, spoil := range map[string]func(*report){
		"no event is lost":           func(r *report) { r.found.lost = 1 },
		"none is repeated":           func(r *report) { r.found.repeated = 1 },
		"none made up":               func(r *report) { r.found.foreign = 1 },
		"no read request fails":      func(r *report) { r.requests.failedReads = 1 },
		"trainings go on":            func(r *report) { r.found.versions = 1 },
		"api: memory, MB flat":       func(r *report) { r.samples["api"] = series(func(i int) float64 { return 100 + float64(i) }) },
		"api: goroutines flat":       func(r *report) { r.samples["api"][29].goroutines = 10; doubled(r.samples["api"][20:]) },
		"train: memory, MB flat":     func(r *report) { r.samples["train"] = nil }, // what was never seen is not flat
		"api: memory, MB flat after": func(r *report) { r.samples["api"] = series(func(i int) float64 { return 130 - float64(i) }) },
	} {
		r := soaked()
		spoil(r)
		text, ok := r.page("x.svg")
		told := false
		for line := range strings.Lines(text) {
			told = told || strings.Contains(line, name) && strings.Contains(line, "**no**")
		}
		if ok || !told {
			t.Errorf("%s: not told in\n%s", name, text)
		}
	}
}

func doubled(list []sample) {
	for i := range list {
		list[i].goroutines *= 2
	}
}

func TestPlotIsXML(t *testing.T) {
	r := soaked()
	d := xml.NewDecoder(strings.NewReader(plot(r.samples, r.soak.marks, 3*time.Minute)))
	lines := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 2 {
		t.Errorf("%d lines were drawn", lines)
	}
}
