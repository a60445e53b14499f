package main

import (
	"strings"
	"testing"
	"time"

	"cartwheel/scripts/internal/figure"
)

// series is one program over three minutes, sampled every five seconds. of gives its memory after each garbage collection.
func series(of func(i int) float64) (list []sample) {
	for i := range 36 {
		list = append(list, sample{at: float64(i) / 12, heap: of(i), resident: 100, goroutines: 10, loads: float64(i)})
	}
	return list
}

// soaked is a run in which nothing is wrong: memory fills in the first third, and is higher for a while each time a version is loaded.
func soaked() *report {
	s := &soak{minutes: 3, rate: 200, start: time.Now(), marks: []figure.Mark{{At: 1.8, Name: "broker <away>"}, {At: 1.9}}}
	return &report{soak: s, samples: map[string][]sample{"api": series(func(i int) float64 { return min(float64(i)*10, 100) + float64(i%6/4*80) })},
		requests: &requests{reads: 10, took: []time.Duration{time.Millisecond}}, found: &found{rows: 1000, files: 3, versions: 2}}
}

func TestEachFaultIsTold(t *testing.T) {
	p, ok, err := soaked().page()
	if err != nil || !ok || strings.Contains(p.String(), "**no**") {
		t.Errorf("nothing is wrong, but the page says (%v)\n%s", err, p)
	}
	api := func(change func(list []sample)) func(*report) { return func(r *report) { change(r.samples["api"]) } }
	for name, spoil := range map[string]func(*report){
		"no event is lost":      func(r *report) { r.found.lost = 1 },
		"none is repeated":      func(r *report) { r.found.repeated = 1 },
		"none made up":          func(r *report) { r.found.foreign = 1 },
		"no read request fails": func(r *report) { r.requests.failedReads = 1 },
		"trainings go on":       func(r *report) { r.found.versions = 1 },
		"versions are served":   api(func(list []sample) { list[35].loads = 1 }),
		"each program runs":     func(r *report) { r.soak.wrong = []string{"train ended with exit status 1"} },
		"api: memory after":     func(r *report) { r.samples["api"] = series(func(i int) float64 { return 100 + float64(i) }) },
		"api: resident":         api(func(list []sample) { grow(list, func(s *sample) { s.resident *= 1.06 }) }),
		"api: goroutines":       api(func(list []sample) { grow(list, func(s *sample) { s.goroutines++ }) }),
		"train: memory after":   func(r *report) { r.samples["train"] = nil }, // what was never seen is not flat
		"train: resident":       func(r *report) { r.samples["train"] = series(func(int) float64 { return 1 })[:24] },
	} {
		r := soaked()
		spoil(r)
		p, ok, err := r.page()
		if err != nil {
			t.Fatal(err)
		}
		told := false
		for line := range strings.Lines(p.String()) {
			told = told || strings.Contains(line, name) && strings.Contains(line, "**no**")
		}
		if ok || !told {
			t.Errorf("%s: not told in\n%s", name, p)
		}
	}
}

// grow changes the last third.
func grow(list []sample, change func(*sample)) {
	for i := range list[24:] {
		change(&list[24+i])
	}
}

func TestWhatFallsIsFlat(t *testing.T) {
	r := soaked()
	grow(r.samples["api"], func(s *sample) { s.heap, s.resident, s.goroutines = s.heap/2, s.resident/2, 9 })
	if p, ok, err := r.page(); err != nil || !ok {
		t.Errorf("%v\n%s", err, p)
	}
}
