package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cartwheel/internal/batch"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

type bench struct {
	t     *testing.T
	addr  string
	c     *kafka.Client
	topic string
}

func setup(t *testing.T) *bench {
	_, addr := kafkatest.Start(t)
	b := &bench{t: t, addr: addr, c: kafkatest.Open(t, addr)}
	b.topic = kafkatest.Topic(t, b.c, 2)
	return b
}

func (b *bench) run(args ...string) (int, string, string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	code := run(b.t.Context(), append(args, "--bootstrap-servers", b.addr, "--topic", b.topic), func(string) string { return "" }, &out, &errs)
	return code, out.String(), errs.String()
}

// setAside puts a dead letter where the consumer would put it.
func (b *bench) setAside(offset, reason, value string) {
	b.t.Helper()
	if err := b.c.CreateTopic(b.t.Context(), b.topic+batch.DeadLetterSuffix, 1, 1); err != nil {
		b.t.Fatal(err)
	}
	p, err := b.c.NewProducer(b.t.Context(), b.topic+batch.DeadLetterSuffix, 1)
	if err != nil {
		b.t.Fatal(err)
	}
	var m kafka.Batch
	m.Append(1, nil, []byte(value), kafka.Header{Key: batch.HeaderReason, Value: []byte(reason)}, kafka.Header{Key: batch.HeaderTopic, Value: []byte(b.topic)},
		kafka.Header{Key: batch.HeaderPartition, Value: []byte("1")}, kafka.Header{Key: batch.HeaderOffset, Value: []byte(offset)})
	if err := m.Seal(0); err != nil {
		b.t.Fatal(err)
	}
	if err := p.Send(b.t.Context(), 0, &m); err != nil {
		b.t.Fatal(err)
	}
}

func TestDeadLetters(t *testing.T) {
	b := setup(t)
	if code, out, errs := b.run("list"); code != 0 || out != "0 set aside\n" {
		t.Errorf("an empty box: %d, %s, %s", code, out, errs)
	}
	b.setAside("17", `invalid event: event "click" is none of view`, `{"timestamp":7,"visitorid":"v","event":"click","itemid":"i"}`)
	b.setAside("17", `invalid event: event "click" is none of view`, `{"timestamp":7,"visitorid":"v","event":"click","itemid":"i"}`) // by a consumer that was killed
	b.setAside("18", `invalid event: the message is not valid JSON`, `{"timestamp":8,"visitorid":"w","event":"view","itemid":"i"}`)  // it is now
	code, out, errs := b.run("list")
	if code != 0 || !strings.Contains(out, "/1 offset 17: invalid event: event \"click\"") || !strings.HasSuffix(out, "2 set aside, 1 for event, 1 for not JSON\n") {
		t.Errorf("list: %d, %s, %s", code, out, errs)
	}
	if code, _, errs := b.run("resubmit"); code != 1 || !strings.Contains(errs, "nothing was sent: 1 of 2") || !strings.Contains(errs, "offset 17") {
		t.Errorf("resubmit: %d, %s", code, errs)
	}
	if got := kafkatest.ReadAll(t, b.c, b.topic); len(got) != 0 {
		t.Errorf("%d were sent", len(got))
	}
	_, exported, _ := b.run("export")
	path := filepath.Join(t.TempDir(), "letters.jsonl")
	if err := os.WriteFile(path, []byte(strings.Replace(exported, "click", "view", 2)), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code, out, errs := b.run("resubmit", "--from", path); code != 0 || !strings.HasPrefix(out, "2 sent back") {
			t.Fatalf("resubmit --from: %d, %s, %s", code, out, errs)
		}
	}
	ids := map[string]int{}
	for _, m := range kafkatest.ReadAll(t, b.c, b.topic) {
		if !strings.Contains(m.Value, `"event":"view"`) || m.Partition != kafka.Partition([]byte(m.Key), 2) || m.Headers["schema"] == "" {
			t.Errorf("%+v", m)
		}
		ids[m.Headers["eventid"]]++
	}
	if len(ids) != 2 {
		t.Errorf("sent back twice, two messages have %d ids", len(ids))
	}
	if _, out, _ := b.run("list"); out != "0 set aside\n" {
		t.Errorf("after they were sent back: %s", out)
	}
	if _, out, _ := b.run("list", "--all"); !strings.Contains(out, "2 set aside") {
		t.Errorf("list --all: %s", out)
	}
}

func TestRejects(t *testing.T) {
	b := setup(t)
	source := filepath.Join(t.TempDir(), "events.csv")
	rejects := source + ".rejects.csv"
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(source, "timestamp,visitorid,event,itemid,transactionid\n1,v,view,i,\n2,v,click,i,\n")
	write(rejects, "line,reason,row\n3,\"invalid event: event \"\"click\"\"\",\"2,v,click,i,\"\n")
	if code, _, errs := b.run("resubmit", "--rejects", rejects); code != 1 || !strings.Contains(errs, "nothing was sent: 1 of 1") || !strings.Contains(errs, "line 3") {
		t.Errorf("%d, %s", code, errs)
	}
	write(rejects, "line,reason,row\n3,\"invalid event: event \"\"click\"\"\",\"2,v,view,i,\"\n")
	if code, out, errs := b.run("resubmit", "--rejects", rejects); code != 0 || !strings.HasPrefix(out, "1 sent to") {
		t.Errorf("%d, %s, %s", code, out, errs)
	}
	if got := kafkatest.ReadAll(t, b.c, b.topic); len(got) != 1 || got[0].Key != "v" || len(got[0].Headers["eventid"]) != 24 {
		t.Errorf("%+v", got)
	}
	if code, _, errs := b.run("resubmit", "--rejects", source); code != 1 || !strings.Contains(errs, "does not begin with") {
		t.Errorf("a file that is no rejects file: %d, %s", code, errs)
	}
	if code, _, errs := b.run("resubmit", "--rejects", filepath.Join(t.TempDir(), "x.rejects.csv")); code != 1 || !strings.Contains(errs, "--source") {
		t.Errorf("no source: %d, %s", code, errs)
	}
}

func TestWrongUse(t *testing.T) {
	b := setup(t)
	for args, says := range map[string]string{"": "usage:", "delete": `"delete" is no command`, "list --from x": "belong to dlq resubmit", "resubmit --from x --rejects y": "exclude each other"} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), func(string) string { return "" }, &out, &errs); code != 2 || !strings.Contains(errs.String(), says) {
			t.Errorf("%q: %d, %s", args, code, errs.String())
		}
	}
	if code, _, errs := b.run("resubmit", "--from", filepath.Join(t.TempDir(), "none")); code != 1 || !strings.Contains(errs, "reading the corrected letters") {
		t.Errorf("%d, %s", code, errs)
	}
}
