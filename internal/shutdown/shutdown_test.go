package shutdown_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"cartwheel/internal/reexec"
	"cartwheel/internal/shutdown"
)

// TestMain is also a program that tells when it is asked to end, and then ends, or with the argument "stay" does not.
func TestMain(m *testing.M) {
	reexec.Main(m, func(func(string)) {
		shutdown.Main(func(ctx context.Context, args []string, _ func(string) string, stdout, _ io.Writer) int {
			fmt.Fprintln(stdout, "runs")
			<-ctx.Done()
			fmt.Fprintln(stdout, "asked to end")
			if args[0] == "stay" {
				select {}
			}
			return 7
		})
	})
}

func TestMainIsAskedFirst(t *testing.T) {
	cmd, next := program(t, "end")
	next("runs")
	signal(t, cmd.Process.Pid)
	next("asked to end")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("it ended with %v, not with its own code", err)
	}
}

func TestMainEndsWithTheSecondSignal(t *testing.T) {
	cmd, next := program(t, "stay")
	next("runs")
	signal(t, cmd.Process.Pid)
	next("asked to end")
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
				t.Errorf("it ended with %v, not by the signal", err)
			}
			return
		case <-time.After(10 * time.Millisecond): // once more: the first of these may come while the program still takes signals itself
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
}

// program starts this binary as the program; next wants a line of its output.
func program(t *testing.T, args ...string) (cmd *exec.Cmd, next func(want string)) {
	cmd = reexec.Command(args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	return cmd, func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the program says %q, not %q: %v", lines.Text(), want, lines.Err())
		}
	}
}

func signal(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

func TestSteps(t *testing.T) {
	stop, now, release := shutdown.Notify(context.Background())
	defer release()
	if stop.Err() != nil || now.Err() != nil {
		t.Fatal("a step is done before any signal")
	}
	signal(t, syscall.Getpid())
	<-stop.Done()
	if now.Err() != nil {
		t.Fatal("the first signal stops at once")
	}
	signal(t, syscall.Getpid())
	<-now.Done()
	if !errors.Is(context.Cause(now), shutdown.ErrForced) {
		t.Errorf("the cause is %v", context.Cause(now))
	}
}

func TestParentEndsTheFirstStep(t *testing.T) {
	parent, cancel := context.WithCancel(context.Background())
	stop, now, release := shutdown.Notify(parent)
	cancel()
	<-stop.Done()
	if now.Err() != nil {
		t.Error("the parent's end stops at once")
	}
	release()
	<-now.Done()
}
