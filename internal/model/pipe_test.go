package model_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"cartwheel/internal/model"
)

// pipe puts a named pipe where a file should be: a reader that opens it would wait for ever. Sealing must not meet it.
func pipe(name string) change {
	return func(t *testing.T, dir string, _ *model.Manifest) {
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func both(a, b change) change {
	return func(t *testing.T, dir string, m *model.Manifest) {
		a(t, dir, m)
		b(t, dir, m)
	}
}
