package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/durable"
	"cartwheel/internal/erasure"
	"cartwheel/internal/model"
	"cartwheel/internal/serve"
)

// ErrOccupied says that there are data where a backup was to be restored.
var ErrOccupied = errors.New("there are data already")

// Verify reads a backup whole and holds it against its checksums; and its champion against what a server asks of one.
func Verify(ctx context.Context, dir string) (Summary, error) {
	list, err := readSums(dir)
	if err != nil {
		return Summary{}, err
	}
	if err := nothingElse(dir, list); err != nil {
		return Summary{}, err
	}
	var bytes int64
	for name, want := range list {
		path := filepath.Join(dir, filepath.FromSlash(name))
		got, err := sumOf(ctx, path)
		if err != nil {
			return Summary{}, fmt.Errorf("%w: reading %s: %w", ErrBad, name, err)
		}
		if got != want {
			return Summary{}, wrongSum(name, got, want)
		}
		if info, err := os.Stat(path); err == nil {
			bytes += info.Size()
		}
	}
	s, err := sound(dir)
	s.Bytes = bytes
	return s, err
}

func wrongSum(name, got, want string) error {
	return fmt.Errorf("%w: %s was changed: its SHA-256 is %s, %s says %s (take another backup)", ErrBad, name, got, sumsName, want)
}

// sound checks what checksums cannot: that the batch files have no gaps, that the erased visitors are known, and that the champion
// can be served.
func sound(root string) (Summary, error) {
	s, err := summarize(root)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrBad, err)
	}
	if _, err := erasure.Read(root); err != nil {
		return s, fmt.Errorf("%w: %w", ErrBad, err)
	}
	if s.Champion == "" {
		return s, nil
	}
	if err := serve.Check(filepath.Join(root, modelsDir, s.Champion)); err != nil {
		return s, fmt.Errorf("%w: %w", ErrBad, err)
	}
	return s, nil
}

// nothingElse refuses a backup with files that its list does not name: the list was cut off, or something was put there.
func nothingElse(dir string, list sums) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBad, err)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || d.IsDir() || name == sumsName {
			return err
		}
		if !d.Type().IsRegular() || list[filepath.ToSlash(name)] == "" {
			return fmt.Errorf("%w: %s holds %s, which %s does not name", ErrBad, dir, name, sumsName)
		}
		return nil
	})
}

func sumOf(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, reader{ctx, f}); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// folders are those that a restore replaces. The store of events is one of them, for it is made from batch files that are replaced.
var folders = []string{"features", batch.FolderName, modelsDir}

// Restore puts a backup into dataDir. Everything is copied into a hidden folder there, checked and synced; then the folders change
// places, the models last. Data that are there are ErrOccupied, or with force moved into a folder whose path is returned: nothing is
// ever deleted.
func Restore(ctx context.Context, dir, dataDir string, force bool, now time.Time) (s Summary, aside string, err error) {
	list, err := readSums(dir)
	if err != nil {
		return s, "", err
	}
	if err := nothingElse(dir, list); err != nil {
		return s, "", err
	}
	occupied, err := holdsData(dataDir)
	if err != nil {
		return s, "", err
	}
	if occupied && !force {
		return s, "", fmt.Errorf("%w in %s: --force moves them aside, into a folder beside them; or choose another --data-dir", ErrOccupied, dataDir)
	}
	// A training that is under way would publish into what is moved aside.
	unlock, err := model.Lock(filepath.Join(dataDir, modelsDir))
	if err != nil {
		return s, "", fmt.Errorf("%w (stop it, or wait for its end)", err)
	}
	defer unlock()
	const unfinished = "restore-"
	if err := removeUnfinished(dataDir, unfinished); err != nil {
		return s, "", err
	}
	staging, err := os.MkdirTemp(dataDir, durable.TempPrefix+unfinished+"*")
	if err != nil {
		return s, "", fmt.Errorf("beginning to restore: %w", err)
	}
	defer os.RemoveAll(staging)
	for name, want := range list {
		got, n, err := copyFile(ctx, filepath.Join(dir, filepath.FromSlash(name)), filepath.Join(staging, filepath.FromSlash(name)))
		if err != nil {
			return s, "", explain(fmt.Errorf("copying %s: %w", name, err))
		}
		if got != want {
			return s, "", wrongSum(name, got, want)
		}
		s.Bytes += n
	}
	bytes := s.Bytes
	if s, err = sound(staging); err != nil {
		return s, "", err
	}
	s.Bytes = bytes
	if err := durable.SyncTree(staging); err != nil {
		return s, "", explain(err)
	}
	// Who was erased since the backup stays so: the lists are joined, before there are batch files that want them.
	erased, err := erasure.Read(staging)
	if err == nil {
		_, err = erasure.Add(dataDir, erased)
	}
	if err != nil {
		return s, "", explain(err)
	}
	aside, err = exchange(dataDir, staging, occupied, now)
	return s, aside, err
}

// holdsData tells whether there is anything that a restore would displace: batch files, versions, a champion's name.
func holdsData(dataDir string) (bool, error) {
	for _, folder := range []string{batch.FolderName, modelsDir} {
		entries, err := os.ReadDir(filepath.Join(dataDir, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("looking for data: %w", err)
		}
		for _, entry := range entries {
			if entry.Name()[0] != '.' { // locks, claims of consumers, what is unfinished
				return true, nil
			}
		}
	}
	return false, nil
}

// exchange moves what is there aside and what was restored into its place.
func exchange(dataDir, staging string, occupied bool, now time.Time) (aside string, err error) {
	aside = filepath.Join(dataDir, "before-restore-"+now.UTC().Format("20060102T150405Z"))
	if !occupied {
		aside = filepath.Join(staging, "aside") // empty folders, which go with the staging folder
	}
	if err := os.Mkdir(aside, 0o755); err != nil {
		return "", fmt.Errorf("making a folder for what is there: %w", err)
	}
	for _, folder := range folders {
		old, ready := filepath.Join(dataDir, folder), filepath.Join(staging, folder)
		mode := fs.FileMode(0o755)
		if info, err := os.Stat(old); err == nil {
			mode = info.Mode().Perm() // Docker's Spark writes there as another user
		}
		if err := os.Rename(old, filepath.Join(aside, folder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("moving %s aside: %w (is it a mount of its own? then stop what uses it, and restore into another --data-dir)", old, err)
		}
		if err := os.MkdirAll(ready, mode); err != nil {
			return "", fmt.Errorf("restoring %s: %w", old, err)
		}
		if err := os.Chmod(ready, mode); err != nil {
			return "", fmt.Errorf("restoring %s: %w", old, err)
		}
		if err := durable.Rename(ready, old, true); err != nil {
			return "", fmt.Errorf("restoring %s: %w (what was there is in %s)", old, err, aside)
		}
	}
	if !occupied {
		return "", nil
	}
	return aside, nil
}
