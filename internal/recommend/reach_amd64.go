package recommend

import "golang.org/x/sys/cpu"

var reach = reachPortable

func init() {
	if cpu.X86.HasAVX2 {
		reach = reachAVX2
	}
}

// reachAVX2 is reachPortable, 32 products at a time.
//
//go:noescape
func reachAVX2(codes []uint8, query []int8, limit int32) uint32
