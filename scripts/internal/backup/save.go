package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cartwheel/internal/batch"
	"cartwheel/internal/durable"
	"cartwheel/internal/erasure"
	"cartwheel/internal/model"
)

// saving is a backup in the making.
type saving struct {
	ctx     context.Context
	dataDir string
	dir     string
	sums    sums
	bytes   int64
	leftOut []string
}

// Save makes a backup of dataDir below to and returns its folder. Consumer and training may run: batch files and versions never change
// once they bear their names, so what matters is the order in which they are looked at. Versions come first and the batch files after
// them, so that there is every file that a version was made from; the champion's name is read when its version has been copied.
func Save(ctx context.Context, dataDir, to string, now time.Time) (dir string, s Summary, err error) {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return "", s, fmt.Errorf("creating the folder of backups: %w", err)
	}
	if err := outside(dataDir, to); err != nil {
		return "", s, err
	}
	name := prefix + now.UTC().Format("20060102T150405Z")
	dir = filepath.Join(to, name)
	if _, err := os.Lstat(dir); err == nil {
		return "", s, fmt.Errorf("%s exists already; try again in a second", dir)
	}
	unlock, err := alone(to)
	if err != nil {
		return "", s, err
	}
	defer unlock()
	staging := filepath.Join(to, durable.TempPrefix+name)
	if err := os.Mkdir(staging, 0o755); err != nil {
		return "", s, fmt.Errorf("beginning a backup: %w", err)
	}
	defer os.RemoveAll(staging) // after the rename there is nothing of this name
	b := &saving{ctx: ctx, dataDir: dataDir, dir: staging, sums: sums{}}
	err = b.models()
	if err == nil {
		err = b.batches()
	}
	if err == nil {
		err = b.erasures()
	}
	if err == nil && len(b.sums) == 0 {
		err = fmt.Errorf("there is nothing to back up in %s (--data-dir / DATA_DIR says where)", dataDir)
	}
	if err == nil {
		err = b.sums.write(staging)
	}
	if err == nil {
		err = durable.SyncTree(staging)
	}
	if err == nil {
		err = durable.Rename(staging, dir, true)
	}
	if err != nil {
		return "", s, explain(err)
	}
	s, err = summarize(dir)
	s.Bytes, s.LeftOut = b.bytes, b.leftOut
	return dir, s, err
}

// alone keeps two backups into one folder apart, and removes what one that was killed has left. The lock ends with the process.
func alone(to string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(to, ".lock"), os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the folder of backups: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another backup into %s is under way: %w", to, err)
	}
	return func() { _ = f.Close() }, removeUnfinished(to, prefix)
}

// removeUnfinished removes the folders that were never finished.
func removeUnfinished(dir, prefix string) error {
	left, err := filepath.Glob(filepath.Join(dir, durable.TempPrefix+prefix+"*"))
	for _, folder := range left {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	if err != nil {
		return fmt.Errorf("removing what was never finished: %w", err)
	}
	return nil
}

// outside refuses a place that would itself be taken for data.
func outside(dataDir, to string) error {
	where, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	for _, folder := range []string{batch.FolderName, modelsDir, "features"} {
		inner, err := filepath.Abs(filepath.Join(dataDir, folder))
		if err != nil {
			return err
		}
		if rel, err := filepath.Rel(inner, where); err == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("%s lies in %s: a backup there would be taken for data; choose another folder, best on another disk", to, inner)
		}
	}
	return nil
}

// copy copies a file of the data folder under the same path.
func (b *saving) copy(name string) (sum string, err error) {
	sum, n, err := copyFile(b.ctx, filepath.Join(b.dataDir, filepath.FromSlash(name)), filepath.Join(b.dir, filepath.FromSlash(name)))
	if err != nil {
		return "", fmt.Errorf("copying %s: %w", name, err)
	}
	b.sums[name] = sum
	b.bytes += n
	return sum, nil
}

// tries is how often it is looked again at what changed just then.
const tries = 5

// batches copies the batch files. A folder that is read while files get their names may lack one and have a later one: then it is read
// again.
func (b *saving) batches() error {
	dir := filepath.Join(b.dataDir, batch.FolderName)
	var entries []os.DirEntry
	for try := 1; ; try++ {
		var err error
		if entries, err = os.ReadDir(dir); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return fmt.Errorf("listing the batch files: %w", err)
		}
		if err = whole(dir, entries); err == nil {
			break
		}
		if try == tries || !errors.Is(err, batch.ErrFolder) {
			return err
		}
	}
	var bytes int64
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			bytes += info.Size()
		}
	}
	if err := room(b.dir, bytes); err != nil {
		return err
	}
	for _, entry := range entries {
		if _, ok := batch.ParseName(entry.Name()); !ok {
			continue
		}
		if _, err := b.copy(batch.FolderName + "/" + entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

// whole tells whether these entries are of batch files without gaps.
func whole(dir string, entries []os.DirEntry) error {
	next := map[int]int64{}
	for _, entry := range entries { // sorted by name, and so by partition and offset
		name, ok := batch.ParseName(entry.Name())
		if !ok {
			continue
		}
		if at, met := next[name.Partition]; met && at != name.First {
			_, err := batch.List(dir, name.Partition)
			if err == nil {
				err = fmt.Errorf("%w: files came while %s was listed", batch.ErrFolder, dir)
			}
			return err
		}
		next[name.Partition] = name.Last + 1
	}
	return nil
}

// erasures copies the list of erased visitors, last, so that it is the newest.
func (b *saving) erasures() error {
	_, err := b.copy(erasure.FileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nobody was erased
	}
	return err
}

// room says early that something will not fit.
func room(dir string, bytes int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("asking for the room in %s: %w", dir, err)
	}
	if free := int64(st.Bavail) * int64(st.Bsize); free < bytes {
		return fmt.Errorf("%d MB are to be written to %s, where %d MB are free: %w", bytes>>20, dir, free>>20, unix.ENOSPC)
	}
	return nil
}

// models copies the versions, and then the champion's name: a version of which nobody has said yet that it serves does no harm.
func (b *saving) models() error {
	dir := filepath.Join(b.dataDir, modelsDir)
	copied := map[string]bool{}
	for range tries {
		versions, err := model.List(dir)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if _, done := copied[v.Name]; done {
				continue
			}
			if copied[v.Name], err = b.version(v); err != nil {
				return err
			}
		}
		name, err := model.Champion(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		whole, met := copied[name]
		switch {
		case met && !whole:
			return fmt.Errorf("the champion %s is damaged, and a backup of it would help nobody: %s (go run ./sparkjobs/models rollback, or activate another version)",
				name, strings.Join(b.leftOut, "; "))
		case met:
			return b.names(dir, name, copied)
		} // a version that has become the champion since the list was made
	}
	return fmt.Errorf("the champion changed %d times during the backup; try again when no training runs", tries)
}

// names writes down the champion that was copied, and the one before if it was copied, too.
func (b *saving) names(dir, champion string, copied map[string]bool) error {
	write := func(name, version string) error {
		path := filepath.Join(b.dir, modelsDir, name)
		if err := os.WriteFile(path, []byte(version+"\n"), 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		sum, err := sumOf(b.ctx, path)
		b.sums[modelsDir+"/"+name] = sum
		b.bytes += int64(len(version) + 1)
		return err
	}
	if previous, err := model.Previous(dir); err == nil && copied[previous] {
		if err := write(previousName, previous); err != nil {
			return err
		}
	}
	return write(model.LatestName, champion)
}

// version copies a version, each file held against its manifest. One that is damaged, or pruned meanwhile, is left out.
func (b *saving) version(v model.Listed) (ok bool, err error) {
	out := func(why error) (bool, error) {
		for name := range b.sums {
			if strings.HasPrefix(name, modelsDir+"/"+v.Name+"/") {
				delete(b.sums, name)
			}
		}
		b.leftOut = append(b.leftOut, fmt.Sprintf("%s: %v", v.Name, why))
		return false, os.RemoveAll(filepath.Join(b.dir, modelsDir, v.Name))
	}
	if v.Err != nil {
		return out(v.Err)
	}
	var bytes int64
	for _, f := range v.Manifest.Files {
		bytes += f.Bytes
	}
	if err := room(b.dir, bytes); err != nil {
		return false, err
	}
	for _, f := range append([]model.File{{Path: model.ManifestName}}, v.Manifest.Files...) {
		name := modelsDir + "/" + v.Name + "/" + f.Path
		if !belongs(name) {
			return out(fmt.Errorf("its manifest lists %q", f.Path))
		}
		sum, err := b.copy(name)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist):
			return out(err)
		case err != nil:
			return false, err
		case f.SHA256 != "" && sum != f.SHA256:
			return out(fmt.Errorf("%s has not the checksum that the manifest gives", f.Path))
		}
	}
	return true, nil
}
