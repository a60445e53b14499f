// Package machine says on what a benchmark ran, for the pages that benchmarks write. It reads Linux's /proc, and is vague elsewhere.
package machine

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// CPU is the processor's name.
func CPU() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}

// Memory is how much there is, in words.
func Memory() string {
	data, _ := os.ReadFile("/proc/meminfo")
	var kb int
	if _, err := fmt.Sscanf(string(data), "MemTotal: %d kB", &kb); err != nil {
		return "memory unknown"
	}
	return fmt.Sprintf("%d GB", (kb+1<<19)>>20)
}

// Load is how many processes have wanted to run, on average over the last minute.
func Load() (l float64) {
	data, _ := os.ReadFile("/proc/loadavg")
	_, _ = fmt.Sscan(string(data), &l)
	return l
}
