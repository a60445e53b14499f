package model

import (
	"errors"
	"slices"
	"testing"
)

// A load that is to be gentle must not leave the goroutine that asked for it, for what ran on others would have their threads' priority:
// each part has ended when the next one begins, and none begins once one has failed.
func TestGentlyDoesOnePartAfterTheOther(t *testing.T) {
	t.Parallel()
	group := newPace(Gently).group()
	var parts []int // without a lock: the race detector tells if a second goroutine is at work
	failed := errors.New("failed")
	for i := range 5 {
		group.Go(func() error {
			parts = append(parts, i)
			if i == 2 {
				return failed
			}
			return nil
		})
		if want := min(i, 2); len(parts) != want+1 || parts[want] != want {
			t.Fatalf("after part %d was asked for, %v were done", i, parts)
		}
	}
	if err := group.Wait(); !errors.Is(err, failed) || !slices.Equal(parts, []int{0, 1, 2}) {
		t.Errorf("%v were done, and the error is %v", parts, err)
	}
}
