package serve

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// nicer is by how much the niceness of what is done aside is greater than the program's. The greatest there is could keep a thread from
// the processors for so long, where other programs want them, too, that a collection of garbage, for which all threads stop for a
// moment, would hold up requests.
const nicer = 10

// aside does what no request may wait for, such as loading a version beside the one that is served, on a thread of its own, which a
// processor leaves at once for a thread that answers. What work starts on other goroutines is not on it.
func aside(work func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine, since its priority cannot be raised again
		thread := unix.Gettid()
		// Linux gives 20 less the niceness. Where this is forbidden, the work is done all the same.
		if priority, err := unix.Getpriority(unix.PRIO_PROCESS, thread); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, thread, 20-priority+nicer)
		}
		work()
	}()
	<-done
}
