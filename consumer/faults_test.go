//go:build integration

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/kafka/kafkatest"
	"cartwheel/internal/reexec"
)

// Faults that need processes and a broker of their own. `make test` runs a bounded part; with CARTWHEEL_FAULTS=full, `make
// test-faults` runs all. Everything that is random follows from the seed.

const faultSeed = 20150503

func full() bool { return os.Getenv("CARTWHEEL_FAULTS") == "full" }

// scaled is n in a full run and a tenth or so in a bounded one.
func scaled(all, bounded int) int {
	if full() {
		return all
	}
	return bounded
}

func TestMain(m *testing.M) {
	reexec.Main(m, func(step func(string)) { onStep = step; main() })
}

// child is the program as a process.
type child struct {
	*exec.Cmd
	out, errs bytes.Buffer
}

func (b *bench) start(at string, n int, args ...string) *child {
	b.t.Helper()
	args = append([]string{"--bootstrap-servers", b.addr, "--topic", b.topic, "--group-id", b.topic, "--data-dir", b.dir, "--batch-size", "100",
		"--idle-timeout", "1s", "--session-timeout", "1s"}, args...)
	c := &child{Cmd: reexec.Command(args...)}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.Stdout, c.Stderr = &c.out, &c.errs
	if at != "" {
		reexec.KillAt(c.Cmd, at, n)
	}
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// stopped sends SIGTERM and wants a clean end.
func (b *bench) stop(c *child) {
	b.t.Helper()
	_ = c.Process.Signal(syscall.SIGTERM)
	if err := c.Wait(); err != nil {
		b.t.Errorf("a consumer ended badly: %v\n%s", err, c.errs.String())
	}
}

func newBench(t *testing.T, broker *kafkatest.Broker) *bench {
	b := setup(t, broker.Addr)
	if err := os.MkdirAll(b.folder(), 0o755); err != nil { // so that it can be looked at from the first moment
		t.Fatal(err)
	}
	return b
}

func TestFaultConsumerKilled(t *testing.T) {
	b := newBench(t, kafkatest.NewBroker(t, nil))
	random := rand.New(rand.NewPCG(faultSeed, 2))
	steps := []string{batch.StepClaimed, batch.StepWritten, batch.StepSynced, batch.StepPublished, batch.StepCommitted}
	times := map[string]int{}
	for i := range scaled(50, 10) {
		b.send(120)
		step, n := steps[i%len(steps)], 1+random.IntN(3)
		if step == batch.StepCommitted {
			n = 1
		}
		c := b.start(step, n)
		err := c.Wait()
		if !reexec.Killed(c.Cmd) {
			t.Fatalf("the consumer was to be killed at step %s, time %d, but ended with %v\n%s", step, n, err, c.errs.String())
		}
		times[step]++
		entries, err := os.ReadDir(b.folder())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if _, ok := batch.ParseName(e.Name()); !ok && !strings.HasPrefix(e.Name(), ".") {
				t.Errorf("%s is visible after a kill at %s", e.Name(), step)
			}
		}
	}
	b.mustConsume()
	r := b.report()
	if !r.OK() {
		t.Error(r)
	}
	t.Logf("killed %v: %v", times, r)

	// The rows must be those of a run without faults, in the same order.
	faulty := b.rows()
	b.dir = t.TempDir()
	b.mustConsume("--group-id", b.topic+"-undisturbed")
	if undisturbed := b.rows(); undisturbed != faulty {
		t.Error("the rows differ from those of a run without faults")
	}
}

// rows is everything in the files, partition by partition.
func (b *bench) rows() string {
	b.t.Helper()
	var all strings.Builder
	for p := range 3 {
		names, err := batch.List(b.folder(), p)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, n := range names {
			data, err := os.ReadFile(filepath.Join(b.folder(), n.String()))
			if err != nil {
				b.t.Fatal(err)
			}
			_, rows, _ := strings.Cut(string(data), "\n")
			all.WriteString(rows)
		}
	}
	return all.String()
}

func TestFaultConsumerStoppedPastItsSession(t *testing.T) {
	b := newBench(t, kafkatest.NewBroker(t, nil))
	for round := range scaled(5, 1) {
		b.send(150) // more than one file, and half of one
		old := b.start("", 0, "--follow", "--flush-interval", "1h")
		waitFor(t, "the first consumer's files", func() bool { return b.files() >= 3*(1+2*round) })
		waitFor(t, "its unfinished files", func() bool {
			unfinished, _ := filepath.Glob(filepath.Join(b.folder(), ".batch_*"))
			return len(unfinished) == 3
		})
		if err := old.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		b.send(10)
		next := b.start("", 0, "--follow", "--flush-interval", "300ms")
		waitFor(t, "the second consumer to take over", func() bool { return b.report().Missing == 0 })
		committed := []int64{committedOffset(t, b, 0), committedOffset(t, b, 1), committedOffset(t, b, 2)}
		if err := old.Process.Signal(syscall.SIGCONT); err != nil { // and it is told to stop, which publishes what it holds, if it can
			t.Fatal(err)
		}
		b.stop(old)
		for p := range 3 {
			if at := committedOffset(t, b, p); at < committed[p] {
				t.Errorf("partition %d: the woken consumer set the committed offset back from %d to %d", p, committed[p], at)
			}
		}
		b.send(40)
		waitFor(t, "the rest", func() bool { return b.report().Missing == 0 })
		b.stop(next)
		if r := b.report(); !r.OK() {
			t.Fatalf("round %d: %v\n%s", round, r, old.errs.String())
		}
	}
	t.Log(b.report())
}

func TestFaultRebalances(t *testing.T) {
	b := newBench(t, kafkatest.NewBroker(t, nil))
	random := rand.New(rand.NewPCG(faultSeed, 4))
	sending, cancel := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() {
		for sending.Err() == nil {
			b.send(200)
			time.Sleep(200 * time.Millisecond) // a load that goes on, not a wait for anything
		}
	})
	committed := []int64{-1, -1, -1}
	background.Go(func() {
		for sending.Err() == nil {
			for p := range committed {
				at := committedOffset(t, b, p)
				if at < committed[p] {
					t.Errorf("partition %d: the committed offset went back from %d to %d", p, committed[p], at)
				}
				committed[p] = max(committed[p], at)
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	var members []*child
	rebalances, killed := scaled(30, 6), 0
	pause := 6 * time.Second
	if !full() {
		pause = 2 * time.Second
	}
	for range rebalances {
		switch {
		case len(members) == 0, len(members) < 4 && random.IntN(2) == 0:
			members = append(members, b.start("", 0, "--follow", "--flush-interval", "1s"))
		default:
			i := random.IntN(len(members))
			c := members[i]
			members = append(members[:i], members[i+1:]...)
			if random.IntN(3) == 0 {
				_ = c.Process.Kill()
				_ = c.Wait()
				killed++
			} else {
				b.stop(c)
			}
		}
		time.Sleep(pause/2 + time.Duration(random.Int64N(int64(pause))))
	}
	cancel()
	background.Wait()
	for _, c := range members {
		b.stop(c)
	}
	b.mustConsume()
	r := b.report()
	if !r.OK() {
		t.Error(r)
	}
	t.Logf("%d rebalances, %d by a kill: %v, committed %v", rebalances, killed, r, committed)
}

func TestFaultBrokerStops(t *testing.T) {
	broker := kafkatest.NewBroker(t, nil)
	b := newBench(t, broker)
	b.send(250)
	c := b.start("", 0, "--follow", "--flush-interval", "500ms")
	waitFor(t, "the first events", func() bool { return b.report().Missing == 0 })
	for i := range scaled(5, 1) {
		broker.Stop()
		if full() && i == 0 {
			time.Sleep(60 * time.Second)
		}
		broker.Start()
		begun := time.Now()
		b.send(130)
		waitFor(t, "the consumer to go on by itself", func() bool { return b.report().Missing == 0 })
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("it took %s to go on", took)
		} else {
			t.Logf("restart %d: everything was in the files %s after the broker answered", i+1, took.Round(100*time.Millisecond))
		}
	}
	b.stop(c)
	if r := b.report(); !r.OK() {
		t.Error(r)
	}
}

func TestFaultMalformedMessages(t *testing.T) {
	b := setup(t, kafkatest.Real(t))
	bad := 0
	for range scaled(10, 2) {
		b.send(990)
		for p := range 3 {
			junk := make([]string, 10)
			for i := range junk {
				junk[i] = fmt.Sprintf(`{"timestamp":%d,"event":"junk"}`, i)
			}
			kafkatest.Send(t, b.client, b.topic, p, junk...)
			bad += len(junk)
		}
	}
	b.mustConsume()
	if r := b.report(); !r.OK() {
		t.Error(r)
	}
	if dead := len(kafkatest.ReadAll(t, b.client, b.topic+batch.DeadLetterSuffix)); dead != bad {
		t.Errorf("%d dead letters for %d malformed messages", dead, bad)
	} else {
		t.Logf("%d malformed among %d messages, %d dead letters", bad, bad+len(b.sent), dead)
	}
}

func TestFaultSecondSignal(t *testing.T) {
	b := newBench(t, kafkatest.NewBroker(t, nil))
	b.send(150)
	c := b.start("", 0, "--follow", "--flush-interval", "1h")
	waitFor(t, "the first files", func() bool { return b.files() >= 3 })
	begun := time.Now()
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("two signals took %s to end it", took)
	}
	b.mustConsume()
	if r := b.report(); !r.OK() {
		t.Error(r)
	}
}

func (b *bench) files() int {
	files, _ := filepath.Glob(filepath.Join(b.folder(), "batch_*.csv"))
	return len(files)
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 90 s for %s", what)
		}
	}
}
