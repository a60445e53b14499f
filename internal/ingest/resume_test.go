package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cartwheel/internal/ingest"
)

// interrupt runs a replay at a rate, and stops it after so many rows are acknowledged.
func (b *bench) interrupt(o ingest.Options, after int64) {
	b.t.Helper()
	b.counts = ingest.Counts{}
	stop, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	o.OnStep = func(step string) {
		if step == ingest.StepAcknowledged && b.counts.Sent.Load() >= after {
			cancel()
		}
	}
	if err := b.runUntil(b.t.Context(), stop, o); !errors.Is(err, ingest.ErrInterrupted) {
		b.t.Fatalf("interrupted: %v", err)
	}
}

func TestResume(t *testing.T) {
	content := header + rows(500) + "bad row\n" + rows(500) + "another bad row\n" + rows(500)
	b := setup(t, content)
	o := ingest.Options{Topic: "topic", Checkpoint: b.path + ".checkpoint", Resume: true, Rate: 5_000}
	b.interrupt(o, 300)
	if _, err := os.Stat(o.Checkpoint); err != nil {
		t.Fatalf("no checkpoint: %v", err)
	}
	b.interrupt(o, 300)
	if b.counts.Resumed.Load() < 300 {
		t.Errorf("it went on after line %d", b.counts.Resumed.Load())
	}
	o.Rate = 0
	if err := b.run(o); err != nil {
		t.Fatal(err)
	}
	got := b.events()
	ids := map[string]bool{}
	for _, e := range got {
		ids[e.EventID] = true
	}
	if len(got) != 1500 || len(ids) != 1500 {
		t.Errorf("%d events with %d ids, want 1500: an interrupted run repeats nothing", len(got), len(ids))
	}
	if r := b.rejects(); len(r) != 3 || r[1][0] != "502" || r[2][0] != "1003" {
		t.Errorf("the rejects are %v", r)
	}
	if _, err := os.Stat(o.Checkpoint); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a finished run leaves its checkpoint: %v", err)
	}
	if err := b.run(o); err != nil || b.counts.Sent.Load() != 1500 {
		t.Errorf("without a checkpoint, --resume sends %d rows: %v", b.counts.Sent.Load(), err)
	}
}

func TestResumeRefusesWhatDoesNotFit(t *testing.T) {
	b := setup(t, header+rows(1000))
	o := ingest.Options{Topic: "topic", Checkpoint: b.path + ".checkpoint", Resume: true, Rate: 5_000}
	b.interrupt(o, 300)
	o.Rate = 0
	for name, c := range map[string]struct {
		change func(o *ingest.Options)
		says   string
	}{
		"another topic": {func(o *ingest.Options) { o.Topic = "other" }, "belongs to topic topic"},
		"another source": {func(o *ingest.Options) {
			o.Path = b.write("other.csv", header+strings.Replace(rows(1000), "visitor0", "v", 1))
		}, "belongs to another source"},
		"a shorter file":  {func(o *ingest.Options) { o.Path = b.write("short.csv", header+rows(2)) }, "it has become shorter"},
		"a damaged one":   {func(o *ingest.Options) { o.Checkpoint = b.write("damaged.checkpoint", "{") }, "cannot be read"},
		"a place nowhere": {func(o *ingest.Options) { o.Checkpoint = filepath.Join(b.path, "x") }, "checkpoint"},
	} {
		o := o
		c.change(&o)
		if err := b.run(o); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
	}
	// A run that is not asked to resume begins anew, and says that it could have gone on.
	var log strings.Builder
	o.Resume, o.Log = false, slog.New(slog.NewTextHandler(&log, nil))
	if err := b.run(o); err != nil || b.counts.Sent.Load() != 1000 || !strings.Contains(log.String(), "--resume") {
		t.Errorf("%d sent, %v, log %s", b.counts.Sent.Load(), err, log.String())
	}
}

func (b *bench) write(name, content string) string {
	b.t.Helper()
	path := filepath.Join(filepath.Dir(b.path), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return path
}

func TestResumeStandardInput(t *testing.T) {
	content := header + rows(2000)
	b := setup(t, "")
	o := ingest.Options{Path: "-", Stdin: strings.NewReader(content), Topic: "topic", Checkpoint: b.path + ".checkpoint", Resume: true, Rate: 5_000}
	b.interrupt(o, 700)
	o.Stdin, o.Rate = strings.NewReader(content), 0
	if err := b.run(o); err != nil {
		t.Fatal(err)
	}
	if got := len(b.events()); got != 2000 {
		t.Errorf("%d events came, want 2000", got)
	}
}

func TestFollow(t *testing.T) {
	b := setup(t, header+rows(10))
	stop, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	o := ingest.Options{Follow: true, Topic: "topic", Checkpoint: b.path + ".checkpoint"}
	go func() { done <- b.runUntil(t.Context(), stop, o) }()
	sent := func(n int64) {
		for b.counts.Sent.Load() < n {
			time.Sleep(time.Millisecond)
		}
	}
	f, err := os.OpenFile(b.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sent(10)
	if _, err := io.WriteString(f, "1433221332117,v,view,i,\n1433221332117,half,"); err != nil {
		t.Fatal(err)
	}
	sent(11)
	if _, err := io.WriteString(f, "view,i,\n"); err != nil {
		t.Fatal(err)
	}
	sent(12)
	cancel()
	if err := <-done; !errors.Is(err, ingest.ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	// A follower that was stopped goes on where it was.
	if _, err := io.WriteString(f, "1433221332118,later,view,i,\n"); err != nil {
		t.Fatal(err)
	}
	stop, cancel = context.WithCancel(t.Context())
	defer cancel()
	o.Resume = true
	go func() { done <- b.runUntil(t.Context(), stop, o) }()
	for len(b.events()) < 13 {
		time.Sleep(time.Millisecond)
	}
	if err := f.Truncate(20); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "has become shorter") {
		t.Errorf("a file that was cut off: %v", err)
	}
	if got := b.events(); len(got) != 13 {
		t.Errorf("%d events came, want 13", len(got))
	}
	o = ingest.Options{Follow: true, Path: b.write("x.gz", "\x1f\x8b\x08\x00")}
	if err := b.run(o); err == nil || !strings.Contains(err.Error(), "only a plain file can be followed") {
		t.Errorf("a compressed file: %v", err)
	}
}

// The clock of the file: ten minutes of it, a thousand times faster, last 0.6 s.
func TestSpeed(t *testing.T) {
	var file strings.Builder
	file.WriteString(header)
	for i := range 601 {
		fmt.Fprintf(&file, "%d,v%d,view,i,\n", 1433221332117+int64(i)*1000, i)
	}
	b := setup(t, file.String())
	begun := time.Now()
	if err := b.run(ingest.Options{Speed: 1000}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 570*time.Millisecond {
		t.Errorf("ten minutes at 1000 times their speed took only %s", took)
	}
	if got := len(b.events()); got != 601 {
		t.Errorf("%d events came", got)
	}
}
