// Command backup copies batch files and versions into a folder of backups, checked and whole, while everything goes on running.
// See docs/operations.md.
package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"cartwheel/internal/config"
	"cartwheel/internal/shutdown"
	"cartwheel/scripts/internal/backup"
)

func main() { shutdown.Main(run) }

// run is the program: 0 when the backup is whole, 2 for a wrong setting, 1 otherwise.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var dataDir, to string
	f := config.New("backup", "copies batch files and versions into a new folder below --to, with checksums. Consumer and training may run.", stdout)
	f.StringVar(&dataDir, "data-dir", "data", "`folder` of the data")
	f.Env("data-dir", "DATA_DIR")
	f.StringVar(&to, "to", "", "`folder` of the backups, best on another disk")
	err := f.Parse(args, getenv)
	if err == nil {
		var p config.Problems
		p.Check(dataDir != "", "--data-dir is empty")
		p.Check(to != "", "--to is missing: say where backups shall be kept")
		err = p.Err()
	}
	var dir string
	var s backup.Summary
	if err == nil {
		dir, s, err = backup.Save(ctx, dataDir, to, time.Now())
	}
	if err != nil {
		return config.Tell("backup", err, stderr)
	}
	for _, left := range s.LeftOut {
		fmt.Fprintln(stderr, "backup: left out a version that is damaged or gone,", left)
	}
	fmt.Fprintf(stdout, "%s\n%d batch files, %d versions, champion %s, %.1f MB\n", dir, s.Batches, len(s.Versions), champion(s), float64(s.Bytes)/1e6)
	for _, p := range slices.Sorted(maps.Keys(s.Next)) {
		fmt.Fprintf(stdout, "partition %d up to offset %d\n", p, s.Next[p]-1)
	}
	return 0
}

func champion(s backup.Summary) string {
	if s.Champion == "" {
		return "none"
	}
	return s.Champion
}
