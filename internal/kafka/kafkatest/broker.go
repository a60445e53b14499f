package kafkatest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// Broker is a real Kafka of the test's own, which it may stop, kill and start again. It runs what scripts/runtime has fetched.
type Broker struct {
	Addr string // of its PLAINTEXT listener
	Port int    // of that, and of further listeners the next ones

	t     testing.TB
	dir   string
	java  string
	libs  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
}

// NewBroker starts a broker, with these lines after the usual ones of its server.properties, and ends it with the test.
// listeners are further listeners as NAME:PROTOCOL, such as SECURE:SASL_SSL, on the ports after the first.
func NewBroker(t testing.TB, listeners []string, properties ...string) *Broker {
	t.Helper()
	cache := os.Getenv("RUNTIME_CACHE")
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(base, "cartwheel")
	}
	found, _ := filepath.Glob(filepath.Join(cache, "kafka-*", "libs"))
	if len(found) == 0 {
		t.Fatalf("no Kafka in %s: scripts/runtime fetch kafka brings it", cache)
	}
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	b := &Broker{t: t, dir: t.TempDir(), java: java, libs: filepath.Join(found[len(found)-1], "*")}
	b.Port = freePorts(t, 2+len(listeners))
	b.Addr = fmt.Sprintf("127.0.0.1:%d", b.Port)
	controller := b.Port + 1 + len(listeners)
	names, protocols := "PLAINTEXT://"+b.Addr, "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
	for i, l := range listeners {
		name, _, _ := strings.Cut(l, ":")
		names += fmt.Sprintf(",%s://127.0.0.1:%d", name, b.Port+1+i)
		protocols += "," + l
	}
	conf := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%d
controller.listener.names=CONTROLLER
listeners=%s,CONTROLLER://127.0.0.1:%d
advertised.listeners=%s
listener.security.protocol.map=%s
log.dirs=%s
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
%s
`, controller, names, controller, names, protocols, filepath.Join(b.dir, "data"), strings.Join(properties, "\n"))
	if err := os.WriteFile(filepath.Join(b.dir, "server.properties"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	b.tool("kafka.tools.StorageTool", "format", "-t", "CaGVyZSBiZSBkcmFnb25zMQ", "-c", filepath.Join(b.dir, "server.properties"))
	b.Start()
	t.Cleanup(b.Kill)
	return b
}

// Start starts the broker, and waits until it answers.
func (b *Broker) Start() {
	b.t.Helper()
	log, err := os.OpenFile(filepath.Join(b.dir, "kafka.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		b.t.Fatal(err)
	}
	defer log.Close()
	b.cmd = exec.Command(b.java, "-Xmx512m", "-cp", b.libs, "kafka.Kafka", filepath.Join(b.dir, "server.properties"))
	b.cmd.Stdout, b.cmd.Stderr = log, log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that is killed leaves no broker behind
	started := make(chan error)
	b.ended = make(chan struct{})
	go func() {
		defer close(b.ended)
		// That signal comes when the thread ends that started the broker, so no other goroutine may have it and end it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := b.cmd.Start()
		started <- err
		if err == nil {
			_ = b.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		b.t.Fatal(err)
	}
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		conn, err := kafkago.Dial("tcp", b.Addr)
		if err == nil {
			_, err = conn.Brokers()
			_ = conn.Close()
			if err == nil {
				return
			}
		}
		if time.Now().After(deadline) {
			out, _ := os.ReadFile(filepath.Join(b.dir, "kafka.log"))
			b.t.Fatalf("Kafka does not answer at %s: %v\n%s", b.Addr, err, out[max(0, len(out)-2000):])
		}
	}
}

// Stop ends the broker in order.
func (b *Broker) Stop() {
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	<-b.ended
}

// Kill ends the broker at once, if it runs.
func (b *Broker) Kill() {
	_ = b.cmd.Process.Kill()
	<-b.ended
}

// tool runs one of Kafka's own programs against the broker, by its class, and returns what it says.
func (b *Broker) tool(class string, args ...string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, b.java, append([]string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", b.libs, class}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("%s: %v\n%s", class, err, out.String())
	}
	return out.String()
}

// freePorts finds so many ports in a row that nobody listens on.
func freePorts(t testing.TB, n int) int {
	for first := 24500 + os.Getpid()%400; first < 32000; first += n {
		free := true
		for p := first; p < first+n && free; p++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if free = err == nil; free {
				_ = l.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}
