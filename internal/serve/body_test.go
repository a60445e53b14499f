package serve

import "testing"

func TestNull(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]bool{`null`: true, `{"a":null}`: true, `[1, null]`: true, `{"null":true}`: false, `["null","a\"null",false]`: false, `["\\",null]`: true, `{}`: false} {
		if got := hasNull([]byte(data)); got != want {
			t.Errorf("%s: %v", data, got)
		}
	}
}
