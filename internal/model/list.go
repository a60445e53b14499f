package model

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const maxNameBytes = 128

// CheckName makes sure that a version's name is a plain folder name and no way out of the models folder.
func CheckName(name string) error {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
	}
	if name == "" || len(name) > maxNameBytes || name[0] == '.' || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		if len(name) > maxNameBytes {
			name = name[:maxNameBytes] + "…"
		}
		return fmt.Errorf("%w: %q cannot be a version's name (letters, digits, '-', '_' and '.', not first)", ErrBadVersion, name)
	}
	return nil
}

// Listed is one folder among the models: a version, or why it is none.
type Listed struct {
	Name     string
	Manifest *Manifest // nil if Err is not
	Err      error
}

// List returns what is in the models folder, newest first, going by the manifests alone. A folder that does not exist holds none.
func List(modelsDir string) ([]Listed, error) {
	entries, err := os.ReadDir(modelsDir)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("listing the models: %w", err)
	}
	var all []Listed
	for _, entry := range entries {
		if !entry.IsDir() || CheckName(entry.Name()) != nil {
			continue
		}
		m, err := ReadManifest(filepath.Join(modelsDir, entry.Name()))
		all = append(all, Listed{Name: entry.Name(), Manifest: m, Err: err})
	}
	slices.Reverse(all) // ReadDir sorts by name, and names begin with the time of training
	return all, nil
}
