package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"cartwheel/internal/event"
	"cartwheel/internal/ingest"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

const header = "timestamp,visitorid,event,itemid,transactionid\n"

// bench is a broker of this process and a source of the test's own.
type bench struct {
	t      *testing.T
	client *kafka.Client
	topic  string
	path   string
	counts ingest.Counts
}

func setup(t *testing.T, content string) *bench {
	t.Parallel()
	_, addr := kafkatest.Start(t)
	b := &bench{t: t, client: kafkatest.Open(t, addr), path: filepath.Join(t.TempDir(), "events.csv")}
	b.topic = kafkatest.Topic(t, b.client, 3)
	if err := os.WriteFile(b.path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) run(o ingest.Options) error {
	b.t.Helper()
	b.counts = ingest.Counts{}
	return b.runUntil(b.t.Context(), b.t.Context(), o)
}

func (b *bench) runUntil(ctx, stop context.Context, o ingest.Options) error {
	b.t.Helper()
	p, err := b.client.NewProducer(b.t.Context(), b.topic, 3)
	if err != nil {
		b.t.Fatal(err)
	}
	if o.Path == "" {
		o.Path = b.path
	}
	if o.Rejects == "" {
		o.Rejects = b.path + ".rejects.csv"
	}
	return ingest.Run(ctx, stop, o, p, 3, &b.counts)
}

// events returns what is in the topic, and checks that all headers are as documented.
func (b *bench) events() []event.Event {
	b.t.Helper()
	var list []event.Event
	for _, m := range kafkatest.ReadAll(b.t, b.client, b.topic) {
		var e event.Event
		if err := event.ParseJSON([]byte(m.Value), &e); err != nil {
			b.t.Fatal(err)
		}
		if m.Key != e.VisitorID || m.Headers["eventid"] != e.EventID || m.Headers["schema"] != "retail.event/1" || m.Headers["content-type"] != "application/json" {
			b.t.Fatalf("event %+v came with key %q and headers %v", e, m.Key, m.Headers)
		}
		if m.Partition != kafka.Partition([]byte(m.Key), 3) {
			b.t.Fatalf("visitor %s is in partition %d", m.Key, m.Partition)
		}
		if age := time.Since(time.UnixMilli(m.Time)); age < -time.Minute || age > time.Minute {
			b.t.Fatalf("the record's time is %s, not that of its production", time.UnixMilli(m.Time))
		}
		list = append(list, e)
	}
	return list
}

func (b *bench) rejects() [][]string {
	b.t.Helper()
	f, err := os.Open(b.path + ".rejects.csv")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		b.t.Fatal(err)
	}
	return rows
}

func rows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d,visitor%d,view,item%d,\n", 1433221332117+i, i%97, i)
	}
	return b.String()
}

func TestEveryRowArrivesOnceInOrder(t *testing.T) {
	const n = 50_000 // several blocks
	b := setup(t, header+rows(n))
	if err := b.run(ingest.Options{}); err != nil {
		t.Fatal(err)
	}
	last := map[string]int64{}
	ids := map[string]bool{}
	for _, e := range b.events() {
		if e.Timestamp <= last[e.VisitorID] {
			t.Fatalf("visitor %s: %d came after %d", e.VisitorID, e.Timestamp, last[e.VisitorID])
		}
		last[e.VisitorID] = e.Timestamp
		ids[e.EventID] = true
	}
	if len(ids) != n || b.counts.Read.Load() != n || b.counts.Sent.Load() != n || b.counts.Rejected.Load() != 0 {
		t.Errorf("%d ids, %d read, %d sent, %d rejected, want %d", len(ids), b.counts.Read.Load(), b.counts.Sent.Load(), b.counts.Rejected.Load(), n)
	}
	if r := b.rejects(); r != nil {
		t.Errorf("a rejects file was left behind: %v", r)
	}
}

func TestSourcesOfEveryKindGiveTheSameEvents(t *testing.T) {
	content := header + rows(20_000)
	b := setup(t, content)
	var gz, zst bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, _ = io.WriteString(w, content)
	_ = w.Close()
	z, _ := zstd.NewWriter(&zst)
	_, _ = io.WriteString(z, content)
	_ = z.Close()
	if err := b.run(ingest.Options{}); err != nil {
		t.Fatal(err)
	}
	want := map[event.Event]int{}
	for _, e := range b.events() {
		want[e] = 1
	}
	for name, o := range map[string]ingest.Options{
		"gzip": {Path: b.path + ".gz"}, "zstd": {Path: b.path + ".zst"}, "stdin": {Path: "-", Stdin: strings.NewReader(content)},
		"gzip from stdin": {Path: "-", Stdin: bytes.NewReader(gz.Bytes())}, "CRLF": {Path: b.path + ".crlf"},
	} {
		if err := errors.Join(os.WriteFile(b.path+".gz", gz.Bytes(), 0o644), os.WriteFile(b.path+".zst", zst.Bytes(), 0o644),
			os.WriteFile(b.path+".crlf", []byte(strings.ReplaceAll(content, "\n", "\r\n")), 0o644)); err != nil {
			t.Fatal(err)
		}
		b.topic = kafkatest.Topic(t, b.client, 3)
		if err := b.run(o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := b.events()
		if len(got) != len(want) {
			t.Errorf("%s: %d events, want %d", name, len(got), len(want))
		}
		for _, e := range got {
			if want[e] == 0 {
				t.Fatalf("%s: %+v is not in the plain file", name, e)
			}
		}
	}
}

func TestBadRowsAreRejectedAndTheRestGoesOn(t *testing.T) {
	long := "1," + strings.Repeat("x", 10<<20) + ",view,i,"
	b := setup(t, "\uFEFF"+header+
		"1,a,view,i,\r\n"+ // line 2
		"\n"+ // a blank line is no row
		"2,b,click,i,\n"+ // line 4
		long+"\n"+ // line 5
		"3,c,view,i"+strings.Repeat(",", 96)+"\n"+ // line 6
		"4,d\x00,view,i,\n"+ // line 7
		"5,\"e,view,i,\n"+ // line 8
		"6,f,transaction,i,14418.0\n"+
		"7,g,view,i,") // no line feed at the end
	if err := b.run(ingest.Options{}); err != nil {
		t.Fatal(err)
	}
	var visitors string
	for _, e := range b.events() {
		visitors += e.VisitorID
		if e.VisitorID == "f" && e.TransactionID != "14418" {
			t.Errorf("transactionid is %q", e.TransactionID)
		}
	}
	if len(visitors) != 3 || !strings.Contains(visitors, "a") || !strings.Contains(visitors, "f") || !strings.Contains(visitors, "g") {
		t.Errorf("the events of visitors %s came, want a, f and g", visitors)
	}
	want := [][2]string{{"4", `event "click" is none of`}, {"5", "the line has 10485770 bytes, more than"}, {"6", "the row has 100 columns, the header has 5"},
		{"7", "visitorid holds the control character 0x00"}, {"8", "a quote is not closed on its line"}}
	got := b.rejects()
	if len(got) != len(want)+1 || strings.Join(got[0], ",") != ingest.RejectsHeader {
		t.Fatalf("%d rejects: %.400q", len(got), got)
	}
	for i, w := range want {
		if row := got[i+1]; row[0] != w[0] || !strings.Contains(row[1], w[1]) || len(row[2]) > 1<<10 || row[2] == "" {
			t.Errorf("reject %d is line %s, %q, %d bytes; want %v", i, row[0], row[1], len(row[2]), w)
		}
	}
	if b.counts.Read.Load() != 8 || b.counts.Sent.Load() != 3 || b.counts.Rejected.Load() != 5 {
		t.Errorf("%d read, %d sent, %d rejected", b.counts.Read.Load(), b.counts.Sent.Load(), b.counts.Rejected.Load())
	}
	// Once the rows are put right, the rejects file of the earlier run would mislead.
	if err := os.WriteFile(b.path, []byte(header+rows(3)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := b.run(ingest.Options{}); err != nil {
		t.Fatal(err)
	}
	if b.rejects() != nil {
		t.Error("the earlier run's rejects file is still there")
	}
}

func TestSourcesThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ content, says string }{
		"an empty file":        {"", "the source is empty"},
		"no header":            {rows(3), "no column timestamp"},
		"a header cut short":   {"timestamp,visitorid\n", "no column event, itemid, transactionid"},
		"a header of 10 MB":    {strings.Repeat("x", 10<<20), "the first line is longer than"},
		"half a gzip file":     {"\x1f\x8b\x08\x00", "unexpected EOF"},
		"NUL bytes all over":   {strings.Repeat("\x00", 100) + "\n", "no column"},
		"a gzip of nonsense":   {"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\xff", 100), "corrupt"},
		"a damaged zstd frame": {"\x28\xb5\x2f\xfdzzzzzzzzzzz", "zstd"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, c.content)
			err := b.run(ingest.Options{})
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), b.path) {
				t.Errorf("got %v, want %q and the path", err, c.says)
			}
			if got := b.events(); len(got) != 0 {
				t.Errorf("%d events were sent", len(got))
			}
		})
	}
	b := setup(t, header)
	if err := b.run(ingest.Options{Path: b.path + "x"}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--file") {
		t.Errorf("a missing file: %v", err)
	}
	if err := b.run(ingest.Options{Path: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
	if err := b.run(ingest.Options{}); err != nil || b.counts.Read.Load() != 0 {
		t.Errorf("a header without rows: %v", err)
	}
}

func TestRejectsThatCannotBeWrittenStopTheRun(t *testing.T) {
	b := setup(t, header+"x\n")
	err := b.run(ingest.Options{Rejects: filepath.Join(b.path, "not-a-folder", "rejects.csv")})
	if err == nil || !strings.Contains(err.Error(), "line 2 was rejected") || !strings.Contains(err.Error(), "--rejects") {
		t.Errorf("got %v", err)
	}
}

func TestLimitAndRate(t *testing.T) {
	b := setup(t, header+rows(1000))
	if err := b.run(ingest.Options{Limit: 37}); err != nil {
		t.Fatal(err)
	}
	if got := len(b.events()); got != 37 {
		t.Errorf("%d events came, want 37", got)
	}
	begun := time.Now()
	if err := b.run(ingest.Options{Limit: 101, Rate: 200}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 450*time.Millisecond { // the last of 101 rows is due after half a second; 4 a piece
		t.Errorf("101 rows at 200/s took only %s", took)
	}
}

func TestStopSendsWhatWasRead(t *testing.T) {
	b := setup(t, header)
	r, w := io.Pipe()
	defer w.Close()
	stop, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.runUntil(t.Context(), stop, ingest.Options{Path: "-", Stdin: r}) }()
	if _, err := io.WriteString(w, header+rows(10)); err != nil {
		t.Fatal(err)
	}
	for b.counts.Sent.Load() < 10 { // a live source is sent as it comes, not when a block is full
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, ingest.ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	if got := len(b.events()); got != 10 {
		t.Errorf("%d events came", got)
	}
}

// A broker that takes nothing must hold the reader back instead of filling the memory.
func TestBackPressure(t *testing.T) {
	b := setup(t, header)
	source := &endless{head: []byte(header), row: []byte("1433221332117,257597,view,355908,\n")}
	ctx, cancel := context.WithCancel(t.Context())
	stuck := &stuckSink{blocked: make(chan struct{}, 100)}
	var counts ingest.Counts
	done := make(chan error)
	go func() {
		done <- ingest.Run(ctx, t.Context(), ingest.Options{Path: "-", Stdin: source, Rejects: b.path + "r"}, stuck, 3, &counts)
	}()
	<-stuck.blocked
	for before := int64(-1); counts.Bytes.Load() != before; { // until it no longer moves
		before = counts.Bytes.Load()
		time.Sleep(200 * time.Millisecond)
	}
	if read := counts.Bytes.Load(); read > 32<<20 {
		t.Errorf("%d bytes were read ahead of a sink that takes nothing", read)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type endless struct{ head, row, rest []byte }

func (e *endless) Read(p []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if len(e.rest) == 0 {
		e.rest = e.row
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

type stuckSink struct{ blocked chan struct{} }

func (s *stuckSink) Send(ctx context.Context, _ int, _ *kafka.Batch) error {
	s.blocked <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func TestASinkThatFailsEndsTheRun(t *testing.T) {
	b := setup(t, header+rows(50_000))
	broken := errors.New("no space on the broker")
	var counts ingest.Counts
	err := ingest.Run(t.Context(), t.Context(), ingest.Options{Path: b.path, Rejects: b.path + "r"}, failing{broken}, 3, &counts)
	if !errors.Is(err, broken) || counts.Sent.Load() != 0 {
		t.Errorf("got %v after %d", err, counts.Sent.Load())
	}
}

type failing struct{ error }

func (f failing) Send(context.Context, int, *kafka.Batch) error { return f.error }
