package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/batch/batchtest"
	"cartwheel/internal/durable"
	"cartwheel/internal/erasure"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka/kafkatest"
	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/serve"
	"cartwheel/internal/synthetic/synthetictest"
)

const (
	one = "20260101T000000Z-aaaaaa"
	two = "20260102T000000Z-bbbbbb"
)

// shop is a data folder with three batch files and two versions, and a folder for backups.
type shop struct {
	t        *testing.T
	data, to string
	now      time.Time
}

func setup(t *testing.T) *shop {
	t.Parallel()
	s := &shop{t: t, data: filepath.Join(t.TempDir(), "data"), to: filepath.Join(t.TempDir(), "backups"), now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	for i := range int64(3) {
		s.batch(batch.Name{Partition: 1, First: 2 * i, Last: 2*i + 1})
	}
	for i, name := range []string{one, two} {
		modeltest.Write(t, s.models(), modeltest.Random(name, uint64(i), 20, 10, 4))
		if err := model.SetChampion(s.models(), name); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *shop) models() string { return filepath.Join(s.data, "models") }

func (s *shop) batch(n batch.Name) {
	s.t.Helper()
	if err := synthetictest.WriteBatch(filepath.Join(s.data, batch.FolderName), n, fmt.Appendf(nil, "1,v,view,i,,%d\n", n.First)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) save() (string, Summary) {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	dir, summary, err := Save(s.t.Context(), s.data, s.to, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	return dir, summary
}

// same compares batch files, versions and the champion of two folders, byte by byte.
func (s *shop) same(a, b string) {
	s.t.Helper()
	met := 0
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		for _, pattern := range []string{"processed_batches/batch_*", "models/*/manifest.json", "models/*/*/*.parquet", "models/LATEST", "models/.previous"} {
			files, _ := filepath.Glob(filepath.Join(pair[0], pattern))
			for _, file := range files {
				rel, _ := filepath.Rel(pair[0], file)
				x, errX := os.ReadFile(file)
				y, errY := os.ReadFile(filepath.Join(pair[1], rel))
				if errX != nil || errY != nil || string(x) != string(y) {
					s.t.Errorf("%s differs (%v, %v)", rel, errX, errY)
				}
				met++
			}
		}
	}
	if met < 10 {
		s.t.Errorf("only %d files were compared", met)
	}
}

// clean wants nothing unfinished in a folder.
func (s *shop) clean(dir string) {
	s.t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, durable.TempPrefix+"*")); len(left) > 0 {
		s.t.Errorf("left behind: %v", left)
	}
}

func TestThereAndBack(t *testing.T) {
	s := setup(t)
	dir, summary := s.save()
	if summary.Batches != 3 || len(summary.Versions) != 2 || summary.Champion != two || summary.Next[1] != 6 || len(summary.LeftOut) != 0 || summary.Bytes == 0 {
		t.Errorf("%+v", summary)
	}
	if got, err := Verify(t.Context(), dir); err != nil || got.Bytes != summary.Bytes {
		t.Errorf("%+v, %v", got, err)
	}
	other := filepath.Join(t.TempDir(), "new", "data")
	restored, aside, err := Restore(t.Context(), dir, other, false, s.now)
	if err != nil || aside != "" || restored.Champion != two {
		t.Fatalf("%+v, %s, %v", restored, aside, err)
	}
	s.same(s.data, other)
	s.clean(other)
	s.clean(s.to)
	if m, err := model.Rollback(filepath.Join(other, "models"), serve.Check); err != nil || m.Version != one {
		t.Errorf("rolling back what was restored: %v", err)
	}
}

func TestDataAreNotOverwritten(t *testing.T) {
	s := setup(t)
	dir, _ := s.save()
	s.batch(batch.Name{Partition: 1, First: 6, Last: 7})
	if err := os.MkdirAll(filepath.Join(s.data, "features", "events"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Restore(t.Context(), dir, s.data, false, s.now); !errors.Is(err, ErrOccupied) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(s.data, batch.FolderName, batch.Name{Partition: 1, First: 6, Last: 7}.String())); err != nil {
		t.Fatalf("a refused restore has changed something: %v", err)
	}
	_, aside, err := Restore(t.Context(), dir, s.data, true, s.now)
	if err != nil {
		t.Fatal(err)
	}
	s.same(dir, s.data)
	s.clean(s.data)
	for _, kept := range []string{"processed_batches/" + batch.Name{Partition: 1, First: 6, Last: 7}.String(), "models/LATEST", "features/events"} {
		if _, err := os.Stat(filepath.Join(aside, kept)); err != nil {
			t.Errorf("what was there is not kept: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.data, "features", "events")); err == nil {
		t.Error("the store of events is still there, made from batch files that are not")
	}
}

func TestErasedVisitorsStayErased(t *testing.T) {
	s := setup(t)
	add := func(visitor string) {
		t.Helper()
		if _, err := erasure.Add(s.data, erasure.List{visitor: 1}); err != nil {
			t.Fatal(err)
		}
	}
	add("before")
	dir, _ := s.save()
	add("after")
	other := t.TempDir()
	if _, _, err := Restore(t.Context(), dir, other, false, s.now); err != nil {
		t.Fatal(err)
	}
	if list, err := erasure.Read(other); err != nil || len(list) != 1 || list["before"] == 0 {
		t.Errorf("%v, %v", list, err)
	}
	if _, _, err := Restore(t.Context(), dir, s.data, true, s.now); err != nil {
		t.Fatal(err)
	}
	if list, err := erasure.Read(s.data); err != nil || len(list) != 2 {
		t.Errorf("who was erased after the backup is forgotten: %v, %v", list, err)
	}
}

func TestDamagedBackupsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(dir string) error
		want   string
	}{
		{"a changed byte", func(dir string) error {
			path := filepath.Join(dir, batch.FolderName, batch.Name{Partition: 1, First: 0, Last: 1}.String())
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[len(data)-2] ^= 1
			return os.WriteFile(path, data, 0o644)
		}, "was changed"},
		{"a missing file", func(dir string) error {
			return os.Remove(filepath.Join(dir, batch.FolderName, batch.Name{Partition: 1, First: 0, Last: 1}.String()))
		}, "no such file"},
		{"a list cut off", func(dir string) error {
			data, err := os.ReadFile(filepath.Join(dir, sumsName))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, sumsName), data[:strings.LastIndexByte(string(data[:len(data)-1]), '\n')+1], 0o644)
		}, "does not name"},
		{"a line cut off", func(dir string) error {
			info, err := os.Stat(filepath.Join(dir, sumsName))
			if err != nil {
				return err
			}
			return os.Truncate(filepath.Join(dir, sumsName), info.Size()-5)
		}, "is not a checksum"},
		{"no list", func(dir string) error { return os.Remove(filepath.Join(dir, sumsName)) }, "never finished"},
		{"an empty list", func(dir string) error { return os.Truncate(filepath.Join(dir, sumsName), 0) }, "is empty"},
		{"a stranger", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "models", "notes.txt"), []byte("x"), 0o644)
		}, "does not name"},
		{"a way out", func(dir string) error {
			f, err := os.OpenFile(filepath.Join(dir, sumsName), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = fmt.Fprintf(f, "%064d  models/../../x\n", 0)
			return err
		}, "one of a backup's files"},
		{"a champion that is not there", func(dir string) error {
			if err := os.WriteFile(filepath.Join(dir, "models", model.LatestName), []byte("20260103T000000Z-cccccc\n"), 0o644); err != nil {
				return err
			}
			list, err := readSums(dir)
			if err != nil {
				return err
			}
			if list["models/LATEST"], err = sumOf(context.Background(), filepath.Join(dir, "models", model.LatestName)); err != nil {
				return err
			}
			return list.write(dir)
		}, "20260103T000000Z-cccccc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := setup(t)
			dir, _ := s.save()
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Verify(t.Context(), dir); !errors.Is(err, ErrBad) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("verifying: %v", err)
			}
			other := filepath.Join(t.TempDir(), "data")
			if _, _, err := Restore(t.Context(), dir, other, false, s.now); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("restoring: %v", err)
			}
			if occupied, err := holdsData(other); occupied || err != nil {
				t.Errorf("something was restored: %v", err)
			}
			s.clean(other)
		})
	}
}

func TestDamagedVersions(t *testing.T) {
	s := setup(t)
	damage := func(version string) {
		files, _ := filepath.Glob(filepath.Join(s.models(), version, "seen", "*.parquet"))
		if err := os.Truncate(files[0], 5); err != nil {
			t.Fatal(err)
		}
	}
	damage(one)
	dir, summary := s.save()
	if len(summary.LeftOut) != 1 || !strings.HasPrefix(summary.LeftOut[0], one) || len(summary.Versions) != 1 || summary.Champion != two {
		t.Errorf("%+v", summary)
	}
	if _, err := Verify(t.Context(), dir); err != nil {
		t.Error(err)
	}
	damage(two)
	if _, _, err := Save(t.Context(), s.data, s.to, s.now.Add(time.Minute)); err == nil || !strings.Contains(err.Error(), "rollback") {
		t.Errorf("a damaged champion: %v", err)
	}
	s.clean(s.to)
}

func TestSaveRefuses(t *testing.T) {
	s := setup(t)
	for to, want := range map[string]string{filepath.Join(s.models(), "backups"): "would be taken for data", filepath.Join(s.data, "processed_batches"): "would be taken for data"} {
		if _, _, err := Save(t.Context(), s.data, to, s.now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", to, err)
		}
	}
	if _, _, err := Save(t.Context(), t.TempDir(), s.to, s.now); err == nil || !strings.Contains(err.Error(), "nothing to back up") {
		t.Errorf("%v", err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Save(stopped, s.data, s.to, s.now); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	s.clean(s.to)
	if err := os.Remove(filepath.Join(s.data, batch.FolderName, batch.Name{Partition: 1, First: 2, Last: 3}.String())); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Save(t.Context(), s.data, s.to, s.now); !errors.Is(err, batch.ErrFolder) {
		t.Errorf("a gap: %v", err)
	}
	unlock, err := alone(s.to)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, _, err := Save(t.Context(), s.data, s.to, s.now); err == nil || !strings.Contains(err.Error(), "another backup") {
		t.Errorf("%v", err)
	}
}

func TestWhatWasKilledIsCleared(t *testing.T) {
	s := setup(t)
	half := filepath.Join(s.to, durable.TempPrefix+prefix+"20250101T000000Z")
	if err := os.MkdirAll(half, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, _ := s.save()
	s.clean(s.to)
	other := t.TempDir()
	if err := os.MkdirAll(filepath.Join(other, durable.TempPrefix+"restore-1", "models"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Restore(t.Context(), dir, other, false, s.now); err != nil {
		t.Fatal(err)
	}
	s.clean(other)
}

func TestNoRestoreUnderATraining(t *testing.T) {
	s := setup(t)
	dir, _ := s.save()
	unlock, err := model.Lock(s.models())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Restore(t.Context(), dir, s.data, true, s.now); !errors.Is(err, model.ErrBusy) {
		t.Errorf("%v", err)
	}
	unlock()
	if _, _, err := Restore(t.Context(), dir, s.data, true, s.now); err != nil {
		t.Error(err)
	}
}

// Files and versions come, and the champion changes, while backups are made: each of them must be one that can be restored.
func TestWhileEverythingRuns(t *testing.T) {
	s := setup(t)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for at := int64(6); ctx.Err() == nil && at < 200; at += 2 {
			for p := range 3 {
				if p == 1 || at >= 6 {
					n := batch.Name{Partition: p, First: at, Last: at + 1}
					_ = synthetictest.WriteBatch(filepath.Join(s.data, batch.FolderName), n, fmt.Appendf(nil, "1,v,view,i,,%d-%d\n", p, at))
				}
			}
		}
	})
	running.Go(func() {
		for i := 0; ctx.Err() == nil && i < 200; i++ {
			_ = model.SetChampion(s.models(), []string{one, two}[i%2])
		}
	})
	for range 4 {
		dir, _ := s.save()
		if _, err := Verify(ctx, dir); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	stop()
	running.Wait()
}

// A consumer goes on from a restored folder, and what had come since the backup is read again, once.
func TestConsumerGoesOn(t *testing.T) {
	s := setup(t)
	_, addr := kafkatest.Start(t)
	client := kafkatest.Open(t, addr)
	topic := kafkatest.Topic(t, client, 2)
	data := filepath.Join(t.TempDir(), "data")
	want := map[string]bool{}
	send := func(n int) {
		for range n {
			e := event.Event{Timestamp: 1, VisitorID: "v", Event: event.View, ItemID: "i", EventID: fmt.Sprintf("e%d", len(want))}
			kafkatest.Send(t, client, topic, len(want)%2, string(event.AppendJSON(nil, &e)))
			want[e.EventID] = true
		}
	}
	consume := func() {
		t.Helper()
		var stats batch.Stats
		c := batch.New(client, batch.Options{Topic: topic, GroupID: "g", DataDir: data, BatchSize: 10, IdleTimeout: 300 * time.Millisecond,
			Session: 10 * time.Second, Log: slog.New(slog.DiscardHandler)}, &stats)
		if err := c.Run(t.Context(), t.Context()); err != nil {
			t.Fatal(err)
		}
		report, err := batchtest.Check(filepath.Join(data, batch.FolderName), want)
		if err != nil || !report.OK() {
			t.Fatalf("%v, %v", report, err)
		}
	}
	send(45)
	consume()
	dir, _, err := Save(t.Context(), data, s.to, s.now)
	if err != nil {
		t.Fatal(err)
	}
	send(30)
	consume()
	if _, _, err := Restore(t.Context(), dir, data, true, s.now); err != nil {
		t.Fatal(err)
	}
	send(5)
	consume()
}
