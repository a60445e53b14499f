package serve

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/event"
	"cartwheel/internal/recommend"
)

var jsonType = []string{"application/json"}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// answerItems writes a list of items. It is written by hand because it is most of what the server does.
func answerItems(c *gin.Context, v *served, a recommend.Answer) {
	buffer := buffers.Get().(*[]byte)
	b := append((*buffer)[:0], `{"model_version":`...)
	b = event.AppendString(b, v.version)
	b = append(b, ',')
	b = appendList(b, a)
	b = append(b, "}\n"...)
	answerBytes(c, b)
	*buffer = b
	buffers.Put(buffer)
}

// answerBytes writes JSON that is ready, or that it is what the client has already.
func answerBytes(c *gin.Context, b []byte) {
	if c.Request.Method != http.MethodPost && unchanged(c, b) {
		return
	}
	header := c.Writer.Header()
	header["Content-Type"] = jsonType
	header["Content-Length"] = []string{strconv.Itoa(len(b))}
	c.Writer.WriteHeader(http.StatusOK)
	_, _ = c.Writer.Write(b) // whoever has gone away needs no answer
}

// appendList appends the members "strategy" and "items".
func appendList(b []byte, a recommend.Answer) []byte {
	b = append(b, `"strategy":`...)
	b = event.AppendString(b, a.Strategy)
	b = append(b, `,"items":[`...)
	for i, item := range a.Items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"itemid":`...)
		b = event.AppendString(b, item.ID)
		b = append(b, `,"score":`...)
		b = strconv.AppendFloat(b, item.Score, 'g', -1, 64)
		if item.Because != nil {
			b = append(b, `,"because":[`...)
			for j, share := range item.Because {
				if j > 0 {
					b = append(b, ',')
				}
				b = append(b, `{"itemid":`...)
				b = event.AppendString(b, share.ID)
				b = append(b, `,"share":`...)
				b = strconv.AppendFloat(b, share.Share, 'g', -1, 64)
				b = append(b, '}')
			}
			b = append(b, ']')
		}
		if item.Categories != nil {
			b = append(b, `,"categories":[`...)
			for j, category := range item.Categories {
				if j > 0 {
					b = append(b, ',')
				}
				b = event.AppendString(b, category)
			}
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// answerJSON writes anything else.
func answerJSON(c *gin.Context, status int, body any) {
	c.Header("Cache-Control", "no-store")
	c.Data(status, "application/json", encode(body))
}

func encode(body any) []byte {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // an answer that cannot be encoded is a fault in this program
	}
	return append(data, '\n')
}
