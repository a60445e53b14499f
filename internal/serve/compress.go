package serve

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzhttp"
)

// compressed answers in zstd or gzip where the client takes it and the answer is long enough to gain by it.
func compressed(h http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(1400)) // what fits in one packet gains nothing
	if err != nil {
		panic(err) // the options are constants
	}
	return wrap(h)
}

// unchanged gives the answer an ETag, and reports whether the client has this very answer already; then 304 has been sent. The tag
// is weak, for a compressed answer has the same one. Answers name their version, so that a new version never has an old one's tag.
func unchanged(c *gin.Context, body []byte) bool {
	tag := `W/"` + strconv.FormatUint(xxhash.Sum64(body), 36) + `"`
	header := c.Writer.Header()
	header["Etag"] = []string{tag}
	header["Cache-Control"] = noCache
	asked := c.Request.Header["If-None-Match"]
	if len(asked) == 0 || !matches(asked, tag) {
		return false
	}
	c.Writer.WriteHeader(http.StatusNotModified)
	c.Writer.WriteHeaderNow()
	return true
}

// noCache lets a client keep an answer but ask each time whether it still holds; caches for many users may not keep it.
var noCache = []string{"private, no-cache"}

// matches compares as RFC 9110, section 13.1.2, wants it: weakly, one of a list, or "*".
func matches(asked []string, tag string) bool {
	opaque := strings.TrimPrefix(tag, "W/")
	for _, line := range asked {
		for one := range strings.SplitSeq(line, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == opaque {
				return true
			}
		}
	}
	return false
}
