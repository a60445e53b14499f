// Package batchtest checks batch files against what should be in them, by means of its own: it shares no code with the writer but
// the name's form.
package batchtest

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Header is what every batch file must begin with.
const Header = "timestamp,visitorid,event,itemid,transactionid,eventid"

// Report is what a check found.
type Report struct {
	Files    int
	Rows     int
	Missing  int      // events that are in no file
	Repeated int      // rows whose event is in a file already
	Foreign  int      // rows whose event should not be there
	Problems []string // everything else: unfinished files, gaps, overlaps, damaged files
}

// OK tells whether every event is there once and nothing else is.
func (r Report) OK() bool {
	return r.Missing == 0 && r.Repeated == 0 && r.Foreign == 0 && len(r.Problems) == 0
}

func (r Report) String() string {
	return fmt.Sprintf("%d files, %d rows, %d missing, %d repeated, %d foreign, %d problems %.2000v", r.Files, r.Rows, r.Missing, r.Repeated, r.Foreign, len(r.Problems), r.Problems)
}

// Check compares the batch files in a folder with the ids of the events that should be in them.
func Check(dir string, want map[string]bool) (Report, error) {
	var r Report
	entries, err := os.ReadDir(dir)
	if err != nil {
		return r, err
	}
	type span struct{ first, last int64 }
	spans := map[int][]span{}
	seen := map[string]bool{}
	for _, e := range entries {
		var partition int
		var s span
		if n, err := fmt.Sscanf(e.Name(), "batch_%03d_%020d_%020d.csv", &partition, &s.first, &s.last); n != 3 || err != nil ||
			fmt.Sprintf("batch_%03d_%020d_%020d.csv", partition, s.first, s.last) != e.Name() {
			r.Problems = append(r.Problems, "unexpected: "+e.Name())
			continue
		}
		r.Files++
		spans[partition] = append(spans[partition], s)
		if err := r.file(filepath.Join(dir, e.Name()), int(s.last-s.first+1), want, seen); err != nil {
			return r, err
		}
	}
	for id := range want {
		if !seen[id] {
			r.Missing++
		}
	}
	for partition, list := range spans {
		sort.Slice(list, func(i, j int) bool { return list[i].first < list[j].first })
		for i := 1; i < len(list); i++ {
			if list[i].first != list[i-1].last+1 {
				r.Problems = append(r.Problems, fmt.Sprintf("partition %d: %v is followed by %v", partition, list[i-1], list[i]))
			}
		}
	}
	return r, nil
}

func (r *Report) file(path string, most int, want, seen map[string]bool) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name := filepath.Base(path)
	if !strings.HasPrefix(string(data), Header+"\n") || !strings.HasSuffix(string(data), "\n") {
		r.Problems = append(r.Problems, "cut off: "+name)
		return nil
	}
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil {
		r.Problems = append(r.Problems, fmt.Sprintf("damaged: %s: %v", name, err))
		return nil
	}
	if len(rows)-1 > most {
		r.Problems = append(r.Problems, fmt.Sprintf("%s has %d rows, more than the offsets in its name", name, len(rows)-1))
	}
	for _, row := range rows[1:] {
		r.Rows++
		id := row[5]
		switch {
		case !want[id]:
			r.Foreign++
		case seen[id]:
			r.Repeated++
		}
		seen[id] = true
	}
	return nil
}
