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

func TestAMemberThatComesTwice(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{}`: "", `[]`: "", `"a"`: "", `7`: "",
		`{"a":1,"b":1}`:                    "",
		`{"a":1,"a":1}`:                    "a",
		`{"a":1,"\u0061":1}`:               "a",
		`{"a\"":1,"a\"":1}`:                `a"`,
		`{"a":"a","b":"a"}`:                "",
		`{"a":["a","a",{"a":1}],"b":"a"}`:  "",
		`{"a":{"a":{"a":1}}}`:              "",
		`{"a":{"b":1},"c":{"b":1}}`:        "",
		`{"a":{"b":1},"c":{"b":1,"b":2}}`:  "b",
		`[{"a":1},{"a":1}]`:                "",
		`[{"a":1},{"a":1,"b":"}","a":2}]`:  "a",
		`{"a":{"b":[1,2]},"b":[{}],"a":1}`: "a",
		`{"x":"{\"a\":1,\"a\":2}"}`:        "",
		`{"x":"\\","x":1}`:                 "x",
		`{"":1,"":2}`:                      "", // told apart from none by the second result alone
	} {
		name, twice := repeated([]byte(data))
		if name != want || twice != (want != "" || data == `{"":1,"":2}`) {
			t.Errorf("%s: %q, %v, want %q", data, name, twice, want)
		}
	}
}
