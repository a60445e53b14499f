package train

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"cartwheel/internal/spark"

	"golang.org/x/term"
)

// quiet is how long a step may go without a line where there is no terminal.
const quiet = 15 * time.Second

// Steps tells a person how far a training has come: on a terminal by a bar that Spark's own progress moves, elsewhere by a line when
// a step ends and now and then while it runs.
type Steps struct {
	out      io.Writer
	terminal bool
}

// newSteps writes to out.
func newSteps(out io.Writer) *Steps {
	f, ok := out.(*os.File)
	return &Steps{out: out, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// onStep is nil but in tests, which end the program at one of these moments.
var onStep func(string)

const (
	stepEdge      = "edge"      // a step begins or ends
	stepPublished = "published" // the version bears its name and is not yet the champion
)

func at(step string) {
	if onStep != nil {
		onStep(step)
	}
}

// Do runs one step, and says how long it took. In the Spark UI its jobs bear its name, the words before a colon being their group.
func (s *Steps) Do(ctx context.Context, name string, step func(context.Context) error) error {
	at(stepEdge)
	defer at(stepEdge)
	ctx = spark.WithDescription(ctx, name)
	started := time.Now()
	var mu sync.Mutex // progress may come from more than one goroutine
	said := started
	ctx = spark.WithProgress(ctx, func(p spark.Progress) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case s.terminal:
			fmt.Fprintf(s.out, "\r\x1b[K%s %s  %s", bar(p), name, p)
		case time.Since(said) >= quiet:
			said = time.Now()
			fmt.Fprintf(s.out, "%s: %s, %.0f s so far\n", name, p, time.Since(started).Seconds())
		}
	})
	err := step(ctx)
	mu.Lock()
	defer mu.Unlock()
	if s.terminal {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
	if err == nil {
		fmt.Fprintf(s.out, "%s: %.1f s\n", name, time.Since(started).Seconds())
	}
	return err
}

func bar(p spark.Progress) string {
	const width = 20
	full := 0
	if p.Tasks > 0 {
		full = int(width * p.Completed / p.Tasks)
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}
