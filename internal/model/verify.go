package model

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// verifyFiles holds every file of a version against the size and checksum that its manifest gives, and returns their names.
func verifyFiles(root *os.Root, files []File, p *pace) ([]string, error) {
	names := make([]string, len(files))
	met := map[string]bool{}
	for i, f := range files {
		// A manifest comes from a disk that others write to: it must not make this program read elsewhere.
		if !filepath.IsLocal(f.Path) || path.Clean(f.Path) != f.Path || strings.ContainsAny(f.Path, "\\\x00") || f.Path == ManifestName {
			return nil, fmt.Errorf("%w: %s lists %q, which is not a plain path inside the version", ErrBadVersion, ManifestName, f.Path)
		}
		if met[f.Path] {
			return nil, fmt.Errorf("%w: %s lists %s twice", ErrBadVersion, ManifestName, f.Path)
		}
		met[f.Path] = true
		names[i] = f.Path
	}
	group := p.group()
	for _, f := range files {
		group.Go(func() error {
			if err := verifyFile(root, f, p); err != nil {
				return fmt.Errorf("%w: checking %s: %w", ErrBadVersion, f.Path, err)
			}
			return nil
		})
	}
	return names, group.Wait()
}

// verifyFolder makes sure that a folder whose part-* files are read has none that the manifest does not list. Others, such as Spark's
// own checksums, need not be listed. A folder that does not exist has none.
func verifyFolder(root *os.Root, folder string, names []string) error {
	err := fs.WalkDir(root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), "part-") || slices.Contains(names, name) {
			return err
		}
		return fmt.Errorf("%s is there, and %s does not list it", name, ManifestName)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: checking %s: %w", ErrBadVersion, folder, err)
	}
	return nil
}

func verifyFile(root *os.Root, f File, p *pace) error {
	file, err := openRegular(root, f.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != f.Bytes {
		return fmt.Errorf("it has %d bytes, the manifest says %d", info.Size(), f.Bytes)
	}
	sum := sha256.New()
	for err == nil {
		p.rest()
		_, err = io.CopyN(sum, file, 1<<20)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("its SHA-256 is %s, the manifest says %q", got, f.SHA256)
	}
	return nil
}
