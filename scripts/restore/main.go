// Command restore brings back what the command backup has copied, once every byte of it was found right. See docs/operations.md.
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

// run is the program: 0 when all is restored, or verified; 2 for a wrong setting, 1 otherwise.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var dataDir, from string
	var force, verify bool
	f := config.New("restore", "brings a backup back into the data folder. Stop consumer, training and API before.", stdout)
	f.StringVar(&dataDir, "data-dir", "data", "`folder` of the data")
	f.Env("data-dir", "DATA_DIR")
	f.StringVar(&from, "from", "", "`folder` that the command backup has made")
	f.BoolVar(&force, "force", false, "move data that are there aside, into a folder beside them")
	f.BoolVar(&verify, "verify", false, "only check the backup")
	err := f.Parse(args, getenv)
	if err == nil {
		var p config.Problems
		p.Check(dataDir != "", "--data-dir is empty")
		p.Check(from != "", "--from is missing: name a folder that the command backup has made")
		err = p.Err()
	}
	var s backup.Summary
	var aside string
	switch {
	case err != nil:
	case verify:
		s, err = backup.Verify(ctx, from)
	default:
		s, aside, err = backup.Restore(ctx, from, dataDir, force, time.Now())
	}
	if err != nil {
		return config.Tell("restore", err, stderr)
	}
	tell(stdout, s, aside, verify)
	return 0
}

func tell(out io.Writer, s backup.Summary, aside string, verified bool) {
	done := "restored"
	if verified {
		done = "sound:"
	}
	fmt.Fprintf(out, "%s %d batch files, %d versions, %.1f MB; ", done, s.Batches, len(s.Versions), float64(s.Bytes)/1e6)
	if s.Champion == "" {
		fmt.Fprintln(out, "no champion")
	} else {
		fmt.Fprintln(out, "champion", s.Champion)
	}
	if aside != "" {
		fmt.Fprintln(out, "what was there is in", aside)
	}
	for _, p := range slices.Sorted(maps.Keys(s.Next)) {
		fmt.Fprintf(out, "partition %d: a consumer goes on at offset %d\n", p, s.Next[p])
	}
}
