package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"cartwheel/internal/batch"
	"cartwheel/internal/batch/batchtest"
	"cartwheel/internal/kafka"
	"cartwheel/scripts/internal/machine"
)

// round is everything, measured once.
type round struct {
	load         float64
	produced     usage
	consumed     usage
	both         usage
	producerPerf float64
	consumerPerf float64
}

// usage is what a process took.
type usage struct {
	events  int
	seconds float64
	cpu     float64
	mb      float64 // resident, at its peak
}

func (u usage) rate() float64 { return float64(u.events) / u.seconds }

func (b *bench) round(i int) (r round, recordSize int, err error) {
	r.load = machine.Load()
	topic := fmt.Sprintf("bench-%d-%s", i, uuid.NewString()[:8])
	for _, name := range []string{topic, topic + "-perf", topic + "-both"} {
		if err := b.client.CreateTopic(b.ctx, name, partitions, 1); err != nil {
			return r, 0, err
		}
		defer func() { err = errorsFirst(err, b.client.DeleteTopic(b.ctx, name)) }()
	}
	if r.produced, err = b.produce(topic); err != nil {
		return r, 0, err
	}
	if recordSize, err = b.recordSize(topic); err != nil {
		return r, 0, err
	}
	if r.producerPerf, err = b.perf(`([0-9.]+) records/sec`, true, "org.apache.kafka.tools.ProducerPerformance", "--topic", topic+"-perf", "--num-records", fmt.Sprint(b.events),
		"--record-size", fmt.Sprint(recordSize), "--throughput", "-1", "--producer-props", "bootstrap.servers="+b.servers, "acks=all", "batch.size=524288", "linger.ms=10", "buffer.memory=134217728"); err != nil {
		return r, 0, err
	}
	consumer, dir, err := b.startConsumer(topic, "--idle-timeout", "3s")
	if err != nil {
		return r, 0, err
	}
	if r.consumed, err = b.finishConsumer(consumer, dir, consumer.begun, true); err != nil {
		return r, 0, err
	}
	if r.consumerPerf, err = b.perf(`(?m)^[0-9].*, ([0-9.]+)$`, false, "org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", b.servers, "--topic", topic,
		"--messages", fmt.Sprint(b.events), "--timeout", "30000"); err != nil {
		return r, 0, err
	}
	// Both at once: the clock runs from the producer's start to the last file, which must not wait for more.
	if consumer, dir, err = b.startConsumer(topic+"-both", "--idle-timeout", "5s", "--flush-interval", "500ms"); err != nil {
		return r, 0, err
	}
	begun := time.Now()
	if _, err = b.produce(topic + "-both"); err != nil {
		return r, 0, err
	}
	r.both, err = b.finishConsumer(consumer, dir, begun, false)
	return r, recordSize, err
}

func errorsFirst(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (b *bench) produce(topic string) (usage, error) {
	cmd := b.command(filepath.Join(b.bin, "producer"), "--file", b.file, "--topic", topic)
	var out bytes.Buffer
	cmd.Stdout = &out
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	peak := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	u := used(cmd, time.Since(begun), peak)
	if err != nil {
		return usage{}, fmt.Errorf("producer: %w", err)
	}
	if !strings.Contains(out.String(), fmt.Sprintf("sent      %d\nrejected  0\n", b.events)) {
		return usage{}, fmt.Errorf("the producer did not send everything: %s", out.String())
	}
	u.events = b.events
	return u, nil
}

type running struct {
	*exec.Cmd
	begun time.Time
	peak  func() float64
}

func (b *bench) startConsumer(topic string, args ...string) (running, string, error) {
	dir, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return running{}, "", err
	}
	cmd := b.command(filepath.Join(b.bin, "consumer"), append([]string{"--topic", topic, "--group-id", topic, "--data-dir", dir, "--batch-size", fmt.Sprint(batchSize)}, args...)...)
	r := running{Cmd: cmd, begun: time.Now()}
	if err := cmd.Start(); err != nil {
		return running{}, "", err
	}
	r.peak = watchMemory(cmd.Process.Pid)
	return r, dir, nil
}

// finishConsumer waits for the consumer, checks its files, and takes the time from begun to the last of them. With full, that is the
// last full file, and only full files' events count: a file that is not full waits for more events, which is no work.
func (b *bench) finishConsumer(c running, dir string, begun time.Time, full bool) (usage, error) {
	defer os.RemoveAll(dir)
	if err := c.Wait(); err != nil {
		return usage{}, fmt.Errorf("consumer: %w", err)
	}
	folder := filepath.Join(dir, batch.FolderName)
	report, err := batchtest.Check(folder, nil) // every id counts as foreign, but repeats, gaps and damage show, and the rows are counted
	if err != nil {
		return usage{}, err
	}
	if report.Rows != b.events || report.Repeated > 0 || len(report.Problems) > 0 {
		return usage{}, fmt.Errorf("the batch files are not what was sent: %v", report)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return usage{}, err
	}
	var last time.Time
	events := 0
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return usage{}, err
		}
		name, ok := batch.ParseName(e.Name())
		if !ok || full && name.Last-name.First+1 < batchSize {
			continue
		}
		events += int(name.Last - name.First + 1)
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	u := used(c.Cmd, last.Sub(begun), c.peak)
	u.events = events
	return u, nil
}

// batchSize is the consumer's default.
const batchSize = 10_000

func used(cmd *exec.Cmd, took time.Duration, peak func() float64) usage {
	return usage{seconds: took.Seconds(), cpu: (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), mb: peak()}
}

// watchMemory looks at a process's peak while it runs. What the kernel tells afterwards (ru_maxrss) counts this process's own memory
// too, from which the other was forked.
func watchMemory(pid int) (peak func() float64) {
	var kb int
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if _, text, ok := strings.Cut(string(data), "VmHWM:"); ok && err == nil {
				var now int
				if _, err := fmt.Sscan(text, &now); err == nil {
					kb = max(kb, now)
				}
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() float64 { close(stop); <-done; return float64(kb) / 1024 }
}

// recordSize is the mean of key, value and headers.
func (b *bench) recordSize(topic string) (int, error) {
	f, err := b.client.Fetch(b.ctx, topic, 0, 0, nil)
	if err != nil {
		return 0, err
	}
	n, size := 0, 0
	var r kafka.Record
	for {
		ok, err := f.Next(&r)
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		n++
		size += len(r.Key) + len(r.Value)
		for _, h := range r.Headers() {
			size += len(h.Key) + len(h.Value)
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("no records in %s", topic)
	}
	return size / n, nil
}

// perf runs one of Kafka's tools and finds the rate in its last line of figures; whole asks for the closing line of all records.
func (b *bench) perf(pattern string, whole bool, class string, args ...string) (float64, error) {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	var out bytes.Buffer
	cmd := b.command(java, append([]string{"-Xmx512m", "-cp", b.libs, class}, args...)...)
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", class, err, out.String())
	}
	text := out.String()
	if whole {
		i := strings.LastIndex(text, fmt.Sprintf("%d records sent", b.events))
		if i < 0 {
			return 0, fmt.Errorf("%s sent less than %d records:\n%s", class, b.events, text)
		}
		text = text[i:]
	}
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("no rate in the output of %s:\n%s", class, out.String())
	}
	return strconv.ParseFloat(found[1], 64)
}
