//go:build integration

package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cluster is a Spark of the test's own, whose processes it may kill.
type cluster struct {
	*testing.T
	env []string
	dir string

	remote string // its Connect server
	ui     string // of the application
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{T: t, dir: t.TempDir()}
	first := freePorts(t, 6)
	port := func(i int) string { return strconv.Itoa(first + i) }
	c.remote, c.ui = "sc://127.0.0.1:"+port(3), "http://127.0.0.1:"+port(4)
	c.env = append(os.Environ(), "RUNTIME_DIR="+c.dir, "RUNTIME_SPARK_MEMORY=1g",
		"RUNTIME_SPARK_MASTER_PORT="+port(0), "RUNTIME_SPARK_MASTER_UI_PORT="+port(1), "RUNTIME_SPARK_WORKER_UI_PORT="+port(2),
		"RUNTIME_SPARK_CONNECT_PORT="+port(3), "RUNTIME_SPARK_APP_UI_PORT="+port(4), "RUNTIME_SPARK_HISTORY_PORT="+port(5))
	t.Cleanup(func() { c.runtime("down") })
	c.up()
	return c
}

func (c *cluster) runtime(command string) {
	c.Helper()
	cmd := exec.Command(filepath.Join("..", "..", "scripts", "runtime"), command, "spark")
	cmd.Env = c.env
	if out, err := cmd.CombinedOutput(); err != nil {
		c.Fatalf("scripts/runtime %s: %v\n%s", command, err, out)
	}
}

// up starts what does not run.
func (c *cluster) up() { c.Helper(); c.runtime("up") }

func (c *cluster) pid(service string) int {
	c.Helper()
	record, err := os.ReadFile(filepath.Join(c.dir, "run", service))
	if err != nil {
		c.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(record), &pid); err != nil {
		c.Fatal(err)
	}
	return pid
}

// killConnect ends the Connect server as a crash would.
func (c *cluster) killConnect() {
	c.Helper()
	if err := syscall.Kill(c.pid("spark-connect"), syscall.SIGKILL); err != nil {
		c.Fatal(err)
	}
}

// killExecutors ends the worker's executors likewise.
func (c *cluster) killExecutors() { c.Helper(); c.signalExecutors(syscall.SIGKILL) }

func (c *cluster) signalExecutors(signal syscall.Signal) {
	c.Helper()
	children, err := exec.Command("pgrep", "-P", strconv.Itoa(c.pid("spark-worker"))).Output()
	var none *exec.ExitError
	if err != nil && !(errors.As(err, &none) && none.ExitCode() == 1) { // there may be none for a moment
		c.Fatalf("finding the executor: %v", err)
	}
	for field := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			c.Fatal(err)
		}
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			c.Fatal(err)
		}
	}
}

// sparkJob is what the Spark UI tells of a job.
type sparkJob struct {
	JobID       int `json:"jobId"`
	Status      string
	Description string
	JobGroup    string
	JobTags     []string
	NumTasks    int
}

// freezeFitting stops the executors in the midst of a training's fit of what. It looks again when they have stopped, so that the fit
// cannot have ended meanwhile.
func (c *cluster) freezeFitting(training *child, what string) {
	c.Helper()
	for {
		if c.fitting(what) {
			c.signalExecutors(syscall.SIGSTOP)
			if c.fitting(what) {
				return
			}
			c.signalExecutors(syscall.SIGCONT)
		}
		select {
		case <-training.ended:
			c.Fatalf("the training ended before its fit of %s was seen\n%s", what, training.errs.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// fitting tells whether the iterations of a fit run: all in one job, of many more tasks than any other.
func (c *cluster) fitting(what string) bool {
	c.Helper()
	return slices.ContainsFunc(sparkJobs(c.T, c.ui), func(j sparkJob) bool {
		tags := strings.Join(j.JobTags, " ")
		return j.Status == "RUNNING" && j.NumTasks > 50 && strings.Contains(tags, "als: fit") && strings.Contains(tags, what)
	})
}

// sparkJobs asks the Spark UI's REST API for all jobs of its application.
func sparkJobs(t *testing.T, ui string) (jobs []sparkJob) {
	t.Helper()
	var apps []struct{ ID string }
	get(t, ui+"/api/v1/applications", &apps)
	if len(apps) == 0 {
		t.Fatalf("no application at %s", ui)
	}
	get(t, ui+"/api/v1/applications/"+apps[0].ID+"/jobs", &jobs)
	return jobs
}

func get(t *testing.T, url string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatalf("reading %s: %v", url, err)
	}
}

// freePorts finds so many ports in a row that nobody listens on.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for first := 21310 + os.Getpid()%8*10; first < 32000; first += n {
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
	t.Fatalf("no %d free ports in a row", n)
	return 0
}
