//go:build integration

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/ingest"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
	"cartwheel/internal/reexec"
)

// Faults that need processes and a broker of their own. `make test` runs a bounded part; with CARTWHEEL_FAULTS=full, `make
// test-faults` runs all. Everything that is random follows from the seed.

const faultSeed = 20150503

func full() bool { return os.Getenv("CARTWHEEL_FAULTS") == "full" }

func TestMain(m *testing.M) {
	reexec.Main(m, func(step func(string)) { onStep = step; main() })
}

// source writes a file of n rows and returns its path and the ids that its rows must get.
func source(t *testing.T, n int) (path string, want map[string]int) {
	t.Helper()
	path, want = filepath.Join(t.TempDir(), "events.csv"), map[string]int{}
	var b strings.Builder
	b.WriteString(header)
	var identity event.Source
	for i := range n {
		row := fmt.Sprintf("%d,v%d,view,i%d,", 1433221332117+i, i%500, i%3000)
		if i == 0 {
			identity = event.SourceOf([]byte(strings.TrimSpace(header)), []byte(row))
		}
		b.WriteString(row + "\n")
		want[string(identity.AppendID(nil, int64(i+2), []byte(row)))] = 0
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, want
}

func start(t *testing.T, addr, topic, path string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := reexec.Command(append([]string{"--bootstrap-servers", addr, "--topic", topic, "--file", path}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, &out
}

// count fills in how often each id is in the topic, and returns how many are missing and how many messages are repeats.
func count(t *testing.T, c *kafka.Client, topic string, want map[string]int) (missing, repeats int) {
	t.Helper()
	for _, m := range kafkatest.ReadAll(t, c, topic) {
		id := m.Headers["eventid"]
		if _, ok := want[id]; !ok {
			t.Fatalf("%+v is not in the file", m)
		}
		want[id]++
	}
	for _, n := range want {
		if n == 0 {
			missing++
		} else {
			repeats += n - 1
		}
	}
	return missing, repeats
}

func TestFaultProducerKilled(t *testing.T) {
	addr := kafkatest.Real(t)
	c := kafkatest.Open(t, addr)
	kills, rate := 5, 20_000
	if full() {
		kills = 20
	}
	path, want := source(t, rate*(1+kills)) // a second of rows for each kill, and then some
	topic := kafkatest.Topic(t, c, 4)
	random := rand.New(rand.NewPCG(faultSeed, 1))
	steps := []string{ingest.StepRead, ingest.StepAcknowledged, ingest.StepCheckpoint}
	times := map[string]int{}
	for i := range kills {
		step, n := steps[i%len(steps)], 1+random.IntN(70) // pieces of 20 ms: up to 1.4 s
		if step == ingest.StepCheckpoint {
			n = 1
		}
		cmd, out := start(t, addr, topic, path, "--resume", "--rate", fmt.Sprint(rate))
		reexec.KillAt(cmd, step, n)
		if err := cmd.Run(); !reexec.Killed(cmd) {
			t.Fatalf("the producer was to be killed at step %s, time %d, but ended with %v\n%s", step, n, err, out)
		}
		times[step]++
	}
	cmd, out := start(t, addr, topic, path, "--resume")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	missing, repeats := count(t, c, topic, want)
	if missing > 0 {
		t.Errorf("%d of %d events are missing", missing, len(want))
	}
	// A kill repeats what was sent since the last checkpoint, at most a second and what was on its way.
	if most := kills * 2 * rate; repeats > most {
		t.Errorf("%d events are repeats, more than %d", repeats, most)
	}
	t.Logf("killed %v: %d events, %d missing, %d repeats with the same ids\n%s", times, len(want), missing, repeats, out)
}

func TestFaultProducerInterrupted(t *testing.T) {
	addr := kafkatest.Real(t)
	c := kafkatest.Open(t, addr)
	path, want := source(t, 60_000)
	topic := kafkatest.Topic(t, c, 4)
	for range 3 {
		cmd, out := start(t, addr, topic, path, "--resume", "--rate", "20000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		before := end(t, c, topic)
		for deadline := time.Now().Add(30 * time.Second); end(t, c, topic) == before && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		}
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "--resume goes on from there") {
			t.Fatalf("interrupted: %v\n%s", err, out)
		}
	}
	cmd, out := start(t, addr, topic, path, "--resume")
	if err := cmd.Run(); err != nil || !strings.Contains(out.String(), "resumed   after line") {
		t.Fatalf("%v\n%s", err, out)
	}
	if missing, repeats := count(t, c, topic, want); missing != 0 || repeats != 0 {
		t.Errorf("%d missing, %d repeats after Ctrl-C", missing, repeats)
	}
}

func end(t *testing.T, c *kafka.Client, topic string) (sum int64) {
	t.Helper()
	for p := range 4 {
		o, err := c.Offsets(t.Context(), topic, p)
		if err != nil && !kafka.Temporary(err) { // a topic that is just being made has no leader yet
			t.Fatal(err)
		}
		sum += o.End
	}
	return sum
}

func TestFaultBrokerStopsDuringAReplay(t *testing.T) {
	broker := kafkatest.NewBroker(t, nil)
	c := kafkatest.Open(t, broker.Addr)
	restarts, rate := 1, 5_000
	if full() {
		restarts = 5
	}
	path, want := source(t, 8*rate*restarts)
	topic := kafkatest.Topic(t, c, 4)
	cmd, out := start(t, broker.Addr, topic, path, "--rate", fmt.Sprint(rate))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range restarts {
		before := end(t, c, topic)
		for end(t, c, topic) < before+int64(rate) {
			time.Sleep(20 * time.Millisecond)
		}
		if i%2 == 0 {
			broker.Stop()
		} else {
			broker.Kill()
		}
		if full() && i == 0 {
			time.Sleep(60 * time.Second)
		}
		broker.Start()
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	missing, repeats := count(t, c, topic, want)
	if missing != 0 {
		t.Errorf("%d of %d events are missing\n%s", missing, len(want), out)
	}
	t.Logf("%d restarts: %d events, %d missing, %d repeats\n%s", restarts, len(want), missing, repeats, out)
}

func TestFaultOldEventTimes(t *testing.T) {
	wait := 15 * time.Second
	if full() {
		wait = 60 * time.Second
	}
	broker := kafkatest.NewBroker(t, nil, "log.retention.hours=1", "log.retention.check.interval.ms=10000", "log.segment.delete.delay.ms=100")
	c := kafkatest.Open(t, broker.Addr)
	path, want := source(t, 5_000) // of 2015
	topic := kafkatest.Topic(t, c, 4, kafka.TopicSetting{Name: "segment.ms", Value: "1000"})
	cmd, out := start(t, broker.Addr, topic, path)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// The same events with the event's time as the record's are what the broker deletes: the check does run.
	control := kafkatest.Topic(t, c, 1, kafka.TopicSetting{Name: "segment.ms", Value: "1000"})
	kafkatest.SendAt(t, c, control, 0, 1, "sent with a time of 1970")
	time.Sleep(2 * time.Second) // so that the next message begins a new segment, and the old one may be deleted
	kafkatest.SendAt(t, c, control, 0, 1, "the same")
	begun := time.Now()
	for deadline := begun.Add(90 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		o, err := c.Offsets(t.Context(), control, 0)
		if err != nil {
			t.Fatal(err)
		}
		if o.Start > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the broker deletes nothing at all: the test proves nothing")
		}
	}
	time.Sleep(wait - time.Since(begun))
	if missing, _ := count(t, c, topic, want); missing != 0 {
		t.Errorf("%d of %d events of 2015 were deleted", missing, len(want))
	}
}
