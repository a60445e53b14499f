// Package reexec lets a test run its own binary as the program under test, so that it can be killed like any process. It is for
// tests only.
package reexec

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

const (
	asProgram = "CARTWHEEL_TEST_AS_PROGRAM"
	killAt    = "CARTWHEEL_TEST_KILL_AT"
)

// Main is called by TestMain. In a process that Command made it runs the program, which never returns; in all others, the tests.
// The program must call the function it is given at its steps.
func Main(m interface{ Run() int }, program func(onStep func(string))) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	step, count, _ := strings.Cut(os.Getenv(killAt), ":")
	left := &atomic.Int64{}
	n, _ := strconv.ParseInt(count, 10, 64)
	left.Store(n)
	program(func(s string) {
		if s == step && left.Add(-1) == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // not one instruction more
		}
	})
	panic("the program returned instead of ending its process")
}

// Command is the program with these arguments. Its output goes to the test's own.
func Command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// KillAt makes the command kill itself when it reaches a step for the nth time.
func KillAt(cmd *exec.Cmd, step string, n int) {
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s:%d", killAt, step, n))
}

// Killed tells whether a command that has ended was killed.
func Killed(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
