package features

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"cartwheel/internal/erasure"
	"cartwheel/internal/event"
	"cartwheel/internal/spark"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"golang.org/x/sync/errgroup"
)

// ErrBatch is wrapped by errors that say a batch file is not what the consumer writes.
var ErrBatch = errors.New("bad batch file")

// batchSchema has the columns of event.BatchHeader.
const batchSchema = "timestamp BIGINT, visitorid STRING, event STRING, itemid STRING, transactionid STRING, eventid STRING"

// batchFile is one batch file as it was when it was looked at.
type batchFile struct {
	Name     string `json:"name"`
	Bytes    int64  `json:"bytes"`
	Modified int64  `json:"modified"` // Unix ns
	SHA256   string `json:"sha256"`
	Rows     int64  `json:"rows"`
	Erased   int64  `json:"erased,omitempty"` // rows among them of erased visitors
}

// listBatches returns the batch files in a folder by name, without their rows and checksums. A folder that does not exist holds none.
func listBatches(dir string) ([]batchFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("listing the batch files: %w", err)
	}
	var files []batchFile
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "batch_") || !strings.HasSuffix(e.Name(), ".csv") {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, e.Name())) // not the entry's own: it may be a link
		if err != nil {
			return nil, fmt.Errorf("listing the batch files: %w", err)
		}
		files = append(files, batchFile{Name: e.Name(), Bytes: info.Size(), Modified: info.ModTime().UnixNano()})
	}
	return files, nil
}

// badBatch is a batch file that cannot be used, and why.
type badBatch struct {
	name string
	err  error // wraps ErrBatch
}

// checkBatches reads files from the first byte to the last and parts the sound ones, with their rows and checksums, from the others.
// Spark would stop at the first row that it cannot read, and would take a file that was cut off at a field's
// end, or a kind of event that does not exist, for good.
func checkBatches(ctx context.Context, dir string, files []batchFile, erased erasure.List) (sound []batchFile, bad []badBatch, err error) {
	found := make([]error, len(files))
	checked := make([]batchFile, len(files))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range files {
		group.Go(func() error {
			checked[i], found[i] = checkBatch(dir, f, erased)
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	for i, err := range found {
		switch {
		case err == nil:
			sound = append(sound, checked[i])
		case errors.Is(err, ErrBatch):
			bad = append(bad, badBatch{files[i].Name, err})
		default:
			return nil, nil, err
		}
	}
	return sound, bad, nil
}

// checkBatch completes f, by its rows and those of erased visitors among them. Errors other than those of reading wrap ErrBatch, and name the file and the line.
func checkBatch(dir string, f batchFile, erased erasure.List) (batchFile, error) {
	file, err := os.Open(filepath.Join(dir, f.Name))
	if err != nil {
		return f, fmt.Errorf("opening a batch file: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	lines := bufio.NewReaderSize(io.TeeReader(file, sum), 256<<10)
	for n := int64(1); ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0 && n > 1:
			f.Rows, f.SHA256 = n-2, hex.EncodeToString(sum.Sum(nil))
			return f, nil
		case errors.Is(err, io.EOF):
			return f, fmt.Errorf("%w: %s ends in the middle of line %d: it was cut off", ErrBatch, f.Name, n)
		case errors.Is(err, bufio.ErrBufferFull):
			return f, fmt.Errorf("%w: %s, line %d: it is longer than any event", ErrBatch, f.Name, n)
		case err != nil:
			return f, fmt.Errorf("reading batch file %s: %w", f.Name, err)
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if n == 1 {
			if string(line) != event.BatchHeader {
				return f, fmt.Errorf("%w: %s begins with %q, not with the header %s", ErrBatch, f.Name, cut(line), event.BatchHeader)
			}
			continue
		}
		var e event.Event
		if err := event.ParseBatchRow(line, &e); err != nil {
			return f, fmt.Errorf("%w: %s, line %d: %w", ErrBatch, f.Name, n, err)
		}
		if erased.Has(e.VisitorID) {
			f.Erased++
		}
	}
}

func cut(line []byte) []byte { return line[:min(len(line), 80)] }

// sameContents tells whether a file still has the contents that were read, for its times alone may change: by a copy, say.
func sameContents(dir string, f batchFile) (bool, error) {
	file, err := os.Open(filepath.Join(dir, f.Name))
	if err != nil {
		return false, fmt.Errorf("opening a batch file: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return false, fmt.Errorf("reading batch file %s: %w", f.Name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)) == f.SHA256, nil
}

// readBatches returns the rows of these files of the folder dir, as the cluster sees it, and nothing of what may come there meanwhile.
func readBatches(ctx context.Context, s *spark.Session, dir string, files []batchFile) (sql.DataFrame, error) {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = path.Join(dir, f.Name)
	}
	df, err := read(ctx, s, "cartwheel_batches", map[string]any{"format": "csv", "schema": batchSchema, "paths": paths, "options": map[string]string{
		"header": "true", "enforceSchema": "false", "mode": "FAILFAST", "escape": `"`, "encoding": "UTF-8", "lineSep": "\n",
	}})
	if err != nil {
		return nil, fmt.Errorf("opening the batch files in %s: %w (the Spark cluster must see them there; SPARK_DATA_DIR or --spark-data-dir names the folder as it sees it)", dir, err)
	}
	return df, nil
}

// read makes a DataFrame of several paths, under the name of a view, which spark-connect-go's own reader cannot.
func read(ctx context.Context, s *spark.Session, view string, source map[string]any) (sql.DataFrame, error) {
	_, err := s.Execute(ctx, map[string]any{"createDataframeView": map[string]any{
		"name": view, "replace": true, "input": map[string]any{"read": map[string]any{"dataSource": source}},
	}})
	if err != nil {
		return nil, err
	}
	df, err := s.Table(view)
	return df, spark.Explain(err)
}
