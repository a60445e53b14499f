package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/batch/batchtest"
	"cartwheel/internal/event"
	"cartwheel/internal/ingest"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

// suite is what every broker must see through: the one in this process and, with the build tag integration, the real one.
func suite(t *testing.T, broker func(t *testing.T) string) {
	for name, test := range map[string]func(*testing.T, *bench){
		"every event is in one file":          testEveryEventOnce,
		"a replayed file comes back whole":    testReplay,
		"a restart continues":                 testRestart,
		"two consumers share":                 testTwoConsumers,
		"what is malformed goes aside":        testDeadLetters,
		"a topic made anew is refused":        testTopicMadeAnew,
		"quiet topics are flushed":            testFlushInterval,
		"damaged folders are refused":         testDamagedFolder,
		"a large message does not stop it":    testLargeMessage,
		"what fits nowhere is cut":            testCutLetter,
		"events without an id are given one":  testWithoutID,
		"a folder that cannot be written to ": testUnwritable,
		"erased visitors are put on the list": testErasures,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, setup(t, broker(t))) })
	}
}

type bench struct {
	t      *testing.T
	addr   string
	client *kafka.Client
	topic  string
	dir    string
	sent   map[string]bool // eventids in the topic
	mu     sync.Mutex
}

func setup(t *testing.T, addr string) *bench {
	b := &bench{t: t, addr: addr, client: kafkatest.Open(t, addr), dir: t.TempDir(), sent: map[string]bool{}}
	b.topic = kafkatest.Topic(t, b.client, 3, kafka.TopicSetting{Name: "max.message.bytes", Value: "8388608"})
	return b
}

// send puts n events into each partition.
func (b *bench) send(n int) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := range 3 {
		values := make([]string, n)
		for i := range values {
			e := event.Event{Timestamp: int64(1433221332117 + i), VisitorID: fmt.Sprint("v", p), Event: event.View, ItemID: fmt.Sprint("i", i), EventID: fmt.Sprintf("%d-%d", p, len(b.sent))}
			b.sent[e.EventID] = true
			values[i] = string(event.AppendJSON(nil, &e))
		}
		kafkatest.Send(b.t, b.client, b.topic, p, values...)
	}
}

type result struct {
	code        int
	out, errors string
}

// consume runs the program until it ends.
func (b *bench) consume(stop context.Context, args ...string) result {
	var out, errs bytes.Buffer
	args = append([]string{"--bootstrap-servers", b.addr, "--topic", b.topic, "--group-id", b.topic, "--data-dir", b.dir, "--batch-size", "100", "--idle-timeout", "1s"}, args...)
	code := run(context.Background(), stop, args, func(string) string { return "" }, &out, &errs)
	return result{code, out.String(), errs.String()}
}

func (b *bench) mustConsume(args ...string) result {
	b.t.Helper()
	r := b.consume(context.Background(), args...)
	if r.code != 0 {
		b.t.Fatalf("the consumer ended with %d: %s", r.code, r.errors)
	}
	return r
}

func (b *bench) folder() string { return filepath.Join(b.dir, batch.FolderName) }

// check compares the files with what was sent, and their names with one another. It returns the names.
func (b *bench) check() (names []batch.Name) {
	b.t.Helper()
	if r := b.report(); !r.OK() {
		b.t.Error(r)
	}
	for p := range 3 {
		list, err := batch.List(b.folder(), p)
		if err != nil {
			b.t.Fatal(err)
		}
		names = append(names, list...)
	}
	return names
}

func (b *bench) report() batchtest.Report {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := batchtest.Check(b.folder(), b.sent)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func testEveryEventOnce(t *testing.T, b *bench) {
	b.send(1234)
	r := b.mustConsume()
	names := b.check()
	if len(names) != 3*13 {
		t.Errorf("%d files, want 13 for each partition", len(names))
	}
	for _, n := range names {
		if n.First%100 != 0 || n.Last != n.First+99 && n.Last != 1233 {
			t.Errorf("%s does not end at a multiple of the batch size", n)
		}
	}
	if !strings.Contains(r.out, "events    3702\n") {
		t.Errorf("the summary is %s", r.out)
	}
	if r.errors != "" {
		t.Errorf("the log is not silent while all is well: %s", r.errors)
	}
	for p := range 3 {
		committed := committedOffset(t, b, p)
		if committed != 1234 {
			t.Errorf("partition %d: offset %d is committed, want 1234", p, committed)
		}
	}
}

// testReplay goes the whole way: rows of a CSV file, through Kafka, to rows of batch files.
func testReplay(t *testing.T, b *bench) {
	const header, n = "timestamp,visitorid,event,itemid,transactionid", 30_000
	var file strings.Builder
	file.WriteString(header + "\n")
	var source event.Source
	for i := range n {
		row := fmt.Sprintf("%d,v%d,transaction,\"item \"\"%d\"\", é\",%d", 1433221332117+i/3, i%1000, i%777, i%5000+1)
		file.WriteString(row + "\n")
		if i == 0 {
			source = event.SourceOf([]byte(header), []byte(row))
		}
		b.sent[string(source.AppendID(nil, int64(i+2), []byte(row)))] = true
	}
	p, err := b.client.NewProducer(t.Context(), b.topic, 3)
	if err != nil {
		t.Fatal(err)
	}
	var counts ingest.Counts
	o := ingest.Options{Path: "-", Stdin: strings.NewReader(file.String()), Rejects: filepath.Join(b.dir, "rejects.csv")}
	if err := ingest.Run(t.Context(), t.Context(), o, p, 3, &counts); err != nil {
		t.Fatal(err)
	}
	b.mustConsume("--batch-size", "10000")
	names := b.check()
	data, err := os.ReadFile(filepath.Join(b.folder(), names[0].String()))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		if len(row) != 6 || !strings.HasPrefix(row[1], "v") || row[2] != "transaction" || !strings.HasPrefix(row[3], `item "`) || !strings.HasSuffix(row[3], `", é`) || row[4] == "" {
			t.Fatalf("%q", row)
		}
	}
}

func testRestart(t *testing.T, b *bench) {
	b.send(250)
	b.mustConsume()
	b.mustConsume() // nothing new
	b.send(333)
	b.mustConsume("--group-id", b.topic+"-another") // the names count, not what a group has committed
	b.send(1)
	b.mustConsume("--batch-size", "70")
	for _, n := range b.check() {
		if n.Last > 583 && n.First < 583 {
			t.Errorf("%s goes over the end of an earlier run", n)
		}
	}
}

func testTwoConsumers(t *testing.T, b *bench) {
	b.send(2000)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if r := b.consume(context.Background(), "--idle-timeout", "3s"); r.code != 0 {
				t.Errorf("a consumer ended with %d: %s", r.code, r.errors)
			}
		})
	}
	both.Wait()
	b.check()
}

func testDeadLetters(t *testing.T, b *bench) {
	b.send(150)
	bad := map[string]string{ // value: reason
		"not json":                    "not valid JSON",
		`{"timestamp":1}`:             "event",
		"\xff\xfe":                    "not valid UTF-8",
		`{"timestamp":1,"event":"x"}`: `event "x" is none of`,
	}
	for v := range bad {
		kafkatest.Send(t, b.client, b.topic, 1, v)
	}
	b.send(20)
	r := b.mustConsume()
	b.check()
	if !strings.Contains(r.out, "rejected  4\n") {
		t.Errorf("the summary is %s", r.out)
	}
	dead := kafkatest.ReadAll(t, b.client, b.topic+batch.DeadLetterSuffix)
	if len(dead) != len(bad) {
		t.Fatalf("%d dead letters, want %d", len(dead), len(bad))
	}
	for _, m := range dead {
		reason, ok := bad[m.Value]
		if !ok || !strings.Contains(m.Headers[batch.HeaderReason], reason) || m.Headers[batch.HeaderTopic] != b.topic || m.Headers[batch.HeaderPartition] != "1" || m.Key != "key" {
			t.Errorf("dead letter %+v", m)
		}
		if m.Headers[batch.HeaderOffset] < "150" || m.Headers[batch.HeaderOffset] > "153" {
			t.Errorf("dead letter from offset %s", m.Headers[batch.HeaderOffset])
		}
	}
	b.mustConsume()
	if again := kafkatest.ReadAll(t, b.client, b.topic+batch.DeadLetterSuffix); len(again) != len(dead) {
		t.Errorf("a restart made %d dead letters out of %d", len(again), len(dead))
	}
}

func testTopicMadeAnew(t *testing.T, b *bench) {
	b.send(150)
	b.mustConsume()
	old := b.topic
	for name, n := range map[string]int{"shorter": 10, "longer": 400} {
		b.topic = kafkatest.Topic(t, b.client, 3)
		b.send(n)
		r := b.consume(context.Background())
		if r.code != 1 || !strings.Contains(r.errors, "made anew") || !strings.Contains(r.errors, "Move the batch files") {
			t.Errorf("%s: code %d, %s", name, r.code, r.errors)
		}
	}
	b.topic = old
	b.sent = map[string]bool{}
	for p := range 3 {
		for i := range 150 {
			b.sent[fmt.Sprintf("%d-%d", p, 150*p+i)] = true
		}
	}
	b.check()
}

func testFlushInterval(t *testing.T, b *bench) {
	b.send(30)
	stop, cancel := context.WithCancel(context.Background())
	done := make(chan result)
	go func() { done <- b.consume(stop, "--follow", "--flush-interval", "300ms") }()
	waitForFiles(t, b, 3)
	b.send(5)
	waitForFiles(t, b, 6)
	b.send(7)
	for { // they are read, but wait for the file to fill
		time.Sleep(20 * time.Millisecond)
		if entries, _ := os.ReadDir(b.folder()); len(entries) >= 6 {
			break
		}
	}
	cancel() // a stop publishes what has been read, and what has not been read is read next time
	if r := <-done; r.code != 0 {
		t.Fatalf("the consumer ended with %d: %s", r.code, r.errors)
	}
	b.mustConsume()
	b.check()
}

func testDamagedFolder(t *testing.T, b *bench) {
	b.send(450)
	b.mustConsume()
	names := b.check()
	var mine []batch.Name
	for _, n := range names {
		if n.Partition == 2 {
			mine = append(mine, n)
		}
	}
	path := filepath.Join(b.folder(), mine[1].String())
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if r := b.consume(context.Background()); r.code != 1 || !strings.Contains(r.errors, "offsets 100 to 199 of partition 2 are missing") {
		t.Errorf("a gap: code %d, %s", r.code, r.errors)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	last := filepath.Join(b.folder(), mine[len(mine)-1].String())
	if err := os.Truncate(last, 100); err != nil {
		t.Fatal(err)
	}
	if r := b.consume(context.Background()); r.code != 1 || !strings.Contains(r.errors, "cut off or changed") {
		t.Errorf("a file cut short: code %d, %s", r.code, r.errors)
	}
	if err := os.Remove(last); err != nil { // as the message for a damaged last file says: it is written again
		t.Fatal(err)
	}
	b.mustConsume()
	b.check()
}

func testLargeMessage(t *testing.T, b *bench) {
	b.send(20)
	kafkatest.Send(t, b.client, b.topic, 0, strings.Repeat("x", 2<<20), strings.Repeat("y", 5<<20))
	b.send(20)
	b.mustConsume()
	b.check()
	dead := kafkatest.ReadAll(t, b.client, b.topic+batch.DeadLetterSuffix)
	if len(dead) != 2 || len(dead[0].Value) != 2<<20 || len(dead[1].Value) != 5<<20 {
		t.Errorf("%d dead letters", len(dead))
	}
}

func testCutLetter(t *testing.T, b *bench) {
	if err := b.client.CreateTopic(t.Context(), b.topic+batch.DeadLetterSuffix, 1, 1, kafka.TopicSetting{Name: "max.message.bytes", Value: "1048588"}); err != nil {
		t.Fatal(err)
	}
	b.send(20)
	kafkatest.Send(t, b.client, b.topic, 0, "short", strings.Repeat("x", 2<<20), "short too")
	b.send(20)
	b.mustConsume()
	b.check()
	dead := kafkatest.ReadAll(t, b.client, b.topic+batch.DeadLetterSuffix)
	if len(dead) != 3 || dead[0].Value != "short" || dead[2].Value != "short too" {
		t.Fatalf("%d dead letters", len(dead))
	}
	if m := dead[1]; m.Headers[batch.HeaderCut] != "2097152" || m.Headers[batch.HeaderOffset] != "21" || strings.Trim(m.Value, "x") != "" || len(m.Value) < 1000 {
		t.Errorf("the large one has %d bytes and the headers %v", len(m.Value), m.Headers)
	}
}

func testWithoutID(t *testing.T, b *bench) {
	kafkatest.Send(t, b.client, b.topic, 0, `{"timestamp":1,"visitorid":1,"event":"view","itemid":2}`, `{"timestamp":1,"visitorid":1,"event":"view","itemid":2}`)
	b.mustConsume()
	data, err := os.ReadFile(filepath.Join(b.folder(), batch.Name{Partition: 0, First: 0, Last: 1}.String()))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	if len(lines) != 4 || lines[1] == lines[2] || !strings.HasPrefix(lines[1], "1,1,view,2,,") || len(lines[1]) != len("1,1,view,2,,")+event.IDBytes {
		t.Errorf("%q", lines)
	}
	b.mustConsume() // the last row is recognised by the id that was made for it
}

func testUnwritable(t *testing.T, b *bench) {
	b.send(1)
	if err := os.WriteFile(b.folder(), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := b.consume(context.Background()); r.code != 1 || !strings.Contains(r.errors, "--data-dir") {
		t.Errorf("code %d, %s", r.code, r.errors)
	}
}

func waitForFiles(t *testing.T, b *bench, n int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		files, _ := filepath.Glob(filepath.Join(b.folder(), "batch_*.csv"))
		if len(files) >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d files after 30 s, want %d", len(files), n)
		}
	}
}
