// Package scripts_test runs the shell scripts as a user does, as far as that needs neither a network nor Java.
package scripts_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// machine is a pretended machine: nothing but the usual tools and the given programs in its PATH, an empty home.
type machine struct {
	t    *testing.T
	path string
	env  []string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere Java may be found outside PATH, which this test cannot hide")
	}
	m := &machine{t: t, path: t.TempDir()}
	for _, tool := range strings.Fields("bash env dirname basename mkdir cat awk nproc id head sed tr cut tail sort grep " +
		"readlink rm mv cp sleep ls ps flock setsid sha256sum tar gzip touch base64 ss") {
		if found, err := exec.LookPath(tool); err == nil {
			if err := os.Symlink(found, filepath.Join(m.path, tool)); err != nil {
				t.Fatal(err)
			}
		}
	}
	m.env = []string{"PATH=" + m.path, "HOME=" + t.TempDir(), "RUNTIME_DIR=" + t.TempDir(), "RUNTIME_CACHE=" + t.TempDir()}
	return m
}

func (m *machine) set(name, value string) { m.env = append(m.env, name+"="+value) }

func (m *machine) get(name string) string {
	for i := len(m.env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(m.env[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// program adds a program, written in bash, to the PATH.
func (m *machine) program(name, body string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.path, name), []byte("#!/usr/bin/env bash\n"+body+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) java(version string) {
	m.program("java", fmt.Sprintf("echo '    java.home = %s'\necho '    java.specification.version = %s'", m.path, version))
}

// bash runs a script with its arguments and returns everything it said and its exit code.
func (m *machine) bash(args ...string) (string, int) {
	m.t.Helper()
	cmd := exec.Command(filepath.Join(m.path, "bash"), args...)
	cmd.Env = m.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// expect runs scripts/runtime with args (blank between them) and checks its exit code and what it must have said.
func (m *machine) expect(code int, args string, said ...string) {
	m.t.Helper()
	m.expectOf("runtime "+args, code, said...)
}

func (m *machine) expectOf(script string, code int, said ...string) {
	m.t.Helper()
	out, got := m.bash(strings.Fields(script)...)
	if got != code {
		m.t.Errorf("%s: exit code %d, want %d; it said:\n%s", script, got, code, out)
	}
	for _, want := range said {
		if !strings.Contains(out, want) {
			m.t.Errorf("%s: does not say %q; it said:\n%s", script, want, out)
		}
	}
}

func TestRuntimeUsage(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.expect(0, "help", "usage: scripts/runtime", "RUNTIME_KAFKA_PORT")
	m.expect(2, "", "a command is missing")
	m.expect(2, "start", `no command "start"`, "runtime help")
	m.expect(2, "up redis", `no group "redis"`, "kafka, spark or all")
	m.expect(2, "down kafka spark", `unexpected argument "spark"`)
	m.expect(2, "env kafka", `unexpected argument "kafka"`)
}

func TestRuntimeNamesEveryWrongSetting(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.set("RUNTIME_KAFKA_PORT", "nine")
	m.set("RUNTIME_SPARK_MASTER_PORT", "70000")
	m.set("RUNTIME_SPARK_HISTORY_PORT", "4040")
	m.set("RUNTIME_SPARK_WORKERS", "two")
	m.set("RUNTIME_SPARK_CORES", "0")
	m.set("RUNTIME_SPARK_MEMORY", "lots")
	m.set("RUNTIME_DIR", filepath.Join(t.TempDir(), "my folder"))
	m.expect(2, "up", "RUNTIME_KAFKA_PORT=nine", "RUNTIME_SPARK_MASTER_PORT=70000", "RUNTIME_SPARK_HISTORY_PORT=4040",
		"RUNTIME_SPARK_WORKERS=two", "RUNTIME_SPARK_CORES=0", "RUNTIME_SPARK_MEMORY=lots", "must not contain blanks")
}

// Each further worker has the next port of the first one's page.
func TestRuntimeOfSeveralWorkers(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.expect(3, "status spark", "spark-worker ")
	m.set("RUNTIME_SPARK_WORKERS", "3")
	m.set("RUNTIME_SPARK_WORKER_UI_PORT", "4038")
	m.expect(3, "status spark", "spark-worker ", "spark-worker-2 ", "spark-worker-3 ")
	m.expect(2, "up spark", "RUNTIME_SPARK_APP_UI_PORT=4040 is the port of another service too")
}

func TestRuntimeWithNothingStarted(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.set("RUNTIME_KAFKA_PORT", "21500")
	m.expect(3, "status", "kafka", "spark-connect", "down")
	m.expect(0, "down")
	m.expect(1, "logs", "there are no logs")
	m.expect(1, "logs kafka", "there is no log of kafka")
	m.expect(0, "env", "export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:21500\n", "export SPARK_REMOTE=sc://127.0.0.1:15002\n")
}

func TestRuntimeNamesABusyPort(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	port := busyPort(t)
	m.set("RUNTIME_KAFKA_PORT", port)
	m.set("RUNTIME_KAFKA_CONTROLLER_PORT", "1") // free, for nobody serves it
	m.expect(1, "up kafka", "nothing was started", "port "+port+" is in use by", "set RUNTIME_KAFKA_PORT")
	m.expect(3, "status kafka", "down")
}

func busyPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestDemoRefusesBeforeItStartsAnything(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.expectOf("demo fast", 2, `no command "fast"`)
	m.expectOf("demo", 1, "go is needed", "apt-get install golang-go")
	m.program("go", "echo go was called; exit 1")
	m.expectOf("demo", 1, "curl is needed", "brew install curl")
	m.program("curl", "exit 1")
	m.set("API_PORT", "http")
	m.expectOf("demo", 2, "API_PORT=http is not a port")
	port := busyPort(t)
	m.set("API_PORT", port)
	m.expectOf("demo", 1, "port "+port+" is in use by", "set API_PORT")
	m.set("TEST_PORT_BASE", "65530")
	m.expectOf("test", 2, "TEST_PORT_BASE=65530")
}

func TestRuntimeWithoutJava(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.expect(1, "fetch", "Java 17 or newer is needed", "there is none", "apt-get install openjdk-", "brew install openjdk@17")
	m.java("11")
	m.expect(1, "fetch", "Java 17 or newer is needed", "is version 11")
	m.java("21")
	m.expect(1, "fetch kafka", "mvn is needed", "apt-get install maven", "brew install maven")
	m.expect(1, "fetch spark", "python3 is needed", "apt-get install python3")
	m.program("python3", "exit 1")
	m.expect(1, "fetch spark", "python3 has no pip", "apt-get install python3-pip")
}

// Root on Debian is helped instead of told, and is told that it was.
func TestRuntimeInstallsJavaWhereItMay(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.program("id", "echo 0")
	m.program("apt-cache", `[ "$2" = openjdk-21-jdk-headless ]`)
	m.java("21")
	if err := os.Rename(filepath.Join(m.path, "java"), filepath.Join(m.path, "java.package")); err != nil {
		t.Fatal(err)
	}
	m.program("apt-get", fmt.Sprintf(`case "$*" in *openjdk-21-jdk-headless) mv %[1]s/java.package %[1]s/java ;; *) exit 1 ;; esac`, m.path))
	m.expect(1, "fetch kafka", "installing openjdk-21-jdk-headless with apt-get", "installing maven with apt-get", "mvn is needed")
}

func TestRuntimeNeverUsesABrokenDownload(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.java("17")
	cache := m.get("RUNTIME_CACHE")
	archive := filepath.Join(cache, "pyspark-4.1.2.tar.gz")
	if err := os.WriteFile(archive, []byte("cut off"), 0o644); err != nil {
		t.Fatal(err)
	}
	// What pip is asked for comes last; it brings something else under the right name.
	m.program("python3", `[ "$3" = --version ] || echo wrong >"${!#}/pyspark-4.1.2.tar.gz"`)
	m.program("mvn", `echo "no route to host"; exit 1`)
	m.expect(1, "fetch spark", archive+" is broken", "what pip brought is not", "attempt 2 of 3", "three attempts did not work")
	m.expect(1, "fetch kafka", "no route to host", "three attempts did not work")
	for _, name := range []string{"spark-4.1.2", "kafka-4.1.1", "pyspark-4.1.2.tar.gz"} {
		if _, err := os.Stat(filepath.Join(cache, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is in the cache after a broken download (%v)", name, err)
		}
	}
}

// A pid that the system has given to another process must never be taken for the broker's.
func TestRuntimeStopsOnlyWhatItStarted(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- other.Wait() }()
	t.Cleanup(func() { _ = other.Process.Kill() })

	record := filepath.Join(m.get("RUNTIME_DIR"), "run", "kafka")
	write := func(birth string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(record), 0o755); err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%d %s 127.0.0.1:1 -\n", other.Process.Pid, birth)
		if err := os.WriteFile(record, []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("another-birth")
	m.expect(3, "status kafka", "crashed")
	m.expect(0, "down")
	select {
	case <-ended:
		t.Fatal("down ended a process that the runtime had not started")
	default:
	}
	if _, err := os.Stat(record); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the record of the ended process is still there (%v)", err)
	}

	birth, code := m.bash("-c", ". lib/common.sh && birth "+fmt.Sprint(other.Process.Pid))
	if code != 0 {
		t.Fatalf("no birth of a running process: %s", birth)
	}
	write(birth)
	m.expect(3, "status kafka", "not answering")
	m.expect(1, "up kafka", "kafka is running, but not on RUNTIME_KAFKA_PORT=9092", "scripts/runtime down")
	m.expect(0, "down")
	<-ended // the test would hang, and fail by its timeout, if down had not ended it
}
