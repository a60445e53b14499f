package event_test

import (
	"errors"
	"strings"
	"testing"

	"cartwheel/internal/event"
)

const header = "timestamp,visitorid,event,itemid,transactionid"

func TestParseRow(t *testing.T) {
	for name, c := range map[string]struct {
		header, row string
		want        event.Event
	}{
		"as the data set has it": {header, "1433221332117,257597,view,355908,", event.Event{Timestamp: 1433221332117, VisitorID: "257597", Event: "view", ItemID: "355908"}},
		"a purchase":             {header, "1433222276276,599528,transaction,356475,4000", event.Event{Timestamp: 1433222276276, VisitorID: "599528", Event: "transaction", ItemID: "356475", TransactionID: "4000"}},
		"a float of a data frame": {header, "1433222276276,599528,transaction,356475,14418.0",
			event.Event{Timestamp: 1433222276276, VisitorID: "599528", Event: "transaction", ItemID: "356475", TransactionID: "14418"}},
		"an id with a real fraction stays": {header, "1,v,transaction,i,144.5", event.Event{Timestamp: 1, VisitorID: "v", Event: "transaction", ItemID: "i", TransactionID: "144.5"}},
		"another column order":             {"event,itemid,transactionid,timestamp,visitorid", "view,85123A,,7,v", event.Event{Timestamp: 7, VisitorID: "v", Event: "view", ItemID: "85123A"}},
		"further columns":                  {"x," + header + ",y", "?,7,v,view,i,,\"a, b\"", event.Event{Timestamp: 7, VisitorID: "v", Event: "view", ItemID: "i"}},
		"a byte order mark":                {"\uFEFF" + header, "7,v,view,i,", event.Event{Timestamp: 7, VisitorID: "v", Event: "view", ItemID: "i"}},
		"quotes":                           {`"timestamp","visitorid",event,itemid,transactionid`, `"7","a ""b"", c",view,"i",""`, event.Event{Timestamp: 7, VisitorID: `a "b", c`, Event: "view", ItemID: "i"}},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := event.ParseHeader([]byte(c.header))
			if err != nil {
				t.Fatal(err)
			}
			var got event.Event
			if err := l.ParseRow([]byte(c.row), &got); err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if ts, ok := l.ParseTimestamp([]byte(c.row)); !ok || ts != c.want.Timestamp {
				t.Errorf("ParseTimestamp gives %d, %v", ts, ok)
			}
		})
	}
}

func TestParseRowRefuses(t *testing.T) {
	l, err := event.ParseHeader([]byte(header))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ row, says string }{
		"too few columns":      {"7,v,view,i", "the row has 4 columns, the header has 5"},
		"100 columns":          {"7,v,view,i," + strings.Repeat(",", 95), "the row has 100 columns, the header has 5"},
		"no time":              {",v,view,i,", `timestamp "" is not a Unix time`},
		"a time in words":      {"yesterday,v,view,i,", `timestamp "yesterday" is not a Unix time`},
		"a negative time":      {"-7,v,view,i,", `timestamp "-7"`},
		"time zero":            {"0,v,view,i,", "timestamp 0 is not"},
		"beyond year 9999":     {"253402300800000,v,view,i,", "timestamp 253402300800000 is not"},
		"another kind":         {"7,v,click,i,", `event "click" is none of view, addtocart, transaction`},
		"no visitor":           {"7,,view,i,", "visitorid is empty"},
		"no item":              {"7,v,view,,", "itemid is empty"},
		"a NUL byte":           {"7,v\x00,view,i,", "visitorid holds the control character 0x00"},
		"not UTF-8":            {"7,v,view,\xff\xfe,", "itemid is not valid UTF-8"},
		"a long id":            {"7," + strings.Repeat("v", 129) + ",view,i,", "visitorid has 129 bytes, more than 128"},
		"an open quote":        {`7,"v,view,i,`, "a quote is not closed on its line"},
		"a quote inside":       {`7,v"w,view,i,`, "column 2 has a quote inside an unquoted field"},
		"text after the quote": {`7,"v"w,view,i,`, "column 2 has text after its closing quote"},
	} {
		t.Run(name, func(t *testing.T) {
			var e event.Event
			err := l.ParseRow([]byte(c.row), &e)
			if !errors.Is(err, event.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if err != nil && len(err.Error()) > 300 {
				t.Errorf("a message of %d bytes: it should be cut", len(err.Error()))
			}
		})
	}
}

func TestParseHeaderRefuses(t *testing.T) {
	for header, says := range map[string]string{
		"1433221332117,257597,view,355908,":                        "no column timestamp, visitorid, event, itemid, transactionid",
		"timestamp,visitorid,event,itemid":                         "no column transactionid",
		"timestamp,timestamp,visitorid,event,itemid,transactionid": "column timestamp occurs twice",
		"\x00\x00\x00":         "no column",
		`"timestamp,visitorid`: "a quote is not closed",
	} {
		if _, err := event.ParseHeader([]byte(header)); !errors.Is(err, event.ErrHeader) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", header, err, says)
		}
	}
}

func TestEventIDs(t *testing.T) {
	source := event.SourceOf([]byte(header), []byte("7,v,view,i,"))
	row := []byte("8,v,view,i,")
	id := string(source.AppendID(nil, 3, row))
	if len(id) != event.IDBytes || strings.Trim(id, "0123456789abcdef") != "" {
		t.Errorf("id %q is not %d hex digits", id, event.IDBytes)
	}
	if again := string(source.AppendID(nil, 3, row)); again != id {
		t.Errorf("the same row has the ids %s and %s", id, again)
	}
	other := event.SourceOf([]byte(header), []byte("7,v,view,j,"))
	for name, x := range map[string][]byte{
		"a duplicate on another line":     source.AppendID(nil, 4, row),
		"another row on the same line":    source.AppendID(nil, 3, []byte("9,v,view,i,")),
		"the same row of another source":  other.AppendID(nil, 3, row),
		"a row longer than its scratch ":  source.AppendID(nil, 3, []byte(strings.Repeat("x", 5000))),
		"a longer row with the same head": source.AppendID(nil, 3, []byte(strings.Repeat("x", 5001))),
	} {
		if string(x) == id {
			t.Errorf("%s has the same id", name)
		}
	}
}

func FuzzCSVRow(f *testing.F) {
	l, err := event.ParseHeader([]byte(header))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"1433221332117,257597,view,355908,", `7,"a ""b"", c",transaction,é,14418.0`, "7,v\x00,view,i,", strings.Repeat(",", 99), `"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		if strings.Contains(string(row), "\n") {
			return // a row is a line
		}
		var e event.Event
		if err := l.ParseRow(row, &e); err != nil {
			if !errors.Is(err, event.ErrInvalid) {
				t.Fatalf("error %v does not wrap ErrInvalid", err)
			}
			return
		}
		e.EventID = "0123456789abcdef01234567"
		line := event.AppendBatchRow(nil, &e)
		if line[len(line)-1] != '\n' || strings.Count(string(line), "\n") != 1 {
			t.Fatalf("%q is not one line", line)
		}
		var back event.Event
		if err := event.ParseBatchRow(line[:len(line)-1], &back); err != nil {
			t.Fatalf("%q, written for %+v, cannot be read: %v", line, e, err)
		}
		if back != e {
			t.Fatalf("%+v became %+v", e, back)
		}
	})
}
