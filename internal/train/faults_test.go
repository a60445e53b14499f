//go:build integration

package train

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/reexec"
	"cartwheel/internal/shutdown"
	"cartwheel/internal/synthetic"
	"cartwheel/internal/synthetic/synthetictest"
)

// Faults that need the program as a process, and some a Spark of their own. `make test` runs a bounded part; with
// CARTWHEEL_FAULTS=full, `make test-faults` runs all. Everything that is random follows from the seed. A small training leaves the
// cluster idle most of the time, so the tests run beside one another, each in a data folder of its own.

const faultSeed = 20150918

func full() bool { return os.Getenv("CARTWHEEL_FAULTS") == "full" }

func TestMain(m *testing.M) {
	reexec.Main(m, func(step func(string)) {
		onStep = step
		shutdown.Main(Main)
	})
}

// bench is a data folder that is trained on.
type bench struct {
	*testing.T
	dir    string
	remote string
}

// small are the flags of a training that is quickly done: looking for a number of segments is tested elsewhere.
var small = []string{"--rank", "4", "--iterations", "2", "--segments", "3", "--force"}

// setup makes a data folder with the batch files of a generated shop of so many events.
func setup(t *testing.T, remote string, events int) *bench {
	t.Helper()
	if remote == "" {
		t.Fatal("SPARK_REMOTE is not set: integration tests need a real cluster (make test brings one)")
	}
	b := &bench{T: t, dir: t.TempDir(), remote: remote}
	b.add(events, 1)
	return b
}

// add puts the batch files of another shop beside those that are there, the first under names of their own.
func (b *bench) add(events int, seed uint64) {
	b.Helper()
	other := b.TempDir()
	if _, err := synthetictest.WriteBatches(b.Context(), other, synthetic.Settings{Events: events, Seed: seed}, 1000); err != nil {
		b.Fatal(err)
	}
	if err := os.MkdirAll(b.batches(), 0o755); err != nil {
		b.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(other, features.BatchesDir, "batch_*.csv"))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		// Partitions above the shop's six tell the shops apart.
		name := strings.Replace(filepath.Base(f), "batch_00", "batch_"+string([]byte{'0' + byte(seed/10%10), '0' + byte(seed%10)}), 1)
		if err := os.Rename(f, filepath.Join(b.batches(), name)); err != nil {
			b.Fatal(err)
		}
	}
}

func (b *bench) batches() string { return filepath.Join(b.dir, features.BatchesDir) }
func (b *bench) models() string  { return filepath.Join(b.dir, "models") }

// child is the program as a process.
type child struct {
	*exec.Cmd
	errs  lockedBuffer
	ended chan struct{} // closed when it has
	err   error         // how it ended
}

// Wait waits for the program's end, which more than one may do.
func (c *child) Wait() error { <-c.ended; return c.err }

// stepEnded is the line that tells of a step that has ended.
var stepEnded = regexp.MustCompile(`(?m)^.+: [0-9.]+ s$`)

// waitSteps waits until so many steps have ended, or the program has.
func (c *child) waitSteps(n int) {
	for len(stepEnded.FindAllString(c.errs.String(), n)) < n {
		select {
		case <-c.ended:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// lockedBuffer may be read while a process writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// start runs the program. With n above 0 it kills itself when it comes to that step for the nth time.
func (b *bench) start(step string, n int, args ...string) *child {
	b.Helper()
	c := &child{Cmd: reexec.Command(append([]string{"--data-dir", b.dir, "--spark-remote", b.remote}, args...)...), ended: make(chan struct{})}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.Stderr = &c.errs
	if n > 0 {
		reexec.KillAt(c.Cmd, step, n)
	}
	started := make(chan error)
	go func() {
		defer close(c.ended)
		// The signal comes when the thread ends that started the program, so no other goroutine may have it and end it, as an API does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.Start()
		started <- err
		if err == nil {
			c.err = c.Cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		b.Fatal(err)
	}
	return c
}

// train runs the program to its end and wants a new champion.
func (b *bench) train(args ...string) string {
	b.Helper()
	before := b.champion()
	c := b.start("", 0, args...)
	if err := c.Wait(); err != nil {
		b.Fatalf("the training ended with %v\n%s", err, c.errs.String())
	}
	after := b.champion()
	if after == before {
		b.Fatalf("%s is still the champion\n%s", before, c.errs.String())
	}
	return c.errs.String()
}

// refused runs the program and wants it to end with this exit code, these words, and everything as it was.
func (b *bench) refused(code int, says []string, args ...string) string {
	b.Helper()
	before := b.champion()
	c := b.start("", 0, args...)
	_ = c.Wait()
	text := c.errs.String()
	if got := c.ProcessState.ExitCode(); got != code {
		b.Errorf("exit code %d, want %d\n%s", got, code, text)
	}
	for _, s := range says {
		if !strings.Contains(text, s) {
			b.Errorf("the message lacks %q:\n%s", s, text)
		}
	}
	if strings.Contains(text, "panic") || strings.Contains(text, "\tat org.apache") {
		b.Errorf("no message for people:\n%s", text)
	}
	if after := b.champion(); after != before {
		b.Errorf("the champion was %q, and is %q", before, after)
	}
	b.sound()
	b.Log(lastLine(text))
	return text
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// champion is the version that LATEST names, or "".
func (b *bench) champion() string {
	b.Helper()
	name, err := model.Champion(b.models())
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	} else if err != nil {
		b.Fatal(err)
	}
	return name
}

// sound wants every version that can be seen whole, and the champion among them.
func (b *bench) sound() (versions int) {
	b.Helper()
	entries, err := os.ReadDir(b.models())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.Name() == model.LatestName {
			continue
		}
		versions++
		if _, err := model.Load(filepath.Join(b.models(), e.Name())); err != nil {
			b.Errorf("%s can be seen and is not whole: %v", e.Name(), err)
		}
	}
	if champion := b.champion(); champion != "" {
		if _, err := model.ReadManifest(filepath.Join(b.models(), champion)); err != nil {
			b.Errorf("the champion: %v", err)
		}
	}
	return versions
}

// clean wants nothing unfinished.
func (b *bench) clean() {
	b.Helper()
	for _, dir := range []string{b.models(), filepath.Join(b.dir, features.StoreDir)} {
		left, err := filepath.Glob(filepath.Join(dir, ".tmp-*"))
		if err != nil || len(left) > 0 {
			b.Errorf("left behind: %v %v", left, err)
		}
	}
}
