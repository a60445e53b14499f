package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The versions that Cartwheel is built for. scripts/lib/fetch.sh pins Kafka's and Spark's; a test holds them together.
const (
	goVersion    = "1.26"
	sparkVersion = "4.1.2"
	kafkaVersion = "4.1.1"
	javaVersion  = 17
)

func checkMachine(ctx context.Context, s *settings, r *report) {
	s.checkGo(ctx, r)
	s.checkWays(ctx, r)
	s.checkPorts(ctx, r)
	s.checkDisk(r)
}

func (s *settings) checkGo(ctx context.Context, r *report) {
	said, err := s.output(ctx, "go", "env", "GOVERSION")
	have := strings.TrimPrefix(strings.TrimSpace(said), "go")
	switch {
	case err != nil:
		r.tell(toDo, "go", err.Error(), "install Go "+goVersion+" (https://go.dev/dl)")
	case !atLeast(have, goVersion):
		r.tell(toDo, "go", "version "+have, "install Go "+goVersion+" or newer (https://go.dev/dl)")
	default:
		r.fine("go", "version %s", have)
	}
}

// checkWays looks at the two ways to run Kafka and Spark: on this machine, or with Docker. One is enough.
func (s *settings) checkWays(ctx context.Context, r *report) {
	missing := s.missingTools(ctx)
	docker, dockerErr := s.output(ctx, "docker", "compose", "version", "--short")
	if exit := (*exec.ExitError)(nil); errors.As(dockerErr, &exit) {
		dockerErr = errors.New("docker is there, but its compose plugin is not")
	} else if dockerErr == nil {
		if _, dockerErr = s.output(ctx, "docker", "info", "--format", "{{.ServerVersion}}"); dockerErr != nil {
			dockerErr = errors.New("docker is there, but its engine does not answer")
		}
	}
	if len(missing) == 0 {
		r.fine("without docker", "all is there for make up: Java, and what fetches Kafka %s and Spark %s, or these themselves", kafkaVersion, sparkVersion)
	}
	if dockerErr == nil {
		r.fine("with docker", "compose %s", strings.TrimSpace(docker))
	}
	for _, m := range missing {
		if dockerErr == nil {
			r.tell(toKnow, "without docker", m.seen, "only make up needs it: "+m.do)
		} else {
			r.tell(toDo, "without docker", m.seen, m.do+"; or use Docker with compose")
		}
	}
	if dockerErr != nil && len(missing) == 0 {
		r.tell(toKnow, "with docker", dockerErr.Error(), "only docker compose up needs it")
	}
}

type lack struct{ seen, do string }

// missingTools says what make up would lack.
func (s *settings) missingTools(ctx context.Context) (list []lack) {
	java := "java"
	if home := s.getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	install := fmt.Sprintf("install a JDK of %d or later (Debian: apt-get install openjdk-17-jdk-headless; macOS: brew install openjdk@17) or set JAVA_HOME", javaVersion)
	said, err := s.output(ctx, java, "-XshowSettings:properties", "-version")
	if version := property(said, "java.specification.version"); err != nil {
		list = append(list, lack{err.Error(), install})
	} else if n, err := strconv.Atoi(strings.Split(version, ".")[0]); err != nil || n < javaVersion {
		list = append(list, lack{"Java is version " + version, install})
	}
	if !isDir(filepath.Join(s.cacheDir(), "kafka-"+kafkaVersion)) {
		if _, err := s.output(ctx, "mvn", "-v"); err != nil {
			list = append(list, lack{err.Error(), "install Maven, which fetches Kafka (apt-get install maven; brew install maven)"})
		}
	}
	if !isDir(filepath.Join(s.cacheDir(), "spark-"+sparkVersion)) {
		if _, err := s.output(ctx, "python3", "-m", "pip", "--version"); err != nil {
			list = append(list, lack{err.Error(), "install Python 3 with pip, which fetches Spark (apt-get install python3-pip; brew install python)"})
		}
	}
	return list
}

// output runs a program of the PATH that the settings name, and returns all that it said.
func (s *settings) output(ctx context.Context, program string, args ...string) (string, error) {
	path := program
	if !filepath.IsAbs(program) {
		path = ""
		for _, dir := range filepath.SplitList(s.getenv("PATH")) {
			if info, err := os.Stat(filepath.Join(dir, program)); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
				path = filepath.Join(dir, program)
				break
			}
		}
		if path == "" {
			return "", fmt.Errorf("%s is not in PATH", program)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s does not run: %w", strings.Join(append([]string{program}, args...), " "), err)
	}
	return string(out), nil
}

// property reads a line such as "    java.specification.version = 17".
func property(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, " = "); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// ports are those that scripts/runtime takes, with the variable that moves each.
var ports = []struct {
	variable string
	port     string
}{
	{"RUNTIME_KAFKA_PORT", "9092"}, {"RUNTIME_KAFKA_CONTROLLER_PORT", "9093"}, {"RUNTIME_SPARK_MASTER_PORT", "7077"},
	{"RUNTIME_SPARK_MASTER_UI_PORT", "8080"}, {"RUNTIME_SPARK_WORKER_UI_PORT", "8081"}, {"RUNTIME_SPARK_CONNECT_PORT", "15002"},
	{"RUNTIME_SPARK_APP_UI_PORT", "4040"}, {"RUNTIME_SPARK_HISTORY_PORT", "18080"},
}

// checkPorts looks for strangers on the runtime's ports. What scripts/runtime itself started is no stranger, and neither are other
// services where Kafka and Spark are used from elsewhere, as with Docker.
func (s *settings) checkPorts(ctx context.Context, r *report) {
	if s.runtimeIsUp() {
		r.fine("ports", "taken by what make up started")
		return
	}
	var busy []string
	for _, p := range ports {
		port := p.port
		if set := s.getenv(p.variable); set != "" {
			port = set
		}
		dialer := net.Dialer{Timeout: time.Second}
		if conn, err := dialer.DialContext(ctx, "tcp", "127.0.0.1:"+port); err == nil {
			_ = conn.Close()
			busy = append(busy, p.variable+"="+port)
		}
	}
	if len(busy) == 0 {
		r.fine("ports", "free for make up")
		return
	}
	r.tell(toKnow, "ports", "taken, and not by make up: "+strings.Join(busy, " "),
		"unless that is Docker's Kafka and Spark, end what is there, or set these variables to other ports before make up")
}

// runtimeIsUp tells whether a process that scripts/runtime recorded is alive.
func (s *settings) runtimeIsUp() bool {
	records, _ := filepath.Glob(filepath.Join(s.runtimeDir(), "run", "*"))
	for _, record := range records {
		data, _ := os.ReadFile(record)
		first, _, _ := strings.Cut(string(data), " ")
		if pid, err := strconv.Atoi(first); err == nil && pid > 0 && unix.Kill(pid, 0) == nil {
			return true
		}
	}
	return false
}

// How much room is too little, and how much is little: a training of millions of events writes some hundred MB beside what is there.
const (
	tooLittle = 1 << 30
	little    = 5 << 30
)

func (s *settings) checkDisk(r *report) {
	seen := map[unix.Fsid]bool{}
	for _, dir := range []string{s.dataDir, s.runtimeDir(), s.cacheDir(), os.TempDir()} {
		at := dir
		for { // what is not there yet will be on its parent's file system
			if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
				break
			}
			at = filepath.Dir(at)
		}
		var st unix.Statfs_t
		if err := unix.Statfs(at, &st); err != nil {
			r.tell(toDo, "disk", fmt.Sprintf("%s cannot be looked at: %v", at, err), "check its permissions, or choose another folder")
			continue
		}
		if seen[st.Fsid] {
			continue
		}
		seen[st.Fsid] = true
		r.disk(dir, st.Bavail*uint64(st.Bsize), st.Files == 0 || st.Ffree > 1000)
	}
}

func (r *report) disk(dir string, free uint64, hasNames bool) {
	seen := fmt.Sprintf("%.1f GB free for %s", float64(free)/(1<<30), dir)
	const room = "make room: go run ./sparkjobs/models prune, Kafka's retention (docs/operations.md)"
	switch {
	case free < tooLittle:
		r.tell(toDo, "disk", seen, room)
	case !hasNames:
		r.tell(toDo, "disk", "no inodes left for "+dir, room)
	case free < little:
		r.tell(toKnow, "disk", seen, room+" before long")
	default:
		r.fine("disk", "%s", seen)
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// atLeast compares versions of numbers and dots.
func atLeast(have, want string) bool {
	h, w := strings.Split(have, "."), strings.Split(want, ".")
	for i := range w {
		a, b := 0, 0
		if i < len(h) {
			_, _ = fmt.Sscan(h[i], &a) // the digits of 27rc1
		}
		_, _ = fmt.Sscan(w[i], &b)
		if a != b {
			return a > b
		}
	}
	return true
}
