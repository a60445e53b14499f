//go:build integration

package train

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/model"
	"cartwheel/internal/reexec"
	"cartwheel/internal/serve"
)

// TestFaultTrainingKilled kills one training after the other on a folder that grows. The last one runs to its end.
func TestFaultTrainingKilled(t *testing.T) {
	t.Parallel()
	b := setup(t, os.Getenv("SPARK_REMOTE"), 3000)
	random := rand.New(rand.NewPCG(faultSeed, 1))

	// Between a version and its becoming the champion. It is whole, so that an operator can choose it.
	c := b.start(stepPublished, 1, small...)
	_ = c.Wait()
	if !reexec.Killed(c.Cmd) {
		t.Fatalf("the training was to be killed when it had published, but ended with %v\n%s", c.ProcessState, c.errs.String())
	}
	versions, err := model.List(b.models())
	if err != nil || b.sound() != 1 || b.champion() != "" {
		t.Fatalf("%d versions, the champion is %q, %v; want one version and no champion", len(versions), b.champion(), err)
	}
	if _, err := model.Activate(b.models(), versions[0].Name, serve.Check); err != nil {
		t.Fatal(err)
	}

	points, steps := 3, 4 // of the training's nine steps, so that few are gone through again
	if full() {
		points, steps = 9, 8
	}
	for i := range points {
		b.add(600, uint64(10+i)) // so that there is something new to read
		before, versions := b.champion(), b.sound()
		switch i % 3 {
		case 0: // at a step's edge, where the program ends itself
			edge := 1 + random.IntN(2*steps)
			c = b.start(stepEdge, edge, small...)
			_ = c.Wait()
			if !reexec.Killed(c.Cmd) {
				t.Fatalf("the training was to be killed at edge %d, but ended with %v\n%s", edge, c.ProcessState, c.errs.String())
			}
			t.Logf("killed at edge %d: %s", edge, lastLine(c.errs.String()))
		default: // anywhere within a step
			kill := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[i%3-1]
			after, delay := 1+random.IntN(steps), time.Duration(random.Int64N(int64(time.Second)))
			c = b.start("", 0, small...)
			c.waitSteps(after)
			timer := time.AfterFunc(delay, func() { _ = c.Process.Signal(kill) })
			_ = c.Wait()
			timer.Stop()
			t.Logf("%s %s after %d steps: %s", kill, delay.Round(time.Millisecond), after, lastLine(c.errs.String()))
			if kill == syscall.SIGTERM {
				if code := c.ProcessState.ExitCode(); code != 0 && (code != 1 || !strings.Contains(c.errs.String(), "told to stop: terminated")) { // 0: it had ended
					t.Errorf("told to stop, it ended by %v\n%s", c.ProcessState, c.errs.String())
				}
				b.clean()
			}
		}
		if after, now := b.champion(), b.sound(); after != before && now != versions+1 {
			t.Errorf("point %d: the champion changed from %s to %s, but there are %d versions after %d", i, before, after, now, versions)
		}
	}
	b.train(small...)
	b.clean()
	b.sound()
	b.wantEverything()
	if full() {
		all := b.manifest().Counts
		b.train(append(small, "--recompute")...)
		if again := b.manifest().Counts; again != all {
			t.Errorf("reading everything again gives %+v, the store gave %+v", again, all)
		}
	}
}

// wantEverything holds the champion's counts against the batch files themselves.
func (b *bench) wantEverything() {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(b.batches(), "batch_*.csv"))
	if err != nil {
		b.Fatal(err)
	}
	var want model.Counts
	events, visitors, items := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		for line := range bytes.Lines(bytes.TrimPrefix(text, []byte(event.BatchHeader+"\n"))) {
			var e event.Event
			if err := event.ParseBatchRow(bytes.TrimSuffix(line, []byte("\n")), &e); err != nil {
				b.Fatal(err)
			}
			want.RowsRead++
			events[e.EventID], visitors[e.VisitorID], items[e.ItemID] = true, true, true
		}
	}
	want.BatchFiles, want.Events, want.Visitors, want.Items = len(files), int64(len(events)), int64(len(visitors)), int64(len(items))
	want.Repeats = want.RowsRead - want.Events
	got := b.manifest().Counts
	got.Pairs, got.FactorsUsers, got.FactorsItems = 0, 0, 0 // what follows from the rest
	if got != want {
		b.Errorf("the champion counts %+v, the batch files hold %+v", got, want)
	}
}

func TestFaultsOfSpark(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	t.Run("an executor is killed during a fit, the Connect server during the next", func(t *testing.T) {
		b := setup(t, c.remote, 3000)
		p := b.start("", 0, "--rank", "64", "--iterations", "15", "--segments", "3", "--force")
		c.freezeFitting(p, "the earlier events")
		c.killExecutors()
		p.waitSteps(3)
		if text := p.errs.String(); !strings.Contains(text, "15 iterations, the earlier events: ") {
			t.Fatalf("the fit did not end well: %s", text)
		}
		c.freezeFitting(p, "everything")
		c.killConnect()
		c.signalExecutors(syscall.SIGCONT) // it will see that its driver is gone
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
	})

	// Spark is gone now.
	t.Run("training goes on by itself when Spark is back", func(t *testing.T) {
		b := setup(t, c.remote, 1000)
		p := b.start("", 0, append(small, "--every", "1s", "--min-new-events", "500")...)
		wait := func(what string, done func() bool) {
			t.Helper()
			for deadline := time.Now().Add(10 * time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("waited ten minutes for %s\n%s", what, p.errs.String())
				}
			}
		}
		wait("a word that Spark is gone", func() bool { return strings.Contains(p.errs.String(), "no Spark Connect server answers") })
		c.up()
		wait("a version", func() bool { return b.champion() != "" })

		// Gone again, under the next training.
		first, ended := b.champion(), len(stepEnded.FindAllString(p.errs.String(), -1))
		b.add(600, 2)
		p.waitSteps(ended + 2)
		c.killConnect()
		wait("a word that Spark went away", func() bool { return strings.Contains(p.errs.String(), "Spark went away under the training") })
		b.clean()
		c.up()
		wait("another version", func() bool { return b.champion() != first })
		b.wantEverything()
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
