package main

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"cartwheel/internal/model/modeltest"
)

// Where LATEST may not be written, activating changes nothing and says what would help.
func TestActivateWhereNothingMayBeWritten(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	modeltest.Write(t, p.models, shop("v2"))
	protect(t, p.models)
	p.do(t, "POST", "/v1/models/v2/activate", "").problem(t, 409, "version", "may not write LATEST")
	if list := p.do(t, "GET", "/v1/items/popular", "").items(t); list.ModelVersion != "v1" {
		t.Errorf("answered from %s", list.ModelVersion)
	}
}

// protect makes a folder read-only: by its mode, or for root, whom no mode stops, by a mount.
func protect(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(dir, 0o755) }) // or the folder could not be removed
		return
	}
	err := syscall.Mount(dir, dir, "", syscall.MS_BIND, "")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("root may write anywhere, and this one may not mount a folder read-only")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}
