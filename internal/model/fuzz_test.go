package model_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

// Whatever a manifest holds, the version loads or is refused with ErrBadVersion.
func FuzzManifest(f *testing.F) {
	dir := modeltest.Write(f, f.TempDir(), modeltest.Random("x", 3, 8, 8, 2))
	sound, err := os.ReadFile(filepath.Join(dir, model.ManifestName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	f.Add([]byte(strings.ReplaceAll(string(sound), `"path": "`, `"path": "../`)))
	f.Add([]byte(`{"schema":1,"version":"x","parameters":{"rank":1e9},"counts":{"items":-1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, model.ManifestName), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := model.Load(dir); err != nil && !errors.Is(err, model.ErrBadVersion) {
			t.Errorf("loading gave %v", err)
		}
	})
}

// Whatever the first part of any table holds, though its checksum is right, the version loads or is refused with ErrBadVersion.
func FuzzTables(f *testing.F) {
	dir := modeltest.Write(f, f.TempDir(), modeltest.Random("x", 3, 8, 8, 2))
	manifest, err := model.ReadManifest(dir)
	if err != nil {
		f.Fatal(err)
	}
	var parts []string
	for _, file := range manifest.Files {
		if strings.Contains(file.Path, "part-00000") {
			parts = append(parts, file.Path)
		}
	}
	sound := make([][]byte, len(parts))
	for i, part := range parts {
		if sound[i], err = os.ReadFile(filepath.Join(dir, part)); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), sound[i])
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		i := int(which) % len(parts)
		path := filepath.Join(dir, parts[i])
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		modeltest.Seal(t, dir, *manifest)
		if _, err := model.Load(dir); err != nil && !errors.Is(err, model.ErrBadVersion) {
			t.Errorf("loading gave %v", err)
		}
		if err := os.WriteFile(path, sound[i], 0o644); err != nil {
			t.Fatal(err)
		}
	})
}
