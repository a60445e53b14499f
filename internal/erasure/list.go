// Package erasure keeps the list of visitors who have been erased where trainings find it: erasures.csv in the data folder, which
// follows the compacted topic of erasures.
//
// It promises that whoever is once on the list stays on it, whoever else writes it, and that a reader sees a whole list. It ends there:
// what a training does about the visitors on it is the training's, and what becomes of old batch files, versions and backups is told in
// docs/erasure.md.
package erasure

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cartwheel/internal/durable"
	"cartwheel/internal/event"

	"golang.org/x/sys/unix"
)

// FileName is the list's name in the data folder: a CSV file of the columns visitorid and timestamp, by visitorid.
const FileName = "erasures.csv"

// ErrList is wrapped by errors that say the file is not what Add writes.
var ErrList = errors.New("bad list of erased visitors")

// List is when each erased visitor was erased (Unix ms), by his id.
type List map[string]int64

// Read returns the list of a data folder. A file that is not there lists nobody.
func Read(dataDir string) (List, error) {
	path := filepath.Join(dataDir, FileName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return List{}, nil
	} else if err != nil {
		return nil, fmt.Errorf("opening the list of erased visitors: %w", err)
	}
	defer f.Close()
	list, err := parse(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w (mend it; or remove it, and a consumer that starts makes it anew from the topic of erasures)", ErrList, path, err)
	}
	return list, nil
}

var header = []string{"visitorid", "timestamp"}

func parse(in io.Reader) (List, error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord = len(header)
	first, err := r.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !slices.Equal(first, header) {
		return nil, fmt.Errorf("it begins with %.80q, not with the line visitorid,timestamp", strings.Join(first, ","))
	}
	list := List{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err // names the line itself
		}
		line, _ := r.FieldPos(0)
		if err := event.ValidateID(header[0], row[0]); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if list[row[0]], err = strconv.ParseInt(row[1], 10, 64); err != nil {
			return nil, fmt.Errorf("line %d: the timestamp %.40q is no number of milliseconds", line, row[1])
		}
	}
}

// Add puts visitors on the list of a data folder, and returns how many were not on it. Who is on it stays as he is. Several processes
// may add at once.
func Add(dataDir string, more List) (added int, err error) {
	if len(more) == 0 {
		return 0, nil
	}
	if err := os.MkdirAll(dataDir, 0o755); err != nil {
		return 0, fmt.Errorf("creating the data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dataDir, "."+FileName+".lock"), os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return 0, fmt.Errorf("opening the lock of the list of erased visitors: %w", err)
	}
	defer lock.Close() // which ends the lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return 0, fmt.Errorf("locking the list of erased visitors: %w", err)
	}
	list, err := Read(dataDir)
	if err != nil {
		return 0, err
	}
	for visitor, at := range more {
		if _, known := list[visitor]; !known {
			list[visitor] = at
			added++
		}
	}
	if added == 0 {
		return 0, nil
	}
	return added, durable.WriteFile(filepath.Join(dataDir, FileName), list.write)
}

func (l List) write(out io.Writer) error {
	w := csv.NewWriter(out)
	_ = w.Write(header) // an error stays, and Error returns it
	for _, visitor := range slices.Sorted(maps.Keys(l)) {
		_ = w.Write([]string{visitor, strconv.FormatInt(l[visitor], 10)})
	}
	w.Flush()
	return w.Error()
}

// Has tells whether a visitor is on the list.
func (l List) Has(visitor string) bool { _, on := l[visitor]; return on }

// Sum is a checksum of who is on the list, and empty if nobody is.
func (l List) Sum() string {
	if len(l) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, visitor := range slices.Sorted(maps.Keys(l)) {
		_, _ = io.WriteString(sum, visitor+"\n") // no id holds a line's end
	}
	return hex.EncodeToString(sum.Sum(nil))
}
