package model

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cartwheel/internal/durable"

	"golang.org/x/sys/unix"
)

const (
	// LatestName is the file in the models folder that holds the champion's name.
	LatestName = "LATEST"
	// previousName is the file beside it that holds the name of the champion before, to go back to.
	previousName = ".previous"
)

// ErrNoPrevious says that there is no champion to go back to.
var ErrNoPrevious = errors.New("there is no earlier champion")

// Champion returns the name of the version that is to be served. Errors wrap fs.ErrNotExist where none was chosen yet, and
// ErrBadVersion where what is written there cannot be a version's name.
func Champion(modelsDir string) (string, error) {
	return readName(filepath.Join(modelsDir, LatestName))
}

// Previous returns the name of the version that was the champion before, with errors as those of Champion.
func Previous(modelsDir string) (string, error) {
	return readName(filepath.Join(modelsDir, previousName))
}

func readName(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the champion's name: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, 2*maxNameBytes))
	if err != nil {
		return "", fmt.Errorf("reading the champion's name: %w", err)
	}
	name := strings.TrimRight(string(data), "\r\n")
	if err := CheckName(name); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return name, nil
}

// SetChampion makes a published version the one that is served, and keeps the name of the one before. It checks no more than the
// manifest: Activate does.
func SetChampion(modelsDir, version string) error {
	if _, err := ReadManifest(filepath.Join(modelsDir, version)); err != nil {
		return err
	}
	unlock, err := lockChampion(modelsDir)
	if err != nil {
		return err
	}
	defer unlock()
	// The earlier name is written first: a crash in between loses what was before it, and never names a champion that was not.
	if now, err := Champion(modelsDir); err == nil && now != version {
		if err := writeName(filepath.Join(modelsDir, previousName), now); err != nil {
			return err
		}
	}
	return writeName(filepath.Join(modelsDir, LatestName), version)
}

// lockChampion keeps a version from being pruned while it is made the champion. It waits: whoever holds it is soon done.
func lockChampion(modelsDir string) (unlock func(), err error) {
	return lock(filepath.Join(modelsDir, ".champion-lock"), unix.LOCK_EX)
}

func writeName(path, name string) error {
	return durable.WriteFile(path, func(w io.Writer) error {
		_, err := io.WriteString(w, name+"\n")
		return err
	})
}

// Activate makes a version the champion once check finds nothing wrong with its folder, and returns its manifest. A version that does
// not exist gives fs.ErrNotExist, and nothing changes.
func Activate(modelsDir, version string, check func(dir string) error) (*Manifest, error) {
	m, err := FindManifest(modelsDir, version)
	if err != nil {
		return nil, err
	}
	if err := check(filepath.Join(modelsDir, version)); err != nil {
		return nil, fmt.Errorf("checking %s: %w", version, err)
	}
	return m, SetChampion(modelsDir, version)
}

// Rollback makes the champion before this one the champion again, as Activate does. Done twice, it is undone. ErrNoPrevious says that
// there was none.
func Rollback(modelsDir string, check func(dir string) error) (*Manifest, error) {
	now, err := Champion(modelsDir)
	if err != nil && !errors.Is(err, ErrBadVersion) { // a LATEST that names nothing is all the more reason to go back
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNoPrevious
		}
		return nil, err
	}
	previous, err := Previous(modelsDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoPrevious
	case err != nil:
		return nil, err
	case previous == now:
		return nil, fmt.Errorf("%w on record but %s itself", ErrNoPrevious, now)
	}
	return Activate(modelsDir, previous, check)
}

// FindManifest reads the manifest of the version of that name. Where there is none of the name, errors wrap fs.ErrNotExist.
func FindManifest(modelsDir, version string) (*Manifest, error) {
	if err := CheckName(version); err != nil {
		return nil, err
	}
	dir := filepath.Join(modelsDir, version)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no version %q in %s: %w", version, modelsDir, fs.ErrNotExist)
	}
	return ReadManifest(dir)
}
