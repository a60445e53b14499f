package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

const name = "batch_000_00000000000000000000_00000000000000000009.csv"

func write(t *testing.T, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestErasedRowsGo(t *testing.T) {
	t.Parallel()
	_, addr := kafkatest.Start(t, kfake.SeedTopics(1, "erasures"))
	client := kafkatest.Open(t, addr)
	producer, err := client.NewProducer(t.Context(), "erasures", 1)
	if err != nil {
		t.Fatal(err)
	}
	var b kafka.Batch
	b.Append(1, []byte("anna, the first"), []byte("{}"))
	b.Append(1, []byte("nobody"), []byte("{}"))
	if err := b.Seal(0); err != nil {
		t.Fatal(err)
	}
	if err := producer.Send(t.Context(), 0, &b); err != nil {
		t.Fatal(err)
	}

	data := t.TempDir()
	dir := filepath.Join(data, "processed_batches")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ben := "2,ben,view,a,,id-2"
	anna := `1,"anna, the first",view,a,,id-1`
	write(t, filepath.Join(dir, name), event.BatchHeader, anna, ben, anna)
	run := func(want int, says string) {
		t.Helper()
		var out bytes.Buffer
		code := run(t.Context(), []string{"--bootstrap-servers", addr, "--erasures-topic", "erasures", "--data-dir", data}, func(string) string { return "" }, &out, &out)
		if code != want || !strings.Contains(out.String(), says) {
			t.Errorf("code %d: %s", code, &out)
		}
	}
	run(0, "2 erased visitors; 2 rows taken out of 1 of 1 batch files")
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || string(got) != event.BatchHeader+"\n"+ben+"\n" {
		t.Errorf("%v: %s", err, got)
	}
	run(0, "0 rows taken out of 0 of 1 batch files")

	write(t, filepath.Join(dir, name), event.BatchHeader, anna, "broken")
	run(1, "line 3")
	if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.HasSuffix(string(got), "broken\n") {
		t.Errorf("a file that cannot be read was changed: %v: %s", err, got)
	}
}
