package model

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cartwheel/internal/durable"

	"golang.org/x/sys/unix"
)

// ErrBusy says that another training holds the models folder.
var ErrBusy = errors.New("another training is running")

// Lock keeps two trainings from running on one models folder at once, and creates the folder. The lock ends with unlock or with the
// process, however it ends. A held lock gives ErrBusy at once.
func Lock(modelsDir string) (unlock func(), err error) {
	if err := os.MkdirAll(modelsDir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the models folder: %w", err)
	}
	return lock(filepath.Join(modelsDir, ".lock"), unix.LOCK_EX|unix.LOCK_NB)
}

func lock(path string, how int) (unlock func(), err error) {
	// Read-only, for a lock needs no more, and the file may be of another user: of a training in a container, say.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: it holds %s", ErrBusy, path)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// Staging is a version in the making: a folder whose name begins with a dot until Publish gives it the version's.
type Staging struct {
	Version string // the name it will bear
	Dir     string // where it is now
}

// Stage makes a staging folder under a new version's name, and removes what trainings that died have left behind; so call it under
// Lock only. With shared, the folder is open to every user of the machine, for a Spark cluster that runs as another one.
func Stage(modelsDir string, now time.Time, shared bool) (*Staging, error) {
	left, err := filepath.Glob(filepath.Join(modelsDir, durable.TempPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("looking for unfinished versions: %w", err)
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("removing the unfinished version %s: %w", dir, err)
		}
	}
	var id [3]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("naming the version: %w", err)
	}
	name := now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(id[:])
	s := &Staging{Version: name, Dir: filepath.Join(modelsDir, durable.TempPrefix+name)}
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the staging folder: %w", err)
	}
	if shared {
		if err := os.Chmod(s.Dir, 0o777); err != nil {
			return nil, fmt.Errorf("opening the staging folder to Spark: %w", err)
		}
	}
	return s, nil
}

// Abort removes the staging folder. After Publish it does nothing. A task of Spark's that is being stopped may make anew the folder that
// it was writing into, so it looks again.
func (s *Staging) Abort() {
	for range 10 {
		if _, err := os.Lstat(s.Dir); errors.Is(err, fs.ErrNotExist) {
			return
		}
		_ = os.RemoveAll(s.Dir)
		time.Sleep(100 * time.Millisecond)
	}
}

// Seal writes the manifest of the version in dir, completed with the files' sizes and checksums.
func Seal(dir, version string, m *Manifest) error {
	m.Schema, m.Version = Schema, version
	var err error
	if m.Files, err = inventory(dir); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ManifestName), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	return nil
}

// Publish seals the version, makes everything durable and gives the folder its name.
func (s *Staging) Publish(m *Manifest) error {
	if err := Seal(s.Dir, s.Version, m); err != nil {
		return err
	}
	if err := os.Chmod(s.Dir, 0o755); err != nil {
		return fmt.Errorf("closing the staging folder: %w", err)
	}
	if err := durable.SyncTree(s.Dir); err != nil {
		return err
	}
	return durable.Rename(s.Dir, filepath.Join(filepath.Dir(s.Dir), s.Version), true)
}

// inventory lists the files of a version. Names that begin with a dot, such as Hadoop's checksum files, are not part of it.
func inventory(dir string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		sum := sha256.New()
		n, err := io.Copy(sum, f)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files = append(files, File{Path: filepath.ToSlash(rel), Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the version's files: %w", err)
	}
	return files, nil
}
