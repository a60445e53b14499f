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

// readJSON reads the body into a value, strictly: JSON in UTF-8, one value, no null, no member that is unknown or comes twice. Where
// that is not so it answers, and returns false.
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
	if hasNull(data) {
		return &badField{detail: "the body holds a null: leave out what is not known"}
	}
	if name, twice := repeated(data); twice {
		return &badField{field: name, detail: fmt.Sprintf("the body has the member %s twice", show(name))}
	}
	return nil
}

// hasNull looks for a null, which encoding/json would take for a member that is not there. The data is known to be one JSON value.
func hasNull(data []byte) bool {
	if !bytes.Contains(data, []byte("null")) {
		return false
	}
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case 'n': // outside of a string nothing else has one
			return true
		case '"':
			for i++; data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		}
	}
	return false
}

// repeated looks for an object with two members of one name, of which encoding/json would silently take the last. The data is known to
// be one JSON value. It reads no more of it than it must: this is done for every body.
func repeated(data []byte) (member string, twice bool) {
	type level struct {
		object bool
		names  map[string]bool // of the object's members so far
	}
	var levels []level      // around what is read; those further in are kept for what comes
	depth, name := 0, false // how many are around; whether a string would be a name
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth == len(levels) {
				levels = append(levels, level{})
			}
			levels[depth].object = data[i] == '{'
			clear(levels[depth].names)
			name = levels[depth].object
			depth++
		case '}', ']':
			depth--
		case ',':
			name = levels[depth-1].object
		case '"':
			start := i
			for i++; data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			if !name {
				continue
			}
			name = false
			top := &levels[depth-1]
			text := unquoted(data[start : i+1])
			if top.names[string(text)] {
				return string(text), true
			}
			if top.names == nil {
				top.names = map[string]bool{}
			}
			top.names[string(text)] = true
		}
	}
	return "", false
}

// unquoted is the text of a JSON string.
func unquoted(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		panic(err) // it was read once already
	}
	return []byte(text)
}
