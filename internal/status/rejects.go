package status

import (
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cartwheel/internal/event"
)

// mostRejects is how many bytes of rejects files are read.
const mostRejects = 4 << 20

// rejectFiles are what producers left beside their sources in DATA_DIR/raw, counted again whenever one has changed.
type rejectFiles struct {
	seen  []rejectFile
	found Refused
}

type rejectFile struct {
	path    string
	written time.Time
	bytes   int64
}

func (r *rejectFiles) look(dataDir string, into *Refused) {
	paths, err := filepath.Glob(filepath.Join(dataDir, "raw", "*.rejects.csv"))
	var files []rejectFile
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			files = append(files, rejectFile{path, info.ModTime(), info.Size()})
		}
	}
	slices.SortFunc(files, func(a, b rejectFile) int { return b.written.Compare(a.written) })
	if err == nil && (r.found.Reasons == nil || !slices.Equal(files, r.seen)) {
		r.seen = files
		r.found, err = countRejects(files)
		r.found.Where = filepath.Join(dataDir, "raw", "*.rejects.csv")
	}
	*into = r.found
	if err != nil {
		into.Error = err.Error()
	}
}

func countRejects(files []rejectFile) (Refused, error) {
	var found Refused
	counts := map[string]int64{}
	var failed []error
	left := int64(mostRejects)
	for _, f := range files {
		read := min(left, f.bytes)
		left -= read
		n, err := countFile(f.path, read, counts)
		if err != nil {
			failed = append(failed, err)
		}
		found.Read += n
		if n > 0 {
			found.Total += max(n, n*f.bytes/read) // what was not read is taken to be alike
		}
	}
	found.Reasons = sorted(counts)
	return found, errors.Join(failed...)
}

// countFile counts the rows in a file's beginning, by the rule that they break. A row that is cut off there does not count.
func countFile(path string, most int64, counts map[string]int64) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	rows := csv.NewReader(io.LimitReader(f, most))
	rows.ReuseRecord, rows.LazyQuotes, rows.FieldsPerRecord = true, true, -1
	for {
		row, err := rows.Read()
		if err != nil || len(row) != 3 {
			return n, nil // the end, or a row in the making
		}
		if row[0] == "line" {
			continue
		}
		counts[event.Rule(errors.New(strings.TrimSpace(row[1])))]++
		n++
	}
}
