package serve

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAsideLowersOnlyItsOwnThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The kernel's own numbers: 20 less the niceness.
	here := func() int {
		t.Helper()
		priority, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
		if err != nil {
			t.Fatal(err)
		}
		return priority
	}
	before := here()
	var within int
	aside(func() { within = here() })
	if within >= before {
		t.Errorf("aside the priority is %d, and %d otherwise", within, before)
	}
	if after := here(); after != before {
		t.Errorf("the priority was %d and is %d afterwards", before, after)
	}
	aside(func() {})
	got := make(chan int)
	go func() { got <- here() }() // on some other thread
	if other := <-got; other != before {
		t.Errorf("another thread's priority is %d, it was %d", other, before)
	}
}
