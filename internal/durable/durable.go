// Package durable writes files and folders that are either wholly there or not there at all, whatever kills the process or the
// machine in between: written under a name that begins with a dot, synced, renamed, and the parent folder synced.
//
// It ends at the file system, which must rename atomically and mean what it says about syncing.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// TempPrefix begins the name of everything unfinished. Spark, and Cartwheel's own readers, pass over such names.
const TempPrefix = ".tmp-"

// WriteFile replaces path atomically with what write writes. A reader sees the old contents or the new, never a part.
func WriteFile(path string, write func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := write(f); err != nil {
		return err
	}
	return f.Replace()
}

// File is a file in the making: its contents become visible under its path only with Publish or Replace.
type File struct {
	*os.File
	path string
	done bool
}

// Create begins a file that will be path. It creates missing parent folders.
func Create(path string) (*File, error) {
	dir, base := filepath.Split(path)
	if err := os.MkdirAll(filepath.Clean(dir), 0o755); err != nil {
		return nil, fmt.Errorf("creating the folder for %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Clean(dir), TempPrefix+base+"-*")
	if err != nil {
		return nil, fmt.Errorf("creating a temporary file for %s: %w", path, err)
	}
	if err := f.Chmod(0o644); err != nil { // CreateTemp makes 0600, which other services' users could not read
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, fmt.Errorf("creating a temporary file for %s: %w", path, err)
	}
	return &File{File: f, path: path}, nil
}

// Publish makes the file visible, synced, and refuses with fs.ErrExist if the path is taken: what is published never changes.
func (f *File) Publish() error { return f.finish(unix.RENAME_NOREPLACE) }

// Replace makes the file visible, synced, in place of what the path held before.
func (f *File) Replace() error { return f.finish(0) }

func (f *File) finish(flags uint) error {
	defer f.Abort()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", f.path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", f.path, err)
	}
	if err := Rename(f.Name(), f.path, flags == unix.RENAME_NOREPLACE); err != nil {
		return err
	}
	f.done = true
	return nil
}

// Abort removes an unfinished file. After Publish or Replace it does nothing, so that it can be deferred.
func (f *File) Abort() {
	if !f.done {
		f.done = true
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
}

// Rename renames a file or folder and syncs the parent folder. With refuse, a taken name gives fs.ErrExist.
func Rename(from, to string, refuse bool) error {
	var err error
	if refuse {
		err = unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system without RENAME_NOREPLACE, such as NFS
			err = renameByLink(from, to)
		}
	} else {
		err = os.Rename(from, to)
	}
	if err != nil {
		return &fs.PathError{Op: "publish", Path: to, Err: err}
	}
	return syncDir(filepath.Dir(to))
}

// renameByLink relies on link(2), which refuses a taken name on every file system. Folders cannot be linked, and a folder's
// rename refuses a non-empty target by itself.
func renameByLink(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.Rename(from, to)
	}
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing folder %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing folder %s: %w", dir, err)
	}
	return nil
}

// SyncTree makes a folder and everything below it durable, for folders whose files another program wrote.
func SyncTree(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return syncDir(path)
		}
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("syncing %s: %w", path, err)
		}
		defer f.Close()
		if err := f.Sync(); err != nil {
			return fmt.Errorf("syncing %s: %w", path, err)
		}
		return nil
	})
}
