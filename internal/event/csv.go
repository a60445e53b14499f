package event

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"
)

// Columns are the data set's columns, in its own order. A source may have them in any order, and others beside them.
var Columns = []string{"timestamp", "visitorid", "event", "itemid", "transactionid"}

// Layout says where a source keeps each column. It follows from the source's header line.
type Layout struct {
	columns int
	at      [5]int // position of Columns[i]
}

// ErrHeader is wrapped by every error about a source's header line.
var ErrHeader = errors.New("bad header")

const bom = "\uFEFF"

// ParseHeader reads a source's first line, without its line end. A byte order mark is passed over.
func ParseHeader(line []byte) (Layout, error) {
	line = bytes.TrimPrefix(line, []byte(bom))
	var fields [][]byte
	fields, err := splitRow(line, fields)
	if err != nil {
		return Layout{}, fmt.Errorf("%w: %v", ErrHeader, err)
	}
	l := Layout{columns: len(fields)}
	var missing []string
	for i, name := range Columns {
		l.at[i] = -1
		for j, f := range fields {
			if string(bytes.TrimSpace(f)) != name {
				continue
			}
			if l.at[i] >= 0 {
				return Layout{}, fmt.Errorf("%w: column %s occurs twice", ErrHeader, name)
			}
			l.at[i] = j
		}
		if l.at[i] < 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return Layout{}, fmt.Errorf("%w: no column %s in the first line %s; it must name the columns %s (any order)",
			ErrHeader, strings.Join(missing, ", "), quote(string(line)), strings.Join(Columns, ","))
	}
	return l, nil
}

// ParseRow reads one line of a source, without its line end, into e, and validates it. The event has no id yet.
// Its fields may share line's memory: they hold as long as line is not overwritten. Errors wrap ErrInvalid.
//
// A row is a line: a quoted field must end on the line that it began on, for no field of an event may hold a line break. So one
// stray quote costs one row and not the rest of the file.
func (l *Layout) ParseRow(line []byte, e *Event) error {
	var room [16][]byte
	fields, err := splitRow(line, room[:0])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(fields) != l.columns {
		return fmt.Errorf("%w: the row has %d columns, the header has %d", ErrInvalid, len(fields), l.columns)
	}
	ts := fields[l.at[0]]
	n, ok := parseMillis(ts)
	if !ok {
		return fmt.Errorf("%w: timestamp %s is not a Unix time in milliseconds", ErrInvalid, quote(string(ts)))
	}
	*e = Event{
		Timestamp:     n,
		VisitorID:     share(fields[l.at[1]]),
		Event:         kindOf(fields[l.at[2]]),
		ItemID:        share(fields[l.at[3]]),
		TransactionID: share(wholeNumber(fields[l.at[4]])),
	}
	return e.Validate()
}

// ParseTimestamp reads nothing but the time of a row, for whoever plays a source by its own clock.
func (l *Layout) ParseTimestamp(line []byte) (int64, bool) {
	if l.at[0] == 0 { // where the data set has it
		first, _, _ := bytes.Cut(line, []byte(","))
		if n, ok := parseMillis(first); ok {
			return n, true
		}
	}
	fields, err := splitRow(line, nil)
	if err != nil || len(fields) <= l.at[0] {
		return 0, false
	}
	return parseMillis(fields[l.at[0]])
}

// BatchHeader is the first line of every batch file, without its line end.
const BatchHeader = "timestamp,visitorid,event,itemid,transactionid,eventid"

// AppendBatchRow appends the event as a line of a batch file, line end included.
func AppendBatchRow(dst []byte, e *Event) []byte {
	dst = strconv.AppendInt(dst, e.Timestamp, 10)
	dst = append(dst, ',')
	dst = appendField(dst, e.VisitorID)
	dst = append(dst, ',')
	dst = appendField(dst, e.Event)
	dst = append(dst, ',')
	dst = appendField(dst, e.ItemID)
	dst = append(dst, ',')
	dst = appendField(dst, e.TransactionID)
	dst = append(dst, ',')
	dst = appendField(dst, e.EventID)
	return append(dst, '\n')
}

// ParseBatchRow reads a line of a batch file, without its line end. Fields may share line's memory. Errors wrap ErrInvalid.
func ParseBatchRow(line []byte, e *Event) error {
	l := Layout{columns: 6, at: [5]int{0, 1, 2, 3, 4}}
	if err := l.ParseRow(line, e); err != nil {
		return err
	}
	fields, err := splitRow(line, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	e.EventID = share(fields[5])
	return validID("eventid", e.EventID)
}

// splitRow appends the fields of one line to fields, by RFC 4180.
func splitRow(line []byte, fields [][]byte) ([][]byte, error) {
	if bytes.IndexByte(line, '"') < 0 {
		for {
			i := bytes.IndexByte(line, ',')
			if i < 0 {
				return append(fields, line), nil
			}
			fields = append(fields, line[:i])
			line = line[i+1:]
		}
	}
	for {
		var field []byte
		if len(line) > 0 && line[0] == '"' {
			end, escaped := 1, false
			for {
				i := bytes.IndexByte(line[end:], '"')
				if i < 0 {
					return nil, errors.New("a quote is not closed on its line (no field may hold a line break)")
				}
				end += i
				if end+1 < len(line) && line[end+1] == '"' {
					escaped = true
					end += 2
					continue
				}
				break
			}
			field, line = line[1:end], line[end+1:]
			if escaped {
				field = bytes.ReplaceAll(field, []byte(`""`), []byte(`"`))
			}
			if len(line) > 0 && line[0] != ',' {
				return nil, fmt.Errorf("column %d has text after its closing quote", len(fields)+1)
			}
		} else {
			i := bytes.IndexByte(line, ',')
			if i < 0 {
				i = len(line)
			}
			field, line = line[:i], line[i:]
			if bytes.IndexByte(field, '"') >= 0 {
				return nil, fmt.Errorf("column %d has a quote inside an unquoted field", len(fields)+1)
			}
		}
		fields = append(fields, field)
		if len(line) == 0 {
			return fields, nil
		}
		line = line[1:]
	}
}

func appendField(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ',', '"', '\n', '\r':
			dst = append(dst, '"')
			dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
			return append(dst, '"')
		}
	}
	return append(dst, s...)
}

func parseMillis(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// wholeNumber turns "14418.0" into "14418": data frames write a column of whole numbers with gaps as floating point.
func wholeNumber(b []byte) []byte {
	i := bytes.IndexByte(b, '.')
	if i <= 0 || i == len(b)-1 {
		return b
	}
	for j, c := range b {
		if j < i && (c < '0' || c > '9') || j > i && c != '0' {
			return b
		}
	}
	return b[:i]
}

// kindOf avoids keeping a source's buffer alive for a word that is known.
func kindOf(b []byte) string {
	switch string(b) {
	case View:
		return View
	case AddToCart:
		return AddToCart
	case Transaction:
		return Transaction
	}
	return string(b)
}

// share is the string whose memory is b's.
func share(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
