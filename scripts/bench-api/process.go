package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
)

// process is a server that this program has started.
type process struct {
	addr string
	cmd  *exec.Cmd
	logs chan map[string]any // lines of its log, until it ends
	past []map[string]any    // those that were read while another was waited for

	loading float64 // seconds that its champion took to load
}

func (b *bench) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// api starts the API on a data folder and waits until it serves the champion.
func (b *bench) api(data string, args ...string) (*process, error) {
	args = append([]string{"--addr", "127.0.0.1:0", "--data-dir", data, "--log-format", "json"}, args...)
	p := &process{cmd: b.command(filepath.Join(b.dir, "api"), args...), logs: make(chan map[string]any, 100)}
	p.cmd.Env = append(os.Environ(), "KAFKA_BOOTSTRAP_SERVERS=")
	p.cmd.Stderr = nil
	out, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the API: %w", err)
	}
	go func() {
		defer close(p.logs)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var line map[string]any
			if json.Unmarshal(lines.Bytes(), &line) == nil {
				p.logs <- line
			}
		}
	}()
	line, err := p.wait("serving")
	if err == nil {
		p.addr = line["addr"].(string)
		line, err = p.wait("champion loaded")
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	p.loading = line["seconds"].(float64)
	return p, nil
}

// wait returns the first line of the log with that message.
func (p *process) wait(message string) (map[string]any, error) {
	for _, line := range p.past {
		if line["msg"] == message {
			return line, nil
		}
	}
	late := time.After(3 * time.Minute)
	for {
		select {
		case line, more := <-p.logs:
			if !more {
				return nil, fmt.Errorf("the API ended before it said %q", message)
			}
			if line["msg"] == message {
				return line, nil
			}
			if line["level"] == "ERROR" {
				return nil, fmt.Errorf("the API says: %v", line)
			}
			p.past = append(p.past, line)
		case <-late:
			return nil, fmt.Errorf("the API never said %q", message)
		}
	}
}

// stop ends it and waits for that.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	if p.logs != nil {
		for range p.logs { // to the end: a full pipe would hold it up
		}
	}
	_ = p.cmd.Wait()
}

// memory is how much of it is resident now, and was at most, in bytes.
func (p *process) memory() (now, peak float64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(data)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			now = kb * 1024
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			peak = kb * 1024
		}
	}
	return now, peak, err
}

// fixedAnswer starts a gin handler in a process of its own, with that answer to everything.
func (b *bench) fixedAnswer(body []byte) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: b.command(self, "fixed")}
	p.cmd.Stdin = strings.NewReader(string(body))
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the fixed answer: %w", err)
	}
	if _, err := fmt.Fscan(out, &p.addr); err != nil {
		return nil, fmt.Errorf("starting the fixed answer: %w", err)
	}
	return p, nil
}

// fixed is that process. It reads a request's body, as whoever answers it must.
func fixed() error {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	answer := func(c *gin.Context) {
		_, _ = io.Copy(io.Discard, c.Request.Body)
		header := c.Writer.Header()
		header.Set("Content-Length", strconv.Itoa(len(body)))
		c.Data(http.StatusOK, "application/json", body)
	}
	e.GET("/v1/visitors/:visitorid/recommendations", answer)
	e.POST("/v1/sessions/recommendations", answer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, e)
}
