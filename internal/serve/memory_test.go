package serve

import "testing"

func TestGarbageBesideALargeVersionIsBounded(t *testing.T) {
	t.Parallel()
	for inUse, want := range map[uint64]int{0: 100, 20 << 20: 100, 128 << 20: 100, 256 << 20: 50, 1 << 30: 12, 64 << 30: 10} {
		if got := gcPercent(inUse); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d %%", inUse, got, want)
		}
	}
}
