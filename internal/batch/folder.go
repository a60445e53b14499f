package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"cartwheel/internal/durable"
	"cartwheel/internal/event"
)

const (
	// FolderName is where batch files live below the data folder.
	FolderName = "processed_batches"
	// Group is the consumer group that writes them, unless a program is told another.
	Group = "cartwheel-batches"
)

var (
	// ErrFolder is wrapped by errors that say the batch files in a folder cannot be what a consumer of this topic left.
	ErrFolder = errors.New("the batch files do not fit")
	// errFenced says that another consumer has taken the partition over.
	errFenced = errors.New("another consumer has taken over")
)

// List returns the batch files of one partition, in order, and checks that each begins where the one before it ends.
func List(dir string, partition int) ([]Name, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing batch files: %w", err)
	}
	var names []Name
	for _, e := range entries {
		if n, ok := ParseName(e.Name()); ok && n.Partition == partition {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b Name) int { return int(max(-1, min(1, a.First-b.First))) })
	for i := 1; i < len(names); i++ {
		a, b := names[i-1], names[i]
		switch {
		case b.First <= a.Last:
			return nil, fmt.Errorf("%w: %s and %s in %s overlap; offsets %d to %d are there twice. Remove the file that does not belong there",
				ErrFolder, a, b, dir, b.First, min(a.Last, b.Last))
		case b.First > a.Last+1:
			return nil, fmt.Errorf("%w: offsets %d to %d of partition %d are missing between %s and %s in %s. Bring the missing files back, or move the later ones away to have them written again",
				ErrFolder, a.Last+1, b.First-1, partition, a, b, dir)
		}
	}
	return names, nil
}

// checkFolder says before anything is read that nothing could be written.
func checkFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("creating the batch folder: %w (--data-dir / DATA_DIR says where)", err)
	}
	probe, err := os.CreateTemp(dir, durable.TempPrefix+"probe-*")
	if err != nil {
		return fmt.Errorf("writing to the batch folder: %w (--data-dir / DATA_DIR says where)", err)
	}
	_ = probe.Close()
	return os.Remove(probe.Name())
}

// lastEventID returns the id in the last row of a batch file, or "" if it has no rows.
func lastEventID(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	const tail = 8 << 10 // more than the longest row
	b := make([]byte, min(size, tail))
	if _, err := f.ReadAt(b, size-int64(len(b))); err != nil {
		return "", err
	}
	if !bytes.HasSuffix(b, []byte("\n")) {
		return "", fmt.Errorf("%w: %s does not end with a line feed: it was cut off or changed", ErrFolder, path)
	}
	b = b[:len(b)-1]
	row := b[bytes.LastIndexByte(b, '\n')+1:]
	if string(row) == event.BatchHeader {
		return "", nil
	}
	var e event.Event
	if err := event.ParseBatchRow(row, &e); err != nil {
		return "", fmt.Errorf("%w: the last row of %s: %w", ErrFolder, path, err)
	}
	return strings.Clone(e.EventID), nil
}

// claim is a consumer's hold on one partition's batch files: a folder of its own below the batch folder, in which it writes what is
// unfinished. Whoever claims a partition first makes its own folder, then takes every other claim's folder away, and only then looks
// at what has been published. A consumer that lost the partition without knowing it, because it was stopped or cut off, can from
// then on neither begin a file nor rename one to its final name, for the folder that it names is gone. So two consumers can never
// publish the same offsets, under whatever names.
type claim struct {
	dir       string // the batch folder
	own       string
	partition int
}

func newClaim(dir string, partition int) (*claim, error) {
	prefix := fmt.Sprintf(".batch_%03d_", partition)
	c := &claim{dir: dir, partition: partition, own: filepath.Join(dir, prefix+uuid.NewString())}
	err := os.MkdirAll(c.own, 0o755)
	if err == nil {
		err = c.evict(prefix)
	}
	if err != nil {
		c.release()
		return nil, fmt.Errorf("claiming the batch files of partition %d: %w", partition, err)
	}
	return c, nil
}

// evict takes all other claims away, and what they left unfinished.
func (c *claim) evict(prefix string) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(c.dir, e.Name())
		gone := filepath.Join(c.dir, durable.TempPrefix+e.Name())
		switch {
		case path == c.own:
			continue
		case strings.HasPrefix(e.Name(), prefix):
			// The rename is what takes effect at once; removing what is in the folder may take a while and be disturbed.
			if err := os.Rename(path, gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		case strings.HasPrefix(e.Name(), durable.TempPrefix+prefix): // evicted by a consumer that was killed before it had removed it
			gone = path
		default:
			continue
		}
		if err := os.RemoveAll(gone); err != nil {
			return err
		}
	}
	return nil
}

// release gives the claim up and removes what is unfinished.
func (c *claim) release() { _ = os.RemoveAll(c.own) }

// fenced turns the error of a file operation into errFenced if the reason is that the claim is gone.
func (c *claim) fenced(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if _, stat := os.Stat(c.own); errors.Is(stat, fs.ErrNotExist) {
			return fmt.Errorf("%w partition %d: %w", errFenced, c.partition, err)
		}
	}
	return err
}
