//go:build integration

package train

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/reexec"
	"cartwheel/internal/synthetic"
	"cartwheel/internal/synthetic/synthetictest"
)

// Faults that need the program as a process, and some a Spark of their own. `make test` runs a bounded part; with
// CARTWHEEL_FAULTS=full, `make test-faults` runs all. Everything that is random follows from the seed.

const faultSeed = 20150918

func full() bool { return os.Getenv("CARTWHEEL_FAULTS") == "full" }

func TestMain(m *testing.M) {
	reexec.Main(m, func(step func(string)) {
		onStep = step
		ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // as sparkjobs/train does
		os.Exit(Main(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
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
	errs lockedBuffer
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
	c := &child{Cmd: reexec.Command(append([]string{"--data-dir", b.dir, "--spark-remote", b.remote}, args...)...)}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.Stderr = &c.errs
	if n > 0 {
		reexec.KillAt(c.Cmd, step, n)
	}
	if err := c.Start(); err != nil {
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

func TestFaultTrainingKilled(t *testing.T) {
	b := setup(t, os.Getenv("SPARK_REMOTE"), 6000)
	begun := time.Now()
	b.train(small...)
	whole := time.Since(begun)
	random := rand.New(rand.NewPCG(faultSeed, 1))
	// Half of the points are steps, where the program ends itself, among them the moment between a version and its becoming the
	// champion; the other half lie anywhere, and every other one of these is a SIGTERM.
	steps := []struct {
		name string
		n    int
	}{{stepPublished, 1}, {stepEdge, 1 + random.IntN(4)}, {stepEdge, 5 + random.IntN(4)}, {stepEdge, 9 + random.IntN(4)}, {stepEdge, 13}}
	points := 10
	if !full() {
		points = 4
	}
	for i := range points {
		b.add(1200, uint64(10+i)) // so that there is something new to read
		before, versions := b.champion(), b.sound()
		var c *child
		if i%2 == 0 {
			at := steps[i/2]
			c = b.start(at.name, at.n, small...)
			_ = c.Wait()
			if !reexec.Killed(c.Cmd) {
				t.Fatalf("the training was to be killed at %v, but ended with %v\n%s", at, c.ProcessState, c.errs.String())
			}
			t.Logf("killed at %v: %s", at, lastLine(c.errs.String()))
		} else {
			c = b.start("", 0, small...)
			at := time.Duration(random.Int64N(int64(whole)))
			kill := syscall.SIGKILL
			if i%4 == 1 {
				kill = syscall.SIGTERM
			}
			timer := time.AfterFunc(at, func() { _ = c.Process.Signal(kill) })
			_ = c.Wait()
			timer.Stop()
			t.Logf("%s after %s: %s", kill, at.Round(time.Millisecond), lastLine(c.errs.String()))
			if kill == syscall.SIGTERM {
				b.clean()
			}
		}
		after, now := b.champion(), b.sound()
		if after != before && now != versions+1 {
			t.Errorf("point %d: the champion changed from %s to %s, but there are %d versions after %d", i, before, after, now, versions)
		}
	}
	b.train(small...)
	b.clean()
	b.sound()
	m, err := model.ReadManifest(filepath.Join(b.models(), b.champion()))
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(b.batches(), "batch_*.csv"))
	if want := int64(6000 + 1200*points); m.Counts.RowsRead != want || len(m.Data.BatchFiles) != len(files) {
		t.Errorf("the next training read %d rows of %d files, want %d of %d", m.Counts.RowsRead, len(m.Data.BatchFiles), want, len(files))
	}
	all := m.Counts
	b.train(append(small, "--recompute")...)
	if m, err = model.ReadManifest(filepath.Join(b.models(), b.champion())); err != nil {
		t.Fatal(err)
	}
	if m.Counts != all {
		t.Errorf("reading everything again gives %+v, the store gave %+v", m.Counts, all)
	}
}

func TestFaultTwoTrainingsAtOnce(t *testing.T) {
	b := setup(t, os.Getenv("SPARK_REMOTE"), 6000)
	first := b.start("", 0, small...)
	for deadline := time.Now().Add(time.Minute); !strings.Contains(first.errs.String(), "events: "); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the first training has not begun within a minute\n%s", first.errs.String())
		}
	}
	b.refused(1, []string{"another training is running", filepath.Join(b.models(), ".lock")}, small...)
	if err := first.Wait(); err != nil {
		t.Errorf("the first training ended with %v\n%s", err, first.errs.String())
	}
	if n := b.sound(); n != 1 {
		t.Errorf("%d versions, want the first training's", n)
	}
}

func TestFaultsOfSpark(t *testing.T) {
	c := newCluster(t)
	long := []string{"--rank", "64", "--iterations", "15", "--segments", "3", "--force"}

	t.Run("an executor is killed during the fit", func(t *testing.T) {
		b := setup(t, c.remote, 20_000)
		p := b.start("", 0, long...)
		c.waitFitting()
		c.killExecutor()
		if err := p.Wait(); err != nil {
			t.Fatalf("the training ended with %v\n%s", err, p.errs.String())
		}
		if b.sound() != 1 || b.champion() == "" {
			t.Error("there is no version")
		}
	})

	t.Run("the Connect server is killed during the fit", func(t *testing.T) {
		b := setup(t, c.remote, 20_000)
		p := b.start("", 0, long...)
		c.waitFitting()
		c.killConnect()
		killed := time.Now()
		limit := time.AfterFunc(time.Minute, func() { _ = p.Process.Kill() })
		_ = p.Wait()
		limit.Stop()
		if code := p.ProcessState.ExitCode(); code != 1 {
			t.Errorf("exit code %d %s after the kill\n%s", code, time.Since(killed), p.errs.String())
		}
		if text := p.errs.String(); !strings.Contains(text, "Connect server") || !strings.Contains(text, "train again") {
			t.Errorf("no hint: %s", text)
		}
		t.Logf("ended after %s: %s", time.Since(killed).Round(time.Millisecond), lastLine(p.errs.String()))
		if n := b.sound(); n != 0 || b.champion() != "" {
			t.Errorf("%d versions", n)
		}
		b.clean()
		c.up()
		b.train(small...)
	})

	t.Run("training goes on by itself when Spark is back", func(t *testing.T) {
		b := setup(t, c.remote, 6000)
		p := b.start("", 0, append(small, "--every", "1s", "--min-new-events", "500")...)
		wait := func(what string, done func() bool) {
			t.Helper()
			for deadline := time.Now().Add(3 * time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("waited three minutes for %s\n%s", what, p.errs.String())
				}
			}
		}
		wait("the first version", func() bool { return b.champion() != "" })
		first := b.champion()
		c.killConnect()
		b.add(1000, 20)
		wait("a word that Spark is gone", func() bool { return strings.Contains(p.errs.String(), "no Spark Connect server answers") })
		c.up()
		wait("the next version", func() bool { return b.champion() != first })
		_ = p.Process.Signal(syscall.SIGTERM)
		if err := p.Wait(); err != nil {
			t.Errorf("told to stop, it ended with %v\n%s", err, p.errs.String())
		}
		b.clean()
		if n := b.sound(); n != 2 {
			t.Errorf("%d versions, want one for each time that there were enough new events", n)
		}
	})
}
