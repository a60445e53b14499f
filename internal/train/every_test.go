package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"cartwheel/internal/erasure"
	"cartwheel/internal/event"
	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"
)

// putBatch writes a batch file of n events, and returns its name.
func putBatch(t *testing.T, dataDir string, first, n int) string {
	t.Helper()
	name := fmt.Sprintf("batch_000_%020d_%020d.csv", first, first+n-1)
	text := event.BatchHeader + "\n"
	for i := range n {
		text += fmt.Sprintf("1,v,view,i,,e%d\n", first+i)
	}
	path := filepath.Join(dataDir, features.BatchesDir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	return name
}

// putVersion writes as much of a version as tells what it was made from.
func putVersion(t *testing.T, dataDir, name string, batches ...string) {
	t.Helper()
	putVersionWithout(t, dataDir, name, 0, batches...)
}

// putVersionWithout is putVersion, of a version that leaves out so many visitors.
func putVersionWithout(t *testing.T, dataDir, name string, erased int, batches ...string) {
	t.Helper()
	dir := filepath.Join(dataDir, "models", name)
	text, err := json.Marshal(model.Manifest{Schema: model.Schema, Version: name, Data: model.DataRange{BatchFiles: batches}, Counts: model.Counts{Erased: int64(erased)}})
	if err = errors.Join(err, os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, model.ManifestName), text, 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestNewEventsAreThoseTheNewestVersionHasNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := func(n int64) {
		t.Helper()
		if got, err := newsOf(dir); err != nil || got.events != n {
			t.Errorf("%d new events, %v; want %d", got.events, err, n)
		}
	}
	want(0)
	a := putBatch(t, dir, 0, 30)
	b := putBatch(t, dir, 30, 5)
	putBatch(t, dir, 35, 7)
	want(42)
	putVersion(t, dir, "20260101T000000Z-aaaaaa", a, b)
	want(7)
	putVersion(t, dir, "20260102T000000Z-aaaaaa", a)
	want(12)
	if err := os.WriteFile(filepath.Join(dir, "models", "20260102T000000Z-aaaaaa", model.ManifestName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	want(7)
}

// play runs rounds in a bubble of time, with a training that does nothing but return what it is told to. at is when each began.
func play(t *testing.T, schedule Schedule, dir string, forSoLong time.Duration, train func(n int) error) (at []time.Duration, r *rounds, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), forSoLong)
		defer cancel()
		r = &rounds{Schedule: schedule, config: Config{DataDir: dir}, log: slog.New(slog.NewTextHandler(log, nil)), train: func(context.Context, Config) error {
			at = append(at, time.Since(begun))
			return train(len(at))
		}}
		r.run(ctx)
	})
	return at, r, log
}

func TestRoundsWaitForEnoughEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	all := []string{putBatch(t, dir, 0, 50)}
	schedule := Schedule{Every: time.Minute, MinNewEvents: 40}
	at, r, log := play(t, schedule, dir, 10*time.Minute, func(n int) error {
		putVersion(t, dir, fmt.Sprintf("2026010%dT000000Z-aaaaaa", n), all...)
		if n == 1 {
			putBatch(t, dir, 50, 39) // not enough
		}
		return nil
	})
	if want := []time.Duration{0}; !slices.Equal(at, want) {
		t.Errorf("trained at %v, want %v", at, want)
	}
	if got := samplesOf(r); !strings.Contains(got, "promoted 1;") || !strings.Contains(got, "new_events 39;") {
		t.Errorf("the metrics tell %s", got)
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("the log: %s", log)
	}
}

// Whoever waits for a version waits on after a restart: the newest one says when it was made.
func TestRoundsTellOfVersionsMadeBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	batch := putBatch(t, dir, 0, 50)
	made := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // a year before the bubble's time
	data, err := json.Marshal(model.Manifest{Schema: model.Schema, Version: "19990101T000000Z-aaaaaa", CreatedAt: made, Seconds: 90, Data: model.DataRange{BatchFiles: []string{batch}}})
	if err != nil {
		t.Fatal(err)
	}
	version := filepath.Join(dir, "models", "19990101T000000Z-aaaaaa")
	if err := errors.Join(os.MkdirAll(version, 0o755), os.WriteFile(filepath.Join(version, model.ManifestName), data, 0o644)); err != nil {
		t.Fatal(err)
	}
	_, r, _ := play(t, Schedule{Every: time.Minute, MinNewEvents: 40}, dir, 10*time.Minute, func(int) error { return nil })
	want := fmt.Sprintf("last_success_timestamp_seconds %g;", float64(made.Unix()+90))
	if got := samplesOf(r); !strings.Contains(got, want) || !strings.Contains(got, "min_new_events 40;") {
		t.Errorf("the metrics tell %s, want %s", got, want)
	}
	putBatch(t, dir, 50, 40)
	if _, r, _ = play(t, Schedule{Every: time.Minute, MinNewEvents: 40}, dir, time.Second, func(int) error { return nil }); strings.Contains(samplesOf(r), want) {
		t.Errorf("after a training the metrics tell %s", samplesOf(r))
	}
}

// An erasure is a reason for a training of its own, once: no version that comes later knows the visitor.
func TestRoundsTrainForAnErasureAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	all := []string{putBatch(t, dir, 0, 50)}
	erase := func(visitor string) {
		if _, err := erasure.Add(dir, erasure.List{visitor: 1}); err != nil {
			t.Error(err)
		}
	}
	erase("a")
	left := []string{"b", "c"} // who ask to be erased during the first training and the second
	at, _, log := play(t, Schedule{Every: time.Minute, MinNewEvents: 40}, dir, 10*time.Minute, func(n int) error {
		erased, err := erasure.Read(dir) // as a training does, before anything else
		if n <= len(left) {
			erase(left[n-1])
		}
		if n == 2 {
			return errors.New("a bad day")
		}
		putVersionWithout(t, dir, fmt.Sprintf("2026010%dT000000Z-aaaaaa", n), len(erased), all...)
		return err
	})
	if want := []time.Duration{0, time.Minute, 2 * time.Minute}; !slices.Equal(at, want) {
		t.Errorf("trained at %v, want %v", at, want)
	}
	if !strings.Contains(log.String(), "newly_erased_visitors=2") {
		t.Errorf("the log: %s", log)
	}
}

func TestAnErasureBeforeTheFirstVersionIsNoReason(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	putBatch(t, dir, 0, 39)
	if _, err := erasure.Add(dir, erasure.List{"a": 1}); err != nil {
		t.Fatal(err)
	}
	at, _, _ := play(t, Schedule{Every: time.Minute, MinNewEvents: 40}, dir, 3*time.Minute, func(int) error { return nil })
	if len(at) != 0 {
		t.Errorf("trained at %v, without a version that the visitor could be in and with too few events", at)
	}
}

func TestARoundThatFailsIsFollowedByTheNext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	putBatch(t, dir, 0, 50)
	gone := fmt.Errorf("%w: nobody there", spark.ErrRemote)
	kept := fmt.Errorf("%w: not better", errNotPromoted)
	fails := []error{errors.New("a bad day"), model.ErrBusy, gone, gone, gone, gone, gone, errors.New("again"), gone, kept, nil}
	at, r, log := play(t, Schedule{Every: time.Minute, MinNewEvents: 1}, dir, 7*time.Minute, func(n int) error {
		if n > len(fails) {
			return nil
		}
		return fails[n-1]
	})
	var want []time.Duration
	for _, s := range []int{0, 60, 120, 125, 135, 155, 195, 255, 315, 320, 380} { // doubled pauses while Spark is gone, never more than --every
		want = append(want, time.Duration(s)*time.Second)
	}
	if !slices.Equal(at, want) {
		t.Errorf("trained at %v, want %v", at, want)
	}
	if got := samplesOf(r); !strings.Contains(got, "promoted 1;") || !strings.Contains(got, "busy 1;") || !strings.Contains(got, "lost 6;") || !strings.Contains(got, "failed 2;") || !strings.Contains(got, "kept 1;") {
		t.Errorf("the metrics tell %s", got)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 9 || !strings.Contains(log.String(), "nobody there") || !strings.Contains(log.String(), "next=40s") {
		t.Errorf("%d failures are logged:\n%s", n, log)
	}
	if err := r.stats.healthy(); err != nil {
		t.Errorf("after a success it says %v", err)
	}
}

func TestRoundsReadEverythingAgainUntilItGoesWellOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	putBatch(t, dir, 0, 50) // and no version of it, so that each round trains
	var again []bool
	r := &rounds{Schedule: Schedule{MinNewEvents: 1}, config: Config{DataDir: dir, Recompute: true}, log: slog.New(slog.DiscardHandler), train: func(_ context.Context, c Config) error {
		again = append(again, c.Recompute)
		return []error{errors.New("a bad day"), fmt.Errorf("%w: not better", errNotPromoted), nil}[len(again)-1]
	}}
	for range 3 {
		_ = r.round(t.Context())
	}
	if want := []bool{true, true, false}; !slices.Equal(again, want) {
		t.Errorf("the rounds read everything again: %v, want %v", again, want)
	}
}

func TestRoundsEndWhenTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	putBatch(t, dir, 0, 50)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		r := &rounds{Schedule: Schedule{Every: time.Hour, MinNewEvents: 1}, config: Config{DataDir: dir}, log: slog.New(slog.NewTextHandler(&log, nil)), train: func(ctx context.Context, _ Config) error {
			cancel() // in the middle of a training
			<-ctx.Done()
			return fmt.Errorf("fitting: %w", ctx.Err())
		}}
		r.run(ctx) // the bubble would fail if it did not return
		if got := samplesOf(r); !strings.Contains(got, "failed 0;") || strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("being told to stop counts as a failure: %s\n%s", got, &log)
		}
	})
}

func samplesOf(r *rounds) (all string) {
	for _, s := range r.samples() {
		name := strings.TrimPrefix(s.Name, "cartwheel_train_")
		if outcome := s.Labels["outcome"]; outcome != "" {
			name = outcome
		}
		all += fmt.Sprintf("%s %g; ", name, s.Value)
	}
	return all
}

func TestScheduleNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	code, _, stderr := mainWith(t, nil, "--every", "10ms", "--min-new-events", "0")
	if code != 2 || !strings.Contains(stderr, "--every 10ms") || !strings.Contains(stderr, "--min-new-events 0") {
		t.Errorf("code %d: %s", code, stderr)
	}
	code, _, stderr = mainWith(t, map[string]string{"DATA_DIR": t.TempDir(), "METRICS_ADDR": "nowhere:x"}, "--every", "1m")
	if code != 2 || !strings.Contains(stderr, "--metrics-addr") {
		t.Errorf("code %d: %s", code, stderr)
	}
}

func TestWhatCountsAsSparkGone(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("connecting: %w", spark.ErrRemote), true},
		{fmt.Errorf("fitting: %w", &spark.Error{Code: codes.Unavailable}), true},
		{&spark.Error{Class: "INVALID_HANDLE.SESSION_NOT_FOUND", Code: codes.Internal}, true},
		{&spark.Error{Reason: "java.lang.IllegalStateException", Message: "Cannot call methods on a stopped SparkContext.", Code: codes.Internal}, true},
		{&spark.Error{Class: "PATH_NOT_FOUND", Code: codes.Internal}, false},
		{errors.New("no space left on device"), false},
	} {
		if got := lost(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
