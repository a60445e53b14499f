package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// maxBodyBytes bounds the body of a request.
const maxBodyBytes = 1 << 20

// readJSON reads the body into a value, strictly: JSON in UTF-8, one value, no member that is unknown or comes twice. Where that
// is not so it answers, and returns false.
func readJSON(c *gin.Context, into any) bool {
	if kind, _, err := mime.ParseMediaType(c.ContentType()); err != nil || kind != "application/json" {
		c.Header("Accept", "application/json")
		fail(c, http.StatusUnsupportedMediaType, "", fmt.Sprintf("the body's Content-Type is %s, not application/json", show(c.ContentType())))
		return false
	}
	data, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		fail(c, http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the body has more than %d bytes", maxBodyBytes))
	case errors.Is(err, os.ErrDeadlineExceeded):
		fail(c, http.StatusRequestTimeout, "", "the body did not come in time")
	case err != nil:
		fail(c, http.StatusBadRequest, "", fmt.Sprintf("the body broke off: %v", err))
	default:
		if bad := decodeJSON(data, into); bad != nil {
			refuse(c, bad)
			return false
		}
		return true
	}
	return false
}

func decodeJSON(data []byte, into any) *badField {
	if !utf8.Valid(data) {
		return &badField{detail: "the body is not valid UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var wrongType *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrongType):
			return &badField{field: wrongType.Field, detail: fmt.Sprintf("the body's %s is a %s, which does not fit there", wrongType.Field, wrongType.Value)}
		case errors.Is(err, io.EOF):
			return &badField{detail: "the body is empty"}
		case errors.Is(err, io.ErrUnexpectedEOF):
			return &badField{detail: "the body is JSON that breaks off"}
		}
		return &badField{detail: fmt.Sprintf("the body cannot be read: %v", err)}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &badField{detail: "the body goes on after its JSON value"}
	}
	if name, twice := repeated(json.NewDecoder(bytes.NewReader(data))); twice {
		return &badField{field: name, detail: fmt.Sprintf("the body has the member %s twice", show(name))}
	}
	return nil
}

// repeated looks for an object with two members of one name, of which encoding/json would silently take the last. It reads one
// value, which is known to be JSON.
func repeated(d *json.Decoder) (name string, twice bool) {
	type level struct {
		names map[string]bool // nil for an array
		value bool            // in an object: whether a value comes next
	}
	var levels []level
	for {
		t, err := d.Token()
		if err != nil {
			return "", false
		}
		top := len(levels) - 1
		if name, ok := t.(string); ok && top >= 0 && levels[top].names != nil && !levels[top].value {
			if levels[top].names[name] {
				return name, true
			}
			levels[top].names[name] = true
			levels[top].value = true
			continue
		}
		if top >= 0 {
			levels[top].value = false
		}
		switch t {
		case json.Delim('{'):
			levels = append(levels, level{names: map[string]bool{}})
		case json.Delim('['):
			levels = append(levels, level{})
		case json.Delim('}'), json.Delim(']'):
			levels = levels[:top]
		}
	}
}
