package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// Topic is the Kafka topic of events, unless a program is told another.
const Topic = "retail.events.v1"

// SchemaName names the JSON form of an event, as the message header "schema" carries it.
const SchemaName = "retail.event/1"

// ContentType is the message header "content-type".
const ContentType = "application/json"

// AppendJSON appends the event as a JSON object, with the data set's column names and without a transactionid if there is none.
func AppendJSON(dst []byte, e *Event) []byte {
	dst = append(dst, `{"timestamp":`...)
	dst = strconv.AppendInt(dst, e.Timestamp, 10)
	dst = append(dst, `,"visitorid":`...)
	dst = AppendString(dst, e.VisitorID)
	dst = append(dst, `,"event":`...)
	dst = AppendString(dst, e.Event)
	dst = append(dst, `,"itemid":`...)
	dst = AppendString(dst, e.ItemID)
	if e.TransactionID != "" {
		dst = append(dst, `,"transactionid":`...)
		dst = AppendString(dst, e.TransactionID)
	}
	if e.EventID != "" {
		dst = append(dst, `,"eventid":`...)
		dst = AppendString(dst, e.EventID)
	}
	return append(dst, '}')
}

// ParseJSON reads an event and validates it. Fields may share data's memory: they hold as long as data is not overwritten.
// Ids may be strings or whole numbers; unknown fields are passed over; a field that occurs twice is an error. Errors wrap ErrInvalid.
//
// What AppendJSON writes is read by a scanner of its own, which gives up on anything else, and then encoding/json decides.
func ParseJSON(data []byte, e *Event) error {
	*e = Event{}
	if !scanJSON(data, e) {
		*e = Event{}
		if err := decodeJSON(data, e); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return e.Validate()
}

// scanJSON reads an object in the order and spelling of AppendJSON, without escapes. false means "not that form", not "wrong".
func scanJSON(b []byte, e *Event) bool {
	const head = `{"timestamp":`
	if len(b) < len(head) || string(b[:len(head)]) != head {
		return false
	}
	b = b[len(head):]
	i := bytes.IndexByte(b, ',')
	if i <= 0 || b[0] == '0' {
		return false
	}
	var ok bool
	if e.Timestamp, ok = parseMillis(b[:i]); !ok {
		return false
	}
	b = b[i:]
	var v []byte
	if v, b, ok = scanField(b, `,"visitorid":"`); !ok {
		return false
	}
	e.VisitorID = share(v)
	if v, b, ok = scanField(b, `,"event":"`); !ok {
		return false
	}
	e.Event = kindOf(v)
	if v, b, ok = scanField(b, `,"itemid":"`); !ok {
		return false
	}
	e.ItemID = share(v)
	if v, rest, ok := scanField(b, `,"transactionid":"`); ok {
		e.TransactionID, b = share(v), rest
	}
	if v, rest, ok := scanField(b, `,"eventid":"`); ok {
		e.EventID, b = share(v), rest
	}
	return len(b) == 1 && b[0] == '}'
}

// scanField reads `<name>value"` where the value is plain ASCII without escapes, which needs no check or translation.
func scanField(b []byte, name string) (value, rest []byte, ok bool) {
	if len(b) < len(name) || string(b[:len(name)]) != name {
		return nil, b, false
	}
	v := b[len(name):]
	for i, c := range v {
		if c == '"' {
			return v[:i], v[i+1:], true
		}
		if c == '\\' || c < 0x20 || c >= utf8.RuneSelf {
			break
		}
	}
	return nil, b, false
}

// decodeJSON reads any JSON object that means an event.
func decodeJSON(data []byte, e *Event) error {
	if !utf8.Valid(data) {
		return errors.New("the message is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return notJSON(data, err)
	}
	if t != json.Delim('{') {
		return fmt.Errorf("the message is not a JSON object: %s", quote(string(data)))
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return notJSON(data, err)
		}
		name := t.(string)
		if seen[name] {
			return fmt.Errorf("field %s occurs twice", quote(name))
		}
		seen[name] = true
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return notJSON(data, err)
		}
		if err := e.setField(name, raw); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return notJSON(data, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the end of the JSON object")
	}
	return nil
}

func (e *Event) setField(name string, raw json.RawMessage) error {
	var into *string
	switch name {
	case "timestamp":
		n, ok := parseMillis(raw)
		if !ok {
			return fmt.Errorf("timestamp %s is not a Unix time in milliseconds", quote(string(raw)))
		}
		e.Timestamp = n
		return nil
	case "visitorid":
		into = &e.VisitorID
	case "event":
		into = &e.Event
	case "itemid":
		into = &e.ItemID
	case "transactionid":
		into = &e.TransactionID
	case "eventid":
		into = &e.EventID
	default:
		return nil
	}
	switch {
	case raw[0] == '"':
		return json.Unmarshal(raw, into)
	case string(raw) == "null":
		return nil
	case isWhole(raw) && name != "event":
		*into = string(raw)
		return nil
	}
	return fmt.Errorf("%s is neither a string nor a whole number: %s", name, quote(string(raw)))
}

func isWhole(raw []byte) bool {
	for _, c := range raw {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func notJSON(data []byte, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the message is not valid JSON: %v: %s", err, quote(string(data)))
}

// AppendString appends a JSON string. What a valid id cannot hold is still escaped, so that the result is always JSON.
func AppendString(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // a string always has a JSON form
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
