package event

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	e := Event{Timestamp: 1433221332117, VisitorID: "257597", Event: View, ItemID: "355908", EventID: "0123456789abcdef01234567"}
	want := `{"timestamp":1433221332117,"visitorid":"257597","event":"view","itemid":"355908","eventid":"0123456789abcdef01234567"}`
	if got := string(AppendJSON(nil, &e)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !scanJSON([]byte(want), &Event{}) {
		t.Error("the fast scanner does not read what AppendJSON writes")
	}
	for name, c := range map[string]struct {
		data string
		want Event
	}{
		"ids as numbers":   {`{"timestamp":7,"visitorid":257597,"event":"view","itemid":355908}`, Event{Timestamp: 7, VisitorID: "257597", Event: View, ItemID: "355908"}},
		"another order":    {` {"itemid":"i", "event":"view", "visitorid":"v", "timestamp":7 } `, Event{Timestamp: 7, VisitorID: "v", Event: View, ItemID: "i"}},
		"unknown fields":   {`{"timestamp":7,"visitorid":"v","event":"view","itemid":"i","price":{"eur":[1,2]}}`, Event{Timestamp: 7, VisitorID: "v", Event: View, ItemID: "i"}},
		"null transaction": {`{"timestamp":7,"visitorid":"v","event":"view","itemid":"i","transactionid":null}`, Event{Timestamp: 7, VisitorID: "v", Event: View, ItemID: "i"}},
		"escapes":          {`{"timestamp":7,"visitorid":"\u00e9\"","event":"view","itemid":"i"}`, Event{Timestamp: 7, VisitorID: `é"`, Event: View, ItemID: "i"}},
		"a purchase":       {`{"timestamp":7,"visitorid":"v","event":"transaction","itemid":"i","transactionid":"4000","eventid":"e"}`, Event{Timestamp: 7, VisitorID: "v", Event: Transaction, ItemID: "i", TransactionID: "4000", EventID: "e"}},
	} {
		var got Event
		if err := ParseJSON([]byte(c.data), &got); err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

func TestParseJSONRefuses(t *testing.T) {
	for data, says := range map[string]string{
		``:           "not valid JSON",
		`{`:          "not valid JSON",
		`[]`:         "not a JSON object",
		`"x"`:        "not a JSON object",
		`{}`:         "timestamp 0 is not",
		"\xff\xfe{}": "not valid UTF-8",
		`{"timestamp":7,"visitorid":"v","event":"view","itemid":"i"} x`:                "text after",
		`{"timestamp":7,"timestamp":8,"visitorid":"v","event":"view","itemid":"i"}`:    `field "timestamp" occurs twice`,
		`{"timestamp":"7","visitorid":"v","event":"view","itemid":"i"}`:                "timestamp",
		`{"timestamp":7.5,"visitorid":"v","event":"view","itemid":"i"}`:                "timestamp",
		`{"timestamp":-7,"visitorid":"v","event":"view","itemid":"i"}`:                 "timestamp",
		`{"timestamp":99999999999999999999,"visitorid":"v","event":"view","itemid":1}`: "timestamp",
		`{"timestamp":7,"visitorid":1.5,"event":"view","itemid":"i"}`:                  "visitorid is neither a string nor a whole number",
		`{"timestamp":7,"visitorid":["v"],"event":"view","itemid":"i"}`:                "visitorid is neither",
		`{"timestamp":7,"visitorid":"v","event":1,"itemid":"i"}`:                       "event is neither",
		`{"timestamp":7,"visitorid":"v\u0000","event":"view","itemid":"i"}`:            "control character",
		`{"timestamp":7,"visitorid":"v","event":"buy","itemid":"i"}`:                   "event",
		`{"timestamp":7,"visitorid":"v","event":"view"}`:                               "itemid is empty",
		strings.Repeat(`[`, 20000):                                                     "not",
	} {
		var e Event
		if err := ParseJSON([]byte(data), &e); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%.80q: got %v, want %q", data, err, says)
		}
	}
}

func TestRule(t *testing.T) {
	for data, want := range map[string]string{
		`{`: "not JSON", `[]`: "not JSON", "\xff": "not JSON",
		`{"timestamp":7,"visitorid":"v","event":"buy","itemid":"i"}`: "event",
		`{"timestamp":7,"event":"view","itemid":"i"}`:                "visitorid",
		`{"timestamp":7,"timestamp":7}`:                              "other",
	} {
		if got := Rule(ParseJSON([]byte(data), &Event{})); got != want || !slices.Contains(Rules, got) {
			t.Errorf("%s breaks the rule %q, got %q", data, want, got)
		}
	}
	l := Layout{columns: 5, at: [5]int{0, 1, 2, 3, 4}}
	for row, want := range map[string]string{"1,v,view,i": "columns", `1,"v,view,i,`: "quotes", `1,v"w,view,i,`: "quotes", "x,v,view,i,": "timestamp", "1,v,view,,": "itemid"} {
		if got := Rule(l.ParseRow([]byte(row), &Event{})); got != want || !slices.Contains(Rules, got) {
			t.Errorf("%s breaks the rule %q, got %q", row, want, got)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"timestamp":1433221332117,"visitorid":"257597","event":"view","itemid":"355908","eventid":"0123456789abcdef01234567"}`,
		`{"timestamp":7,"visitorid":"v","event":"transaction","itemid":"<&>\u2028","transactionid":14418}`, `{"timestamp":`, `null`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Event
		err := ParseJSON(data, &e)
		var fast Event
		if scanJSON(data, &fast) { // whatever the scanner reads, encoding/json must read in the same way
			var slow struct {
				Timestamp                                        int64
				VisitorID, Event, ItemID, TransactionID, EventID string
			}
			if jerr := json.Unmarshal(data, &slow); jerr != nil || Event(slow) != fast {
				t.Fatalf("%q: scanned as %+v, but encoding/json says %+v, %v", data, fast, slow, jerr)
			}
		}
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("error %v does not wrap ErrInvalid", err)
			}
			return
		}
		text := AppendJSON(nil, &e)
		var back Event
		if err := ParseJSON(text, &back); err != nil || back != e {
			t.Fatalf("%+v became %s and then %+v, %v", e, text, back, err)
		}
		if !json.Valid(text) {
			t.Fatalf("%s is not JSON", text)
		}
	})
}

func BenchmarkRowToMessage(b *testing.B) {
	l, _ := ParseHeader([]byte("timestamp,visitorid,event,itemid,transactionid"))
	row := []byte("1433221332117,257597,view,355908,")
	src := SourceOf(row, row)
	var id, out []byte
	for b.Loop() {
		var e Event
		if err := l.ParseRow(row, &e); err != nil {
			b.Fatal(err)
		}
		id = src.AppendID(id[:0], 7, row)
		e.EventID = share(id)
		out = AppendJSON(out[:0], &e)
	}
}

func BenchmarkMessageToRow(b *testing.B) {
	data := []byte(`{"timestamp":1433221332117,"visitorid":"257597","event":"view","itemid":"355908","eventid":"0123456789abcdef01234567"}`)
	var out []byte
	for b.Loop() {
		var e Event
		if err := ParseJSON(data, &e); err != nil {
			b.Fatal(err)
		}
		out = AppendBatchRow(out[:0], &e)
	}
}
