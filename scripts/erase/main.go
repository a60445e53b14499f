// Command erase takes the rows of erased visitors out of the batch files. See docs/erasure.md.
//
// Each file keeps its name, for the names say which offsets have been read, and is replaced whole. The next training notices what has
// changed, and reads all batch files again, so that what it keeps of them is without these visitors, too.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"cartwheel/internal/batch"
	"cartwheel/internal/config"
	"cartwheel/internal/durable"
	"cartwheel/internal/erasure"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/live"
	"cartwheel/internal/shutdown"
)

func main() { shutdown.Main(run) }

// run is the program: 0 when all is done, 2 for a wrong setting, 1 otherwise.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var cluster kafka.Config
	var topic, dataDir string
	f := config.New("erase", "takes the rows of erased visitors out of the batch files in DATA_DIR/"+batch.FolderName+".", stdout)
	f.StringVar(&topic, "erasures-topic", live.ErasuresTopic, "Kafka `topic` of erased visitors")
	f.Env("erasures-topic", "KAFKA_ERASURES_TOPIC")
	f.StringVar(&dataDir, "data-dir", "data", "`folder` of the data")
	f.Env("data-dir", "DATA_DIR")
	cluster.Declare(f)
	err := f.Parse(args, getenv)
	if err == nil {
		var p config.Problems
		cluster.Check(&p)
		p.Check(topic != "", "--erasures-topic is empty")
		p.Check(dataDir != "", "--data-dir is empty")
		err = p.Err()
	}
	if err == nil {
		err = erase(ctx, cluster, topic, dataDir, stdout)
	}
	return config.Tell("erase", err, stderr)
}

func erase(ctx context.Context, cluster kafka.Config, topic, dataDir string, out io.Writer) error {
	client, err := kafka.Open(ctx, cluster)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := erasure.NewFollower(client, topic, dataDir, slog.New(slog.DiscardHandler)).Look(ctx); err != nil {
		return fmt.Errorf("reading the erased visitors: %w", err)
	}
	erased, err := erasure.Read(dataDir)
	if err != nil {
		return err
	}
	dir := filepath.Join(dataDir, batch.FolderName)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing the batch files: %w", err)
	}
	files, changed, rows := 0, 0, 0
	for _, entry := range entries {
		if _, ok := batch.ParseName(entry.Name()); !ok {
			continue
		}
		if ctx.Err() != nil {
			return fmt.Errorf("after %d files: %w", files, context.Cause(ctx))
		}
		gone, err := rewrite(filepath.Join(dir, entry.Name()), erased)
		if err != nil {
			return err
		}
		files++
		rows += gone
		if gone > 0 {
			changed++
		}
	}
	fmt.Fprintf(out, "%d erased visitors; %d rows taken out of %d of %d batch files\n", len(erased), rows, changed, files)
	return nil
}

// rewrite replaces a file by one without the rows of these visitors, if there are any, and returns how many there were.
func rewrite(path string, erased erasure.List) (gone int, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("reading a batch file: %w", err)
	}
	kept := make([]byte, 0, len(data))
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if number > 1 {
			var e event.Event
			if err := event.ParseBatchRow(bytes.TrimSuffix(line, []byte("\n")), &e); err != nil {
				return 0, fmt.Errorf("reading batch file %s, line %d: %w (mend the file first; it was left as it is)", path, number, err)
			}
			if erased.Has(e.VisitorID) {
				gone++
				continue
			}
		}
		kept = append(kept, line...)
	}
	if gone == 0 {
		return 0, nil
	}
	err = durable.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(kept)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("writing batch file %s: %w", path, err)
	}
	return gone, nil
}
