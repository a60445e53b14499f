//go:build integration

package train

import (
	"errors"
	"strconv"
	"syscall"
	"testing"

	"cartwheel/internal/synthetic"
	"cartwheel/internal/synthetic/synthetictest"
)

// TestFaultDiskFull fills the disk under Spark's writing, at several moments of a training.
func TestFaultDiskFull(t *testing.T) {
	t.Parallel()
	b := emptyBench(t)
	err := syscall.Mount("tmpfs", b.dir, "tmpfs", 0, "size=64m,mode=755")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("mounting a small file system takes rights that this process has not: run it as root")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(b.dir, syscall.MNT_DETACH) })
	if _, err := synthetictest.WriteBatches(t.Context(), b.dir, synthetic.Settings{Events: 6_000, Seed: 1}, 1000); err != nil {
		t.Fatal(err)
	}
	resize := func(room int64) { // bytes beyond what is used
		t.Helper()
		var s syscall.Statfs_t
		if err := syscall.Statfs(b.dir, &s); err != nil {
			t.Fatal(err)
		}
		used := int64(s.Blocks-s.Bfree) * s.Bsize
		if err := syscall.Mount("tmpfs", b.dir, "tmpfs", syscall.MS_REMOUNT, "size="+strconv.FormatInt((used+room)>>10, 10)+"k"); err != nil {
			t.Fatal(err)
		}
	}
	// Too little for the store of events; then, for the store stays, the further the more room they have.
	rooms := []int64{64 << 10, 512 << 10}
	if full() {
		rooms = []int64{0, 64 << 10, 320 << 10, 400 << 10, 512 << 10, 768 << 10, 1 << 20}
	}
	for _, room := range rooms {
		resize(room)
		b.refused(1, []string{"space"}, small...)
	}
	b.clean()
	resize(64 << 20)
	b.train(small...)
	b.clean()
	b.sound()
}
