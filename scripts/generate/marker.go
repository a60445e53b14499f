package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"cartwheel/internal/synthetic"
)

const (
	markerName     = "GENERATED.json"
	treeName       = "category_tree.csv"
	propertiesName = "item_properties.csv"
)

// marker is GENERATED.json: what tells a generated set from a real one, and one generated set from another.
type marker struct {
	Notice     string `json:"notice"`
	Generator  int    `json:"generator_version"`
	Seed       uint64 `json:"seed"`
	Events     int    `json:"events"`
	Categories int    `json:"categories"`
	synthetic.Counts
	SHA256 map[string]string `json:"sha256"` // by name of file
}

func newMarker(s settings, shop *synthetic.Shop) marker {
	return marker{
		Notice: "This is generated data, invented by `go run ./scripts/generate`: no real shop, visitor or order is behind it. " +
			"It follows the published figures of the RetailRocket data set but holds nothing of it.",
		Generator:  synthetic.Version,
		Seed:       s.Seed,
		Events:     s.Events,
		Categories: shop.Categories(),
		SHA256:     map[string]string{},
	}
}

// alreadyThere tells whether the set that s describes is whole in its place. It is an error if writing it would replace anything
// but what is left of an interrupted run with the same settings.
func alreadyThere(s settings) (bool, error) {
	const hint = "it was left as it is; choose another folder with --out, or replace it with --force"
	dir := filepath.Dir(s.out)
	names := []string{filepath.Base(s.out), treeName, propertiesName}
	m, err := readMarker(filepath.Join(dir, markerName))
	if err != nil {
		return false, fmt.Errorf("%w; %s", err, hint)
	}
	same := m.Generator == synthetic.Version && m.Seed == s.Seed && m.Events == s.Events && m.SHA256[names[0]] != ""
	if !same {
		names = slices.Concat(names, slices.Sorted(maps.Keys(m.SHA256)))
	}
	there := 0
	for _, name := range names {
		path := filepath.Join(dir, filepath.Base(name))
		sum, err := sumFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return false, err
		case m.SHA256[name] == "":
			return false, fmt.Errorf("%s exists and was not generated; %s", path, hint)
		case sum != m.SHA256[name]:
			return false, fmt.Errorf("%s is not, or no longer, the file that %s describes; %s", path, markerName, hint)
		case !same:
			return false, fmt.Errorf("%s belongs to another generated set (%d events, seed %d, generator version %d); %s",
				path, m.Events, m.Seed, m.Generator, hint)
		}
		there++
	}
	return there == len(names), nil
}

// readMarker gives the zero marker where there is none.
func readMarker(path string) (marker, error) {
	var m marker
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("reading the marker of the generated data: %w", err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("reading the marker of the generated data: %s: %w", path, err)
	}
	return m, nil
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
