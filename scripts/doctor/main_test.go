package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/erasure"
	"cartwheel/internal/kafka/kafkatest"
	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/synthetic/synthetictest"
)

// patient is a pretended machine with a data folder.
type patient struct {
	t    *testing.T
	env  map[string]string
	path string
	data string
}

func setup(t *testing.T) *patient {
	t.Parallel()
	p := &patient{t: t, path: t.TempDir(), data: filepath.Join(t.TempDir(), "data"), env: map[string]string{}}
	p.env["PATH"], p.env["DATA_DIR"] = p.path, p.data
	p.env["RUNTIME_DIR"], p.env["RUNTIME_CACHE"] = t.TempDir(), t.TempDir()
	for _, port := range ports {
		p.env[port.variable] = "1" // where nobody listens
	}
	if err := os.Mkdir(p.data, 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

// program puts a program, written for sh, into the PATH.
func (p *patient) program(name, body string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.path, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

func (p *patient) write(name, text string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// expect runs the doctor for one group of checks. Each finding is "grade subject: a part of what is said"; and whether something must
// be done decides the exit code.
func (p *patient) expect(check string, findings ...string) {
	p.t.Helper()
	var out, errs bytes.Buffer
	code := run(p.t.Context(), []string{"--check", check}, func(name string) string { return p.env[name] }, &out, &errs)
	want := 0
	for _, f := range findings {
		head, part, _ := strings.Cut(f, ": ")
		met := false
		for line := range strings.Lines(out.String()) {
			fields := strings.SplitN(line, "  ", 2)
			met = met || len(fields) == 2 && strings.HasPrefix(head, strings.TrimSpace(fields[0])+" ") && strings.Contains(line, part) &&
				strings.HasPrefix(strings.TrimSpace(fields[1]), head[len(strings.TrimSpace(fields[0]))+1:])
		}
		if !met {
			p.t.Errorf("%q was not found in\n%s", f, out.String())
		}
	}
	if strings.Contains("\n"+out.String(), "\nTO DO") {
		want = 1
	}
	if code != want || errs.Len() > 0 {
		p.t.Errorf("code %d, want %d; %s%s", code, want, out.String(), errs.String())
	}
}

func TestMachine(t *testing.T) {
	p := setup(t)
	p.expect("machine", "TO DO go: not in PATH → install Go 1.26", "TO DO without docker: java is not in PATH → install a JDK", "TO DO without docker: mvn is not in PATH",
		"TO DO without docker: python3 is not in PATH", "ok ports: free", "ok disk: free for")

	p.program("go", "echo go1.25.3")
	p.program("docker", `case $1 in compose) echo 2.40.0;; info) exit 1;; esac`)
	p.expect("machine", "TO DO go: version 1.25.3 → install", "TO DO without docker: java")

	p.program("go", "echo go1.26.1")
	p.program("docker", "echo 2.40.0")
	p.expect("machine", "ok go: 1.26.1", "ok with docker: compose 2.40.0", "note without docker: java is not in PATH → only make up needs it")

	p.program("java", "echo '    java.specification.version = 11'")
	p.expect("machine", "note without docker: Java is version 11")
	p.program("java", "echo '    java.specification.version = 21'")
	p.program("mvn", "exit 0")
	p.program("python3", "exit 0")
	p.expect("machine", "ok without docker: all is there")
	p.program("python3", "exit 1") // without pip
	p.expect("machine", "note without docker: python3 -m pip --version does not run")
	p.program("docker", "exit 125")
	p.expect("machine", "TO DO without docker: python3 -m pip", "TO DO without docker: or use Docker")
	for _, fetched := range []string{"kafka-" + kafkaVersion, "spark-" + sparkVersion} {
		p.write(filepath.Join(p.env["RUNTIME_CACHE"], fetched, "x"), "")
	}
	p.expect("machine", "ok without docker: all is there", "note with docker: docker is there, but its compose plugin is not → only docker compose up needs it")
}

func TestPorts(t *testing.T) {
	p := setup(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p.env["RUNTIME_SPARK_APP_UI_PORT"] = port
	p.expect("machine", "note ports: RUNTIME_SPARK_APP_UI_PORT="+port)
	p.write(filepath.Join(p.env["RUNTIME_DIR"], "run", "kafka"), "2147483646 x 127.0.0.1:1 -\n") // a process that has ended
	p.expect("machine", "note ports: taken, and not by make up")
	p.write(filepath.Join(p.env["RUNTIME_DIR"], "run", "kafka"), fmt.Sprintf("%d x 127.0.0.1:1 -\n", os.Getpid()))
	p.expect("machine", "ok ports: taken by what make up started")
}

func TestDisk(t *testing.T) {
	p := setup(t)
	p.write(filepath.Join(p.data, "file"), "")
	p.env["DATA_DIR"] = filepath.Join(p.data, "file", "below")
	p.expect("machine", "TO DO disk: cannot be looked at")
	for _, c := range []struct {
		free  uint64
		names bool
		grade grade
		part  string
	}{{20 << 30, true, fine, "20.0 GB free for X"}, {3 << 30, true, toKnow, "before long"}, {100 << 20, true, toDo, "0.1 GB"}, {20 << 30, false, toDo, "inodes"}} {
		var out bytes.Buffer
		r := &report{out: &out}
		r.disk("X", c.free, c.names)
		if r.counts[c.grade] != 1 || !strings.Contains(out.String(), c.part) {
			t.Errorf("%d free: %s", c.free, out.String())
		}
	}
}

func TestKafka(t *testing.T) {
	p := setup(t)
	p.env["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
	p.expect("kafka", "TO DO kafka: no Kafka broker can be reached at 127.0.0.1:1")

	cluster, addr := kafkatest.Start(t)
	client := kafkatest.Open(t, addr)
	p.env["KAFKA_BOOTSTRAP_SERVERS"] = addr
	p.expect("kafka", "ok kafka: "+addr, "TO DO topic: no such topic: retail.events.v1")

	topic := kafkatest.Topic(t, client, 2)
	p.env["KAFKA_TOPIC"], p.env["KAFKA_GROUP_ID"] = topic, "doctored"
	p.expect("kafka", "ok topic: 2 partitions, 0 records", "ok dead letters: none", "ok consumer: 0 running, 0 records behind")

	kafkatest.Send(t, client, topic, 1, "a", "b", "c")
	p.expect("kafka", "TO DO consumer: 0 running, 3 records behind → start one")
	if err := client.Commit(t.Context(), "doctored", topic, map[int]int64{1: 3}); err != nil {
		t.Fatal(err)
	}
	p.expect("kafka", "ok consumer: 0 running, 0 records behind")

	if err := client.CreateTopic(t.Context(), topic+batch.DeadLetterSuffix, 1, 1); err != nil {
		t.Fatal(err)
	}
	p.expect("kafka", "ok dead letters: none")
	kafkatest.Send(t, client, topic+batch.DeadLetterSuffix, 0, "no event")
	p.expect("kafka", "note dead letters: 1 messages")

	kafkatest.SendAt(t, client, topic, 0, 1, "of 1970") // which retention takes away, unread
	if err := client.Commit(t.Context(), "doctored", topic, map[int]int64{0: 0}); err != nil {
		t.Fatal(err)
	}
	cluster.ApplyRetention()
	p.expect("kafka", "TO DO consumer: Kafka has deleted 1 that it had not read")
}

func TestConsumerThatRuns(t *testing.T) {
	p := setup(t)
	_, addr := kafkatest.Start(t)
	client := kafkatest.Open(t, addr)
	topic := kafkatest.Topic(t, client, 1)
	kafkatest.Send(t, client, topic, 0, "a")
	group, err := client.NewGroup("doctored", topic, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	if _, err := group.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.env["KAFKA_BOOTSTRAP_SERVERS"], p.env["KAFKA_TOPIC"], p.env["KAFKA_GROUP_ID"] = addr, topic, "doctored"
	p.expect("kafka", "ok consumer: 1 running, 1 records behind")
	many := make([]string, muchLag)
	kafkatest.Send(t, client, topic, 0, many...)
	p.expect("kafka", "note consumer: 1 running, 100001 records behind → if it grows")
}

func TestSparkThatIsAway(t *testing.T) {
	p := setup(t)
	p.env["SPARK_REMOTE"] = "sc://127.0.0.1:1"
	p.expect("spark", "TO DO spark: no Spark Connect server answers at 127.0.0.1:1")
}

func TestData(t *testing.T) {
	p := setup(t)
	p.expect("data", "note batch files: none", "note champion: there is none yet → go run ./sparkjobs/train")
	p.env["DATA_DIR"] = filepath.Join(p.data, "nowhere")
	p.expect("data", "note data: does not exist yet")
	p.write(filepath.Join(p.data, "file"), "")
	p.env["DATA_DIR"] = filepath.Join(p.data, "file")
	p.expect("data", "TO DO data: is no folder")
	p.env["DATA_DIR"] = p.data

	p.expect("data", "ok erasures: 0 visitors")
	p.write(filepath.Join(p.data, erasure.FileName), "nonsense")
	p.expect("data", "TO DO erasures: bad list of erased visitors")

	folder := filepath.Join(p.data, batch.FolderName)
	row := []byte("1,v,view,i,,e\n")
	for _, first := range []int64{0, 2} {
		if err := synthetictest.WriteBatch(folder, batch.Name{Partition: 3, First: first, Last: first}, row); err != nil {
			t.Fatal(err)
		}
	}
	p.expect("data", "TO DO batch files: offsets 1 to 1 of partition 3 are missing")
	if err := synthetictest.WriteBatch(folder, batch.Name{Partition: 3, First: 1, Last: 1}, row); err != nil {
		t.Fatal(err)
	}
	p.expect("data", "ok batch files: 3 files of 1 partitions")
	if err := os.Truncate(filepath.Join(folder, batch.Name{Partition: 3, First: 1, Last: 1}.String()), 0); err != nil {
		t.Fatal(err)
	}
	p.expect("data", "TO DO batch files: it is empty → bring the file back")
}

func TestVersions(t *testing.T) {
	p := setup(t)
	models := filepath.Join(p.data, "models")
	dir := modeltest.Write(t, models, modeltest.Random("20260101T000000Z-aaaaaa", 1, 20, 10, 4))
	modeltest.MakeChampion(t, models, "20260101T000000Z-bbbbbb")
	p.expect("data", "TO DO champion: 20260101T000000Z-bbbbbb", "ok versions: the newest version is")
	modeltest.MakeChampion(t, models, "20260101T000000Z-aaaaaa")
	p.expect("data", "ok champion: is whole and sound: 20 visitors, 10 items")

	change := func(edit func(*model.Manifest)) {
		t.Helper()
		m, err := model.ReadManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		edit(m)
		modeltest.Seal(t, dir, *m)
	}
	name := batch.Name{First: 0, Last: 0}
	if err := synthetictest.WriteBatch(filepath.Join(p.data, batch.FolderName), name, []byte("1,v,view,i,,e\n")); err != nil {
		t.Fatal(err)
	}
	p.expect("data", "ok versions: 1 batch files have come since")
	change(func(m *model.Manifest) {
		m.Data.BatchFiles, m.SparkVersion = []string{name.String()}, "4.0.0"
		m.Decision = &model.Decision{Reason: "no better than popularity"}
	})
	p.expect("data", "note champion: was trained by Spark 4.0.0", "note versions: 0 batch files have come since; it was not made the champion: no better than popularity")

	p.write(filepath.Join(models, "20260102T000000Z-cccccc", model.ManifestName), "{")
	p.expect("data", "note versions: remove the folder 20260102T000000Z-cccccc")
	if err := os.Truncate(filepath.Join(dir, "visitors", firstFile(t, filepath.Join(dir, "visitors"))), 3); err != nil {
		t.Fatal(err)
	}
	p.expect("data", "TO DO champion: the manifest says", "TO DO champion: models rollback")
}

func firstFile(t *testing.T, dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatal(dir, err)
	}
	return entries[0].Name()
}

func TestSettings(t *testing.T) {
	var out, errs bytes.Buffer
	none := func(string) string { return "" }
	if code := run(t.Context(), []string{"--check", "data,moon", "--topic", ""}, none, &out, &errs); code != 2 || !strings.Contains(errs.String(), `"moon" is none of machine`) || !strings.Contains(errs.String(), "--topic is empty") {
		t.Errorf("code %d, %s", code, errs.String())
	}
	if code := run(t.Context(), []string{"--help"}, none, &out, &errs); code != 0 || !strings.Contains(out.String(), "--check") {
		t.Errorf("code %d, %s", code, out.String())
	}
}

func TestVersionsAreThoseThatAreFetched(t *testing.T) {
	script, err := os.ReadFile("../lib/fetch.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"spark_version=" + sparkVersion, "kafka_version=" + kafkaVersion} {
		if !strings.Contains(string(script), "\n"+line+"\n") {
			t.Errorf("scripts/lib/fetch.sh does not say %s", line)
		}
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "\ngo "+goVersion+".") {
		t.Errorf("go.mod does not ask for Go %s", goVersion)
	}
	for have, want := range map[string]bool{"1.26": true, "1.26.8": true, "1.27rc1": true, "2.0": true, "1.25.9": false, "1.9": false} {
		if atLeast(have, goVersion) != want {
			t.Errorf("atLeast(%s, %s) is not %v", have, goVersion, want)
		}
	}
}
