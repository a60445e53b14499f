// Package event defines what one visitor did to one item, the rules an event must obey, and how it is written: as a row of the
// data set (CSV), as a row of a batch file (CSV with the event's id) and as a Kafka message (JSON).
//
// The package knows nothing of files, brokers or the network.
package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The kinds of event, as the data set's column "event" spells them.
const (
	View        = "view"
	AddToCart   = "addtocart"
	Transaction = "transaction"
)

// Kinds lists the kinds of event in the order of the funnel.
var Kinds = []string{View, AddToCart, Transaction}

const (
	// MaxIDBytes is the longest visitor, item, transaction or event id.
	MaxIDBytes = 128
	// MaxTimestamp is the last millisecond of the year 9999, the latest that RFC 3339 can write.
	MaxTimestamp = 253402300799999
)

// Event is one action of one visitor on one item. Field names follow the data set's columns.
type Event struct {
	Timestamp     int64  // Unix milliseconds, when it happened
	VisitorID     string // opaque, 1 to MaxIDBytes bytes
	Event         string // one of Kinds
	ItemID        string // opaque, 1 to MaxIDBytes bytes
	TransactionID string // opaque, empty unless the event belongs to an order
	EventID       string // opaque, names this event; the same event delivered again bears the same id
}

// ErrInvalid is wrapped by every error that says an event breaks the rules.
var ErrInvalid = errors.New("invalid event")

// Validate reports the first rule that e breaks, as an error that wraps ErrInvalid and names the field.
// The event id may be empty here: a source has none until it is given one.
func (e *Event) Validate() error {
	if e.Timestamp <= 0 || e.Timestamp > MaxTimestamp {
		return fmt.Errorf("%w: timestamp %d is not a Unix time in milliseconds between 1 and %d", ErrInvalid, e.Timestamp, int64(MaxTimestamp))
	}
	if e.Event != View && e.Event != AddToCart && e.Event != Transaction {
		return fmt.Errorf("%w: event %s is none of %s", ErrInvalid, quote(e.Event), strings.Join(Kinds, ", "))
	}
	if err := validID("visitorid", e.VisitorID); err != nil {
		return err
	}
	if err := validID("itemid", e.ItemID); err != nil {
		return err
	}
	if e.TransactionID != "" {
		if err := validID("transactionid", e.TransactionID); err != nil {
			return err
		}
	}
	if e.EventID != "" {
		return validID("eventid", e.EventID)
	}
	return nil
}

// validID is ValidateID for an event's id.
func validID(field, id string) error {
	if err := ValidateID(field, id); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// ValidateID reports why id cannot be an id: empty, longer than MaxIDBytes, not UTF-8, or holding a control character.
// The error begins with the field's name.
func ValidateID(field, id string) error {
	if id == "" {
		return fmt.Errorf("%s is empty", field)
	}
	if len(id) > MaxIDBytes {
		return fmt.Errorf("%s has %d bytes, more than %d: %s", field, len(id), MaxIDBytes, quote(id))
	}
	ascii := true
	for i := 0; i < len(id); i++ {
		c := id[i]
		if c < 0x20 || c == 0x7f {
			return fmt.Errorf("%s holds the control character 0x%02x: %s", field, c, quote(id))
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && !utf8.ValidString(id) {
		return fmt.Errorf("%s is not valid UTF-8: %s", field, quote(id))
	}
	return nil
}

var fields = []string{"timestamp", "visitorid", "event", "itemid", "transactionid", "eventid"}

// Rules are all that Rule may say.
var Rules = append(slices.Clone(fields), "not JSON", "columns", "quotes", "line length", "other")

// Rule names in a word or two the rule that an error of Validate, ParseRow or ParseJSON says is broken, for counting by reason.
func Rule(err error) string {
	text := strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": ")
	if word, _, _ := strings.Cut(text, " "); slices.Contains(fields, word) {
		return word
	}
	for _, r := range []struct{ begins, rule string }{
		{"the message is not", "not JSON"}, {"text after", "not JSON"}, {"the row has", "columns"}, {"a quote", "quotes"}, {"column", "quotes"}, {"the line has", "line length"},
	} {
		if strings.HasPrefix(text, r.begins) {
			return r.rule
		}
	}
	return "other"
}

// quote renders a value for a message: escaped, and cut so that a 10 MB field cannot flood a log.
func quote(s string) string {
	const most = 48
	if len(s) > most {
		return fmt.Sprintf("%q… (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}
