//go:build integration

package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"cartwheel/internal/batch"
	"cartwheel/internal/kafka/kafkatest"
)

// mount puts a small file system in place of the batch folder, or skips the test where that is not allowed.
func (b *bench) mount(options string) {
	b.t.Helper()
	if err := os.MkdirAll(b.folder(), 0o755); err != nil {
		b.t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", b.folder(), "tmpfs", 0, options)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		b.t.Skip("mounting a small file system takes rights that this process has not: run it as root")
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = syscall.Unmount(b.folder(), syscall.MNT_DETACH) })
}

func (b *bench) remount(flags uintptr, options string) {
	b.t.Helper()
	if err := syscall.Mount("tmpfs", b.folder(), "tmpfs", syscall.MS_REMOUNT|flags, options); err != nil {
		b.t.Fatal(err)
	}
}

// damaged wants a clear error, no offset beyond the files, and nothing half-written.
func (b *bench) damaged(says string) {
	b.t.Helper()
	r := b.consume(context.Background())
	if r.code != 1 || !strings.Contains(r.errors, says) || !strings.Contains(r.errors, b.folder()) {
		b.t.Errorf("code %d, %s", r.code, r.errors)
	}
	b.t.Log(strings.TrimSpace(r.errors))
	report := b.report()
	if report.Repeated != 0 || report.Foreign != 0 || len(report.Problems) != 0 || report.Missing == 0 {
		b.t.Errorf("%v", report)
	}
	for p := range 3 {
		names, err := batch.List(b.folder(), p)
		if err != nil {
			b.t.Fatal(err)
		}
		covered := int64(0)
		if len(names) > 0 {
			covered = names[len(names)-1].Last + 1
		}
		if at := committedOffset(b.t, b, p); at > covered {
			b.t.Errorf("partition %d: offset %d is committed, but the files go up to %d", p, at, covered)
		}
	}
}

func TestFaultDiskFull(t *testing.T) {
	b := setup(t, kafkatest.Real(t))
	b.mount("size=120k")
	b.send(2000)
	b.damaged("no space left on device")
	b.damaged("no space left on device")
	b.remount(0, "size=8m")
	b.mustConsume()
	if r := b.report(); !r.OK() {
		t.Error(r)
	}
}

func TestFaultReadOnlyFolder(t *testing.T) {
	b := setup(t, kafkatest.Real(t))
	b.mount("size=8m")
	b.send(120)
	b.mustConsume()
	b.send(500)
	b.remount(syscall.MS_RDONLY, "size=8m")
	b.damaged("read-only file system")
	b.remount(0, "size=8m")
	b.mustConsume()
	if r := b.report(); !r.OK() {
		t.Error(r)
	}
}
