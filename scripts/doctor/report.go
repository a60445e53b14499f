package main

import (
	"fmt"
	"io"
	"strings"
)

// grade says how much a finding matters.
type grade int

const (
	fine   grade = iota
	toKnow       // nothing is broken
	toDo         // something does not work, or will not
)

var grades = [...]string{"ok", "note", "TO DO"}

// report tells findings as they come, and counts them.
type report struct {
	out    io.Writer
	counts [len(grades)]int
}

// tell adds a finding: what was looked at, what was seen and, unless all is well, what to do.
func (r *report) tell(g grade, subject, seen, do string) {
	r.counts[g]++
	line := strings.Join(strings.Fields(seen), " ") // an error may have several lines
	if do != "" {
		line += " → " + do
	}
	fmt.Fprintf(r.out, "%-5s  %-14s  %s\n", grades[g], subject, line)
}

func (r *report) fine(subject, format string, args ...any) {
	r.tell(fine, subject, fmt.Sprintf(format, args...), "")
}
