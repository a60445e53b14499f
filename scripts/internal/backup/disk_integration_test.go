//go:build integration

package backup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mount puts a small file system in place of a folder, or skips the test where that is not allowed.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("mounting a small file system takes rights that this process has not: run it as root")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// A backup is refused for want of room before it is begun where that can be known, and leaves nothing half-written where it cannot:
// the second file system has room for the bytes, and not for their files.
func TestDiskFull(t *testing.T) {
	s := setup(t)
	dir, _ := s.save()
	for _, options := range []string{"size=40k", "size=4m,nr_inodes=9"} {
		to := filepath.Join(t.TempDir(), "small")
		mount(t, to, options)
		_, _, err := Save(t.Context(), s.data, to, s.now.Add(time.Hour))
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "make room") {
			t.Errorf("%s: %v", options, err)
		}
		t.Log(err)
		s.clean(to)
		_, _, err = Restore(t.Context(), dir, to, false, s.now)
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "make room") {
			t.Errorf("%s: %v", options, err)
		}
		s.clean(to)
		if occupied, err := holdsData(to); occupied || err != nil {
			t.Errorf("something was restored: %v", err)
		}
	}
}
