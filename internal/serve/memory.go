package serve

import (
	"os"
	"runtime"
	"runtime/debug"
)

// minGarbage is how much garbage may gather, at least, before it is collected.
const minGarbage = 128 << 20

// settleMemory is called when another version is served. What loading needed, and the version before, may be most of the memory: it
// is given back now rather than when the next request happens to need some. And as much garbage as is in use, which is what Go lets
// gather, would double a large version's memory: versions lie in few large arrays without pointers, so collecting often costs little.
func settleMemory() {
	runtime.GC() // what pools hold of the version before, they let go at the second collection
	debug.FreeOSMemory()
	if os.Getenv("GOGC") != "" {
		return // whoever runs this has chosen
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(gcPercent(m.HeapAlloc))
}

// gcPercent is how much garbage may gather beside so many bytes in use, as a percentage of these.
func gcPercent(inUse uint64) int { return int(min(100, max(10, 100*minGarbage/max(1, inUse)))) }
