package serve

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"
)

// problem is the body of every error, after RFC 9457. Field names the parameter or the member of the body that is at fault.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Field     string `json:"field,omitempty"`
	RequestID string `json:"request_id"`
}

// fail answers with a problem and ends the request.
func fail(c *gin.Context, status int, field, detail string) {
	body, err := json.Marshal(problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Field: field,
		RequestID: c.GetString(requestIDKey)})
	if err != nil {
		panic(err) // strings and a number always have a JSON form
	}
	c.Header("Cache-Control", "no-store")
	c.Data(status, "application/problem+json", append(body, '\n'))
	c.Abort()
}

// badField is an error in one parameter or member of the body.
type badField struct {
	field  string
	detail string
	status int // 400 if 0
}

func refuse(c *gin.Context, bad *badField) {
	fail(c, cmp.Or(bad.status, http.StatusBadRequest), bad.field, bad.detail)
}

func (e *badField) Error() string { return e.detail }
