package recommend

import "golang.org/x/sys/cpu"

var (
	dot   = dotPortable
	reach = reachPortable
)

func init() {
	if cpu.X86.HasAVX2 {
		dot, reach = dotWide, reachAVX2
	}
}

// dotWide is dotPortable, eight products at a time, to the last bit.
func dotWide(a, b []float32) float64 {
	if len(a) == 0 || len(a)%8 != 0 {
		return dotPortable(a, b)
	}
	return dotAVX2(a, b[:len(a)])
}

// dotAVX2 takes whole eights, at least one.
//
//go:noescape
func dotAVX2(a, b []float32) float64

// reachAVX2 is reachPortable, 32 products at a time.
//
//go:noescape
func reachAVX2(codes []uint8, query []int8, limit int32) uint32
