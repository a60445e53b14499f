package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cartwheel/internal/durable"
)

// Pruned is what Prune did, or would do, with one folder among the models.
type Pruned struct {
	Name    string `json:"version"`
	Removed bool   `json:"removed"`          // or to be removed
	Reason  string `json:"reason,omitempty"` // why it is kept, otherwise
	Bytes   int64  `json:"bytes"`            // of the files that its manifest lists
}

// Prune removes all versions but the champion, the champion before, and the newest keep ones. It leaves alone what is not plainly a
// version: folders without a manifest that it can read. With dry, it only tells what it would do. A version that is removed is gone
// at once, under its name: no reader sees it half.
func Prune(modelsDir string, keep int, dry bool) ([]Pruned, error) {
	unlock, err := lockChampion(modelsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unlock()
	kept := map[string]string{} // by name: why
	for _, by := range []struct {
		why  string
		read func(string) (string, error)
	}{{"the champion before", Previous}, {"the champion", Champion}} {
		name, err := by.read(modelsDir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w (nothing was removed)", err) // who knows what is being served
		}
		kept[name] = by.why
	}
	all, err := List(modelsDir)
	if err != nil {
		return nil, err
	}
	var done []Pruned
	newest := 0
	for _, l := range all {
		p := Pruned{Name: l.Name}
		switch {
		case l.Err != nil:
			p.Reason = "left alone: " + l.Err.Error()
		case kept[l.Name] != "":
			p.Reason = kept[l.Name]
		case newest < keep:
			p.Reason = fmt.Sprintf("one of the newest %d", keep)
		default:
			p.Removed = true
		}
		if l.Err == nil {
			newest++
			for _, f := range l.Manifest.Files {
				p.Bytes += f.Bytes
			}
		}
		if p.Removed && !dry {
			if err := remove(modelsDir, l.Name); err != nil {
				return done, err
			}
		}
		done = append(done, p)
	}
	return done, nil
}

// remove takes a version's name away first, so that what a crash leaves is a folder that the next training clears.
func remove(modelsDir, version string) error {
	gone := filepath.Join(modelsDir, durable.TempPrefix+"pruned-"+version+time.Now().UTC().Format("-150405.000000000"))
	if err := durable.Rename(filepath.Join(modelsDir, version), gone, true); err != nil {
		return fmt.Errorf("removing version %s: %w", version, err)
	}
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("removing version %s: %w", version, err)
	}
	return nil
}
