package status

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"cartwheel/internal/batch"
	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
)

func gatherer(t *testing.T, o Options) *Gatherer {
	t.Helper()
	if o.API == nil {
		o.API = func() API { return API{Ready: true, Version: "v1"} }
	}
	g := New(o)
	t.Cleanup(g.Close)
	return g
}

// look looks again, however short a time ago the last look was.
func (g *Gatherer) lookAgain(t *testing.T) *Status {
	g.last = nil
	return g.Now(t.Context())
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func commands(s *Status) (list []string) {
	for _, step := range s.Next {
		list = append(list, step.Command)
	}
	return list
}

func TestNothingAtAll(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "with space")
	g := gatherer(t, Options{DataDir: dir, Topic: "retail.events.v1", Group: "cartwheel-batches", API: func() API { return API{Detail: "nothing was trained"} }})
	s := g.lookAgain(t)
	before := "DATA_DIR='" + dir + "' "
	want := []string{"make up", before + "KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 go run ./api", before + "go run ./scripts/generate",
		before + "go run ./producer", before + "go run ./consumer --follow", before + "go run ./sparkjobs/train"}
	if !reflect.DeepEqual(commands(s), want) {
		t.Errorf("%q, want %q", commands(s), want)
	}
	if s.Batches.Error != "" || s.Models.Error != "" || s.Topic.Error != "" || s.Rejected.Error != "" {
		t.Errorf("what is not there yet is no error: %+v", s)
	}
	write(t, filepath.Join(dir, "raw", "events.csv"), "")
	if got := strings.Join(commands(g.lookAgain(t)), "\n"); strings.Contains(got, "generate") {
		t.Errorf("there are events, but: %s", got)
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	batches, models := filepath.Join(dir, batch.FolderName), filepath.Join(dir, "models")
	g := gatherer(t, Options{DataDir: dir})
	first := batch.Name{Partition: 0, First: 0, Last: 9}
	write(t, filepath.Join(batches, first.String()), "header\n"+strings.Repeat("row\n", 9))
	write(t, filepath.Join(batches, ".batch_000_x", "unfinished"), "row\n")
	s := g.lookAgain(t)
	if s.Batches.Files != 1 || s.Batches.Offsets != 10 || s.Batches.Last.Name != first.String() || *s.Batches.Last.Rows != 9 {
		t.Errorf("%+v", s.Batches)
	}
	second := batch.Name{Partition: 1, First: 0, Last: 4}
	write(t, filepath.Join(batches, second.String()), "header\n")
	if err := os.Chtimes(filepath.Join(batches, second.String()), time.Time{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	modeltest.Write(t, models, modeltest.Random("v1", 1, 5, 5, 4))
	write(t, filepath.Join(models, "broken", "manifest.json"), "{}")
	began := time.Now().UTC().Add(-time.Minute).Truncate(time.Second)
	if _, err := model.Stage(models, began, false); err != nil {
		t.Fatal(err)
	}
	s = g.lookAgain(t)
	if s.Batches.Files != 2 || s.Batches.Offsets != 15 || s.Batches.Last.Name != second.String() || *s.Batches.Last.Rows != 0 {
		t.Errorf("a file more: %+v", s.Batches)
	}
	if s.Models.Versions != 1 || s.Models.Damaged != 1 || s.Models.Champion != "" || s.Training.Last == nil || s.Training.Last.Version != "v1" {
		t.Errorf("%+v, %+v", s.Models, s.Training)
	}
	if s.Training.Since == nil || !s.Training.Since.Equal(began) || s.Training.NewEvents != 15 {
		t.Errorf("%+v", s.Training)
	}
	if _, err := model.Stage(models, began.Add(-abandoned), false); err != nil { // it takes the other away
		t.Fatal(err)
	}
	modeltest.MakeChampion(t, models, "v1")
	if s = g.lookAgain(t); s.Training.Since != nil {
		t.Errorf("a training that was killed long ago is taken to be under way since %v", s.Training.Since)
	}
	if s = g.lookAgain(t); s.Models.Champion != "v1" {
		t.Errorf("champion %q", s.Models.Champion)
	}
	if err := os.RemoveAll(batches); err != nil {
		t.Fatal(err)
	}
	if s = g.lookAgain(t); s.Batches.Files != 0 || s.Batches.Last != nil {
		t.Errorf("the folder has gone: %+v", s.Batches)
	}
}

// A change is seen although it comes right after a look, within the grain of the file system's clock.
func TestChangesRightAfterALookAreSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := gatherer(t, Options{DataDir: dir})
	for i := range int64(50) {
		write(t, filepath.Join(dir, batch.FolderName, batch.Name{First: 10 * i, Last: 10*i + 9}.String()), "header\n")
		if s := g.lookAgain(t); s.Batches.Files != int(i)+1 {
			t.Fatalf("%d files, want %d", s.Batches.Files, i+1)
		}
	}
}

func TestRejects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := gatherer(t, Options{DataDir: dir})
	path := filepath.Join(dir, "raw", "events.csv.rejects.csv")
	write(t, path, "line,reason,row\n3,\"invalid event: visitorid is empty\",\",,\"\n"+
		"4,\"invalid event: event \"\"look\"\" is none of view, addtocart, transaction\",\"a\nb\"\n9,\"invalid event: visitorid is empty\",\"\"\n10,\"inval")
	want := []Reason{{"visitorid", 2}, {"event", 1}}
	if s := g.lookAgain(t); s.Rejected.Total != 3 || s.Rejected.Read != 3 || !reflect.DeepEqual(s.Rejected.Reasons, want) {
		t.Errorf("%+v", s.Rejected)
	}
	row := "5,\"invalid event: timestamp 0 is not a Unix time\",\"" + strings.Repeat("x", 1000) + "\"\n"
	write(t, path, "line,reason,row\n"+strings.Repeat(row, 6000))
	s := g.lookAgain(t)
	if len(s.Rejected.Reasons) != 1 || s.Rejected.Read < 3000 || s.Rejected.Read > 5000 || s.Rejected.Total < 5900 || s.Rejected.Total > 6100 {
		t.Errorf("of a file that is too long to read whole: %+v", s.Rejected)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if s := g.lookAgain(t); s.Rejected.Total != 0 || len(s.Rejected.Reasons) != 0 {
		t.Errorf("without the file: %+v", s.Rejected)
	}
}

func TestKafka(t *testing.T) {
	t.Parallel()
	_, addr := kafkatest.Start(t, kfake.SeedTopics(2, "topic"))
	c := kafkatest.Open(t, addr)
	g := gatherer(t, Options{DataDir: t.TempDir(), Kafka: kafka.Config{Servers: addr, Protocol: "PLAINTEXT"}, Topic: "topic", Group: "group"})
	s := g.lookAgain(t)
	if !s.Topic.Exists || s.Topic.Partitions != 2 || s.Topic.Written != 0 || s.Topic.Error+s.Consumer.Error+s.DeadLetters.Error != "" {
		t.Errorf("%+v, %+v, %+v", s.Topic, s.Consumer, s.DeadLetters)
	}
	kafkatest.Send(t, c, "topic", 0, "a", "b", "c")
	kafkatest.Send(t, c, "topic", 1, "d")
	if err := c.Commit(t.Context(), "group", "topic", map[int]int64{0: 2}); err != nil {
		t.Fatal(err)
	}
	s = g.lookAgain(t)
	if s.Topic.Held != 4 || s.Topic.Written != 4 || s.Consumer.Committed != 2 || s.Consumer.Lag != 2 || s.Consumer.Members != 0 {
		t.Errorf("%+v, %+v", s.Topic, s.Consumer)
	}
	if s.Topic.PerSecond == nil || *s.Topic.PerSecond <= 0 || s.Consumer.PerSecond == nil {
		t.Error("no rate at the second look")
	}
	if got := commands(s); len(got) == 0 || !strings.Contains(got[0], "KAFKA_BOOTSTRAP_SERVERS="+addr+" KAFKA_TOPIC=topic KAFKA_GROUP_ID=group go run ./consumer --follow") {
		t.Errorf("nobody reads, but the advice is %q", got)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	_, addr := kafkatest.Start(t, kfake.SeedTopics(1, "topic"))
	c := kafkatest.Open(t, addr)
	if err := c.CreateTopic(t.Context(), "topic"+batch.DeadLetterSuffix, 2, 1); err != nil {
		t.Fatal(err)
	}
	p, err := c.NewProducer(t.Context(), "topic"+batch.DeadLetterSuffix, 2)
	if err != nil {
		t.Fatal(err)
	}
	send := func(partition int, reasons ...string) {
		t.Helper()
		var b kafka.Batch
		for _, reason := range reasons {
			var headers []kafka.Header
			if reason != "" {
				headers = append(headers, kafka.Header{Key: batch.HeaderReason, Value: []byte(reason)})
			}
			b.Append(1, nil, []byte("x"), headers...)
		}
		if err := errors.Join(b.Seal(0), p.Send(t.Context(), partition, &b)); err != nil {
			t.Fatal(err)
		}
	}
	g := gatherer(t, Options{DataDir: t.TempDir(), Kafka: kafka.Config{Servers: addr, Protocol: "PLAINTEXT"}, Topic: "topic", Group: "group"})
	send(0, "invalid event: visitorid is empty", "", "the message is not JSON: x")
	send(1, "invalid event: visitorid is empty")
	want := []Reason{{"visitorid", 2}, {"not JSON", 1}, {"other", 1}}
	if s := g.lookAgain(t); s.DeadLetters.Total != 4 || s.DeadLetters.Read != 4 || !reflect.DeepEqual(s.DeadLetters.Reasons, want) {
		t.Errorf("%+v", s.DeadLetters)
	}
	var many []string
	for i := range deadRecords + 100 {
		many = append(many, fmt.Sprintf("invalid event: itemid has %d bytes", i))
	}
	for len(many) > 0 { // several batches, as Kafka's answers begin with whole ones
		send(1, many[:100]...)
		many = many[100:]
	}
	if s := g.lookAgain(t); s.DeadLetters.Total != 604 || s.DeadLetters.Read != 503 || s.DeadLetters.Reasons[0] != (Reason{"itemid", deadRecords}) {
		t.Errorf("of the newest: %+v", s.DeadLetters)
	}
}

// A broker that is away is told, and all else is as it would be.
func TestKafkaAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, batch.FolderName, batch.Name{Last: 9}.String()), "header\n")
	g := gatherer(t, Options{DataDir: dir, Kafka: kafka.Config{Servers: "127.0.0.1:1", Protocol: "PLAINTEXT"}, Topic: "topic", Group: "group"})
	s := g.lookAgain(t)
	if !strings.Contains(s.Topic.Error, "127.0.0.1:1") || s.Batches.Files != 1 || s.Next[0].Command != "make up" {
		t.Errorf("%+v", s)
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	g := New(Options{})
	begin := time.Now()
	var s *Status
	for i := range 60 { // two seconds apart: 100/s at first, 300/s in the end
		at := int64(i) * 200
		if i >= 50 {
			at += int64(i-50) * 400
		}
		s = &Status{At: begin.Add(time.Duration(i) * 2 * time.Second), Topic: Topic{Exists: true, Written: at}, Consumer: Consumer{Committed: int64(i) * 20}}
		if g.rates(s); i == 0 && s.Topic.PerSecond != nil {
			t.Error("a rate at the first look")
		}
	}
	if *s.Topic.PerSecond != 300 || *s.Consumer.PerSecond != 10 {
		t.Errorf("%v and %v a second", *s.Topic.PerSecond, *s.Consumer.PerSecond)
	}
	if len(g.looks) > 32 {
		t.Errorf("%d looks are kept", len(g.looks))
	}
	away := &Status{At: s.At.Add(2 * time.Second), Topic: Topic{Error: "away"}}
	if g.rates(away); away.Topic.PerSecond != nil || away.API.PerSecond == nil {
		t.Error("a rate of what cannot be seen, or none of what can")
	}
}
