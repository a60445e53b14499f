package serve

import (
	"runtime"
	"strings"
	"testing"
)

func TestNull(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]bool{`null`: true, `{"a":null}`: true, `[1, null]`: true, `{"null":true}`: false, `["null","a\"null",false]`: false, `["\\",null]`: true, `{}`: false} {
		if got := hasNull([]byte(data)); got != want {
			t.Errorf("%s: %v", data, got)
		}
	}
}

// What a body of the largest size holds far too much of is refused before much is made of it.
func TestCrowdedBodies(t *testing.T) {
	const most = 4 << 20
	half := maxBodyBytes / 2
	for name, refuse := range map[string]func() *badField{
		"array of events": func() *badField {
			_, _, bad := splitEvents([]byte("["+strings.Repeat("1,", half-1)+"1]"), false)
			return bad
		},
		"lines of events":  func() *badField { _, _, bad := splitEvents([]byte(strings.Repeat("1\n", half)), true); return bad },
		"array in a body":  func() *badField { return crowded([]byte(`{"a":{"b":[` + strings.Repeat("1,", half-10) + `1]}}`)) },
		"array of objects": func() *badField { return crowded([]byte(`[` + strings.Repeat("{},", half/2) + `{}]`)) },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		bad := refuse()
		runtime.ReadMemStats(&after)
		if bad == nil || !strings.Contains(bad.detail, "more than 1000") || name == "array in a body" && bad.field != "a.b" {
			t.Errorf("%s: %+v", name, bad)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > most {
			t.Errorf("%s took %d bytes", name, took)
		}
	}
	if bad := crowded([]byte(`{"a":[` + strings.Repeat(`["`+strings.Repeat("x", 20)+`"],`, maxEntries-1) + `1]}`)); bad != nil {
		t.Errorf("as many as there may be are refused: %+v", bad)
	}
}
