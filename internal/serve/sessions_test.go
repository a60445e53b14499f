package serve

import (
	"slices"
	"testing"
)

// Times put a session in order, if all are given; those that are equal leave it as it came.
func TestSessionsAreInOrder(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		`{"events":[{"itemid":"c","timestamp":9},{"itemid":"a","timestamp":1,"event":"addtocart"},{"itemid":"b","timestamp":1}]}`: {"a addtocart", "b view", "c view"},
		`{"events":[{"itemid":"c","timestamp":9},{"itemid":"a","timestamp":1},{"itemid":"b"}]}`:                                   {"c view", "a view", "b view"},
		`{"events":[{"itemid":"c"},{"itemid":"a"}]}`:                                                                              {"c view", "a view"},
		`{"items":["c","a"]}`: {"c view", "a view"},
		`{"events":[]}`:       nil,
	} {
		var b sessionBody
		if bad := decodeJSON([]byte(body), &b); bad != nil {
			t.Fatalf("%s: %+v", body, bad)
		}
		clicks, bad := b.clicks()
		var got []string
		for _, click := range clicks {
			got = append(got, click.ItemID+" "+click.Event)
		}
		if bad != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v (%+v)", body, got, want, bad)
		}
	}
}
