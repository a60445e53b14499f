package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka/kafkatest"
)

const header = "timestamp,visitorid,event,itemid,transactionid\n"

func noEnv(string) string { return "" }

type result struct {
	code        int
	out, errors string
}

func produceIt(t *testing.T, getenv func(string) string, stdin io.Reader, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), t.Context(), args, getenv, stdin, &out, &errs)
	return result{code, out.String(), errs.String()}
}

// suite is what every broker must see through: the one in this process and, with the build tag integration, the real one.
func suite(t *testing.T, broker func(t *testing.T) string) {
	t.Run("a file is replayed, and replayed again under the same ids", func(t *testing.T) {
		t.Parallel()
		addr := broker(t)
		c := kafkatest.Open(t, addr)
		topic := kafkatest.Topic(t, c, 4)
		dir := t.TempDir()
		var b strings.Builder
		b.WriteString(header)
		want := map[event.Event]int{}
		source := event.SourceOf([]byte(strings.TrimSpace(header)), []byte("1,v0,view,i0,"))
		const n = 3000
		for i := range n {
			row := fmt.Sprintf("%d,v%d,view,i%d,", i/2+1, i/2%50, i/2) // every row twice
			b.WriteString(row + "\n")
			want[event.Event{Timestamp: int64(i/2 + 1), VisitorID: fmt.Sprint("v", i/2%50), Event: "view", ItemID: fmt.Sprint("i", i/2), EventID: string(source.AppendID(nil, int64(i+2), []byte(row)))}] = 0
		}
		b.WriteString("this is no row\n")
		if err := os.MkdirAll(filepath.Join(dir, "raw"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "raw", "events.csv"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"KAFKA_BOOTSTRAP_SERVERS": addr, "KAFKA_TOPIC": topic, "DATA_DIR": dir}
		for range 2 {
			r := produceIt(t, func(k string) string { return env[k] }, nil)
			if r.code != 0 || !strings.Contains(r.out, "read      3001\nsent      3000\nrejected  1\n") || !strings.Contains(r.out, "events.csv.rejects.csv") {
				t.Fatalf("code %d, %s, %s", r.code, r.out, r.errors)
			}
		}
		for _, m := range kafkatest.ReadAll(t, c, topic) {
			var e event.Event
			if err := event.ParseJSON([]byte(m.Value), &e); err != nil {
				t.Fatal(err)
			}
			if _, ok := want[e]; !ok {
				t.Fatalf("%+v is not in the file", e)
			}
			want[e]++
		}
		for e, times := range want {
			if times != 2 {
				t.Fatalf("%+v came %d times after two replays", e, times)
			}
		}
		if len(want) != n {
			t.Errorf("%d ids for %d rows", len(want), n)
		}
	})
	t.Run("topics are made when asked", func(t *testing.T) {
		t.Parallel()
		addr := broker(t)
		c := kafkatest.Open(t, addr)
		topic := kafkatest.Topic(t, c, 1) + "-new"
		args := []string{"--bootstrap-servers", addr, "--topic", topic, "--data-dir", t.TempDir(), "--file", "-"}
		if r := produceIt(t, noEnv, strings.NewReader(header+"1,v,view,i,\n"), args...); r.code != 1 || !strings.Contains(r.errors, "no such topic: "+topic) {
			t.Errorf("code %d, %s", r.code, r.errors)
		}
		args = append(args, "--create-topic", "--partitions", "5", "--replication", "1")
		if r := produceIt(t, noEnv, strings.NewReader(header+"1,v,view,i,\n"), args...); r.code != 0 || !strings.Contains(r.out, "sent      1\n") {
			t.Errorf("code %d, %s", r.code, r.errors)
		}
		if n, err := c.Partitions(t.Context(), topic); n != 5 || err != nil {
			t.Errorf("%d partitions, %v", n, err)
		}
	})
}

func TestProducer(t *testing.T) {
	t.Parallel()
	suite(t, func(t *testing.T) string { _, addr := kafkatest.Start(t); return addr })
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"--rate -1":             "--rate -1 is negative",
		"--limit -1":            "--limit -1 is negative",
		"--compression brotli":  `"brotli" is none of gzip, lz4, none, snappy, zstd`,
		"--partitions 0":        "--partitions 0 is not positive",
		"--replication 0":       "--replication 0",
		"--topic=":              "--topic is empty",
		"--rate fast":           "invalid value",
		"--bootstrap-servers=,": "--bootstrap-servers is empty",
		"events.csv":            `unexpected argument "events.csv"`,
		"--log-level loud":      "--log-level",
		"--sasl-mechanism KERB5 --security-protocol SASL_PLAINTEXT --sasl-username u": "SCRAM-SHA-256",
	} {
		if r := produceIt(t, noEnv, nil, strings.Fields(args)...); r.code != 2 || !strings.Contains(r.errors, says) {
			t.Errorf("%s: code %d, %s", args, r.code, r.errors)
		}
	}
	if r := produceIt(t, noEnv, nil, "--help"); r.code != 0 || !strings.Contains(r.out, "[KAFKA_BOOTSTRAP_SERVERS]") {
		t.Errorf("--help: code %d, %s", r.code, r.out)
	}
}

func TestUnreachableBrokerIsSaidInTime(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	r := produceIt(t, noEnv, nil, "--bootstrap-servers", "127.0.0.1:1,127.0.0.1:2")
	if r.code != 1 || !strings.Contains(r.errors, "127.0.0.1:1,127.0.0.1:2") || !strings.Contains(r.errors, "KAFKA_BOOTSTRAP_SERVERS") {
		t.Errorf("code %d, %s", r.code, r.errors)
	}
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestWhatIsNotAcknowledgedIsAFailure(t *testing.T) {
	t.Parallel()
	cluster, addr := kafkatest.Start(t, kfake.SeedTopics(1, "topic"))
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic = "topic"
		part := kmsg.NewProduceResponseTopicPartition()
		part.ErrorCode = 29 // TOPIC_AUTHORIZATION_FAILED
		topic.Partitions = append(topic.Partitions, part)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
	r := produceIt(t, noEnv, strings.NewReader(header+"1,v,view,i,\n2,v,view,i,\n"), "--bootstrap-servers", addr, "--topic", "topic", "--file", "-", "--data-dir", t.TempDir())
	if r.code != 1 || !strings.Contains(r.errors, "Authorization") || !strings.Contains(r.errors, "2 of 2 rows read were not acknowledged") || !strings.Contains(r.out, "sent      0\n") {
		t.Errorf("code %d, %s, %s", r.code, r.out, r.errors)
	}
}

func TestMissingSource(t *testing.T) {
	t.Parallel()
	_, addr := kafkatest.Start(t, kfake.SeedTopics(1, "topic"))
	dir := t.TempDir()
	r := produceIt(t, noEnv, nil, "--bootstrap-servers", addr, "--topic", "topic", "--data-dir", dir)
	if r.code != 1 || !strings.Contains(r.errors, filepath.Join(dir, "raw", "events.csv")) || !strings.Contains(r.errors, "--file") {
		t.Errorf("code %d, %s", r.code, r.errors)
	}
}

func TestInterruptedReplaySaysSo(t *testing.T) {
	t.Parallel()
	_, addr := kafkatest.Start(t, kfake.SeedTopics(1, "topic"))
	pr, pw := io.Pipe()
	defer pw.Close()
	stop, cancel := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	done := make(chan int)
	go func() {
		done <- run(context.Background(), stop, []string{"--bootstrap-servers", addr, "--topic", "topic", "--file", "-", "--data-dir", t.TempDir()}, noEnv, pr, &out, &errs)
	}()
	if _, err := io.WriteString(pw, header+"1,v,view,i,\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(pw, "2,v,view,i,\n"); err != nil { // taken means that the first part has been read
		t.Fatal(err)
	}
	cancel()
	if code := <-done; code != 1 || !strings.Contains(errs.String(), "interrupted after") {
		t.Errorf("code %d, %s", code, errs.String())
	}
}
