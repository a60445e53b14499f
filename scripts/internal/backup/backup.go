// Package backup copies batch files, versions and the list of erased visitors out of a data folder and back, with checksums.
//
// It promises that a backup is whole or bears no name: it is made in a folder that begins with a dot, synced, and renamed; that it is
// one that a consumer and a training could have left, whatever they did meanwhile; and that a restore changes nothing before every byte
// of the backup was read and found right. It ends where other things begin that a shop keeps: what lies in Kafka, data/raw,
// data/catalogue. What can be made anew from batch files (data/features) is left out.
//
// A backup is a folder as the data folder is, and SHA256SUMS beside it, which `sha256sum --check` understands.
package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"cartwheel/internal/batch"
	"cartwheel/internal/durable"
	"cartwheel/internal/erasure"
	"cartwheel/internal/model"
)

const (
	// sumsName is the file that lists the backup's files with their checksums.
	sumsName = "SHA256SUMS"
	// prefix begins a backup's name; the time in UTC follows.
	prefix = "cartwheel-"

	modelsDir    = "models"
	previousName = ".previous" // package model's
)

// ErrBad is wrapped by errors that say a backup is not what was once written.
var ErrBad = errors.New("bad backup")

// Summary says what a backup holds.
type Summary struct {
	Batches  int
	Versions []string
	Champion string // empty if there was none
	Bytes    int64
	Next     map[int]int64 // by partition, the offset at which a consumer goes on
	LeftOut  []string      // versions that are damaged, and why
}

// sums are checksums by path, with forward slashes.
type sums map[string]string

func (s sums) write(dir string) error {
	return durable.WriteFile(filepath.Join(dir, sumsName), func(w io.Writer) error {
		out := bufio.NewWriter(w)
		for _, name := range slices.Sorted(maps.Keys(s)) {
			fmt.Fprintf(out, "%s  %s\n", s[name], name)
		}
		return out.Flush()
	})
}

// readSums reads the list, and refuses what does not belong into a backup: it will be written below the data folder.
func readSums(dir string) (sums, error) {
	data, err := os.ReadFile(filepath.Join(dir, sumsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s holds no %s: it is no backup, or one that was never finished", ErrBad, dir, sumsName)
	} else if err != nil {
		return nil, fmt.Errorf("opening the backup: %w", err)
	}
	s := sums{}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		sum, name, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), "  ")
		_, notHex := hex.DecodeString(sum)
		if !ok || notHex != nil || len(sum) != 2*sha256.Size || !belongs(name) || s[name] != "" || !bytes.HasSuffix(line, []byte("\n")) {
			return nil, fmt.Errorf("%w: line %d of %s/%s is not a checksum and one of a backup's files", ErrBad, number, dir, sumsName)
		}
		s[name] = sum
	}
	if len(s) == 0 {
		return nil, fmt.Errorf("%w: %s/%s is empty", ErrBad, dir, sumsName)
	}
	return s, nil
}

// belongs tells whether a path is that of a batch file, of a version's file, of what names the champion, or of the erased visitors.
func belongs(name string) bool {
	if !filepath.IsLocal(name) || filepath.ToSlash(filepath.Clean(name)) != name {
		return false
	}
	if name == erasure.FileName {
		return true
	}
	folder, rest, _ := strings.Cut(name, "/")
	if folder == batch.FolderName {
		_, ok := batch.ParseName(rest)
		return ok
	}
	version, file, inside := strings.Cut(rest, "/")
	if folder != modelsDir {
		return false
	}
	if !inside {
		return rest == model.LatestName || rest == previousName
	}
	return model.CheckName(version) == nil && file != ""
}

// copyFile copies one file, synced, and returns its checksum.
func copyFile(ctx context.Context, from, to string) (sum string, n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", 0, err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", 0, err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", 0, err
	}
	defer out.Close()
	hash := sha256.New()
	if n, err = io.Copy(io.MultiWriter(out, hash), reader{ctx, in}); err != nil {
		return "", 0, err
	}
	if err := out.Close(); err != nil {
		return "", 0, fmt.Errorf("closing %s: %w", to, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), n, nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

// explain adds to an error what a person can do about it.
func explain(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w (make room there, or choose another folder; what was half-written is removed)", err)
	}
	return err
}

// summarize says what the folder root holds, which is as a data folder is, and refuses gaps among the batch files.
func summarize(root string) (s Summary, err error) {
	dir := filepath.Join(root, batch.FolderName)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("listing the batch files: %w", err)
	}
	s.Next = map[int]int64{}
	for _, entry := range entries {
		if name, ok := batch.ParseName(entry.Name()); ok {
			s.Batches++
			s.Next[name.Partition] = max(s.Next[name.Partition], name.Last+1)
		}
	}
	for partition := range s.Next {
		if _, err := batch.List(dir, partition); err != nil {
			return s, err
		}
	}
	versions, err := model.List(filepath.Join(root, modelsDir))
	if err != nil {
		return s, err
	}
	for _, v := range versions {
		s.Versions = append(s.Versions, v.Name)
	}
	if s.Champion, err = model.Champion(filepath.Join(root, modelsDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	return s, nil
}
