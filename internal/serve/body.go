package serve

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxBodyBytes bounds the body of a request.
const maxBodyBytes = 1 << 20

// readJSON reads the body into a value, strictly: JSON in UTF-8, one value, no null, no member that is unknown or comes twice. Where
// that is not so it answers, and returns false.
func readJSON(c *gin.Context, into any) bool {
	data, _, ok := readBody(c, "application/json")
	if !ok {
		return false
	}
	bad := crowded(data)
	if bad == nil {
		bad = decodeJSON(data, into)
	}
	if bad != nil {
		refuse(c, bad)
		return false
	}
	return true
}

// readBody reads a body of one of these media types, and says of which. Where that is not what came it answers, and returns false.
func readBody(c *gin.Context, types ...string) (data []byte, kind string, ok bool) {
	kind, _, err := mime.ParseMediaType(c.ContentType())
	if err != nil || !slices.Contains(types, kind) {
		c.Header("Accept", strings.Join(types, ", "))
		fail(c, http.StatusUnsupportedMediaType, "", fmt.Sprintf("the body's Content-Type is %s, not %s", show(c.ContentType()), strings.Join(types, " or ")))
		return nil, "", false
	}
	if encoding := c.Request.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		c.Header("Accept-Encoding", "identity")
		fail(c, http.StatusUnsupportedMediaType, "", fmt.Sprintf("the body's Content-Encoding is %s: send it as it is", show(encoding)))
		return nil, "", false
	}
	data, err = io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return data, kind, true
	case errors.As(err, &tooLarge):
		fail(c, http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the body has more than %d bytes", maxBodyBytes))
	case errors.Is(err, os.ErrDeadlineExceeded):
		fail(c, http.StatusRequestTimeout, "", "the body did not come in time")
	default:
		fail(c, http.StatusBadRequest, "", fmt.Sprintf("the body broke off: %v", err))
	}
	return nil, "", false
}

// maxEntries is how many entries an array or an object in a body may have.
const maxEntries = 1000

// crowded refuses a body in which an array or an object has too many entries, before it is read into values, which would take a
// hundred times the room: half a million entries fit into a body. A small body is left to whoever reads it, and so is one that is not JSON.
func crowded(data []byte) *badField {
	if len(data) < 16<<10 {
		return nil
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(data))
	for _, err := d.ReadToken(); err == nil; _, err = d.ReadToken() {
		kind, n := d.StackIndex(d.StackDepth())
		if kind == '{' {
			n /= 2 // names and values
		}
		if n <= maxEntries {
			continue
		}
		field := fieldAt(d.StackPointer().Parent())
		return &badField{field: field, detail: fmt.Sprintf("%s has more than %d entries", cmp.Or(field, "the body"), maxEntries)}
	}
	return nil
}

// decodeJSON reads one JSON value, as strictly as readJSON says.
func decodeJSON(data []byte, into any, more ...json.Options) *badField {
	err := json.Unmarshal(data, into, json.RejectUnknownMembers(true), json.JoinOptions(more...))
	var meaning *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil && hasNull(data):
		return &badField{detail: "the body holds a null: leave out what is not known"}
	case err == nil:
		return nil
	case len(bytes.TrimSpace(data)) == 0:
		return &badField{detail: "the body is empty"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &badField{detail: "the body is JSON that breaks off"}
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		return &badField{field: fieldAt(syntax.JSONPointer), detail: fmt.Sprintf("the body has the member %s twice", show(syntax.JSONPointer.LastToken()))}
	case errors.As(err, &syntax):
		return &badField{detail: fmt.Sprintf("the body is not JSON: %v, at byte %d", syntax.Err, syntax.ByteOffset)}
	case errors.As(err, &meaning):
		bad := &badField{field: fieldAt(meaning.JSONPointer)}
		switch {
		case errors.Is(err, json.ErrUnknownName):
			bad.detail = fmt.Sprintf("there is no member %s here", show(meaning.JSONPointer.LastToken()))
		case meaning.JSONKind == 0 && meaning.Err != nil:
			bad.detail = meaning.Err.Error()
		case meaning.JSONKind == 'n':
			bad.detail = "the body holds a null: leave out what is not known"
		case bad.field == "":
			bad.detail = fmt.Sprintf("the body is %s, which does not fit", kindName(meaning.JSONKind))
		default:
			bad.detail = fmt.Sprintf("the body's %s is %s, which does not fit there", bad.field, kindName(meaning.JSONKind))
		}
		return bad
	}
	return &badField{detail: fmt.Sprintf("the body cannot be read: %v", err)}
}

// kindName names a kind of JSON value in a sentence.
func kindName(kind jsontext.Kind) string {
	switch kind {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '0':
		return "a number"
	default:
		return "a " + kind.String() // string, true, false
	}
}

// fieldAt writes a place in a body as other answers do: events[3].itemid.
func fieldAt(place jsontext.Pointer) string {
	var field strings.Builder
	for token := range place.Tokens() {
		switch _, err := strconv.Atoi(token); {
		case err == nil:
			fmt.Fprintf(&field, "[%s]", token)
		case field.Len() > 0:
			field.WriteString("." + token)
		default:
			field.WriteString(token)
		}
	}
	if field.Len() > maxField {
		return ""
	}
	return field.String()
}

// maxField bounds the name of a field in an answer: a client may have made it up.
const maxField = 200

// hasNull looks for a null, which would be taken for a member that is not there. The data is known to be one JSON value.
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
