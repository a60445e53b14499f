package serve

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	maxHeaderBytes = 16 << 10
	maxURLBytes    = 16 << 10
	requestIDKey   = "request_id"
)

// around is what every request passes through: it gets an id, is bounded, counted and logged, and a panic becomes an answer.
func (s *Server) around(c *gin.Context) {
	begun := time.Now()
	id := c.Request.Header.Get("X-Request-ID")
	if !validRequestID(id) {
		id = strconv.FormatUint(rand.Uint64()|1<<63, 36) // to find a request in a log, not to keep a secret
	}
	c.Set(requestIDKey, id)
	header := c.Writer.Header()
	header["X-Request-Id"] = []string{id}
	header["X-Content-Type-Options"] = []string{"nosniff"}
	if s.draining.Load() {
		header["Connection"] = []string{"close"}
	}
	defer func() {
		broken := false
		if p := recover(); p != nil {
			broken = s.recovered(c, id, p)
		}
		route := c.FullPath()
		if route == "" {
			route = "none"
		}
		took := time.Since(begun)
		if opened, ok := c.Get(openedKey); ok {
			took = opened.(time.Duration)
		}
		s.metrics.observe(route, c.Writer.Status(), took)
		if s.options.Traces != "" {
			nameSpan(c, route, id)
		}
		if s.options.AccessLog > 0 && (c.Writer.Status() >= 500 || rand.Float64() < s.options.AccessLog) {
			s.log.Info("request", "id", id, "method", c.Request.Method, "route", route, "status", c.Writer.Status(), "bytes", c.Writer.Size(),
				"seconds", took.Seconds(), "remote", c.RemoteIP())
		}
		if broken {
			panic(http.ErrAbortHandler) // breaks the connection off, so that nobody takes what was sent for the whole answer
		}
	}()
	switch {
	case s.origin.Check(c.Request) != nil:
		fail(c, http.StatusForbidden, "", "a page of another site sent this; this API takes what changes something from its own pages and from programs only")
	case len(c.Request.RequestURI) > maxURLBytes:
		fail(c, http.StatusRequestURITooLong, "", fmt.Sprintf("the URL has %d bytes, more than %d", len(c.Request.RequestURI), maxURLBytes))
	case headerBytes(c.Request.Header) > maxHeaderBytes:
		fail(c, http.StatusRequestHeaderFieldsTooLarge, "", fmt.Sprintf("the headers have more than %d bytes", maxHeaderBytes))
	default:
		c.Next()
	}
}

// recovered answers for a request that panicked. Where a part of an answer was sent already, it reports that it is broken.
func (s *Server) recovered(c *gin.Context, id string, p any) (broken bool) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // net/http's own way to break a connection off
	}
	s.log.Error("a request panicked", "id", id, "method", c.Request.Method, "path", c.Request.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if c.Writer.Written() {
		return true
	}
	fail(c, http.StatusInternalServerError, "", "something went wrong here; the log says what, under this request_id")
	return false
}

func headerBytes(header http.Header) (n int) {
	for name, values := range header {
		for _, value := range values {
			n += len(name) + len(value) + len(": \r\n")
		}
	}
	return n
}

// validRequestID accepts the ids that proxies and tracing systems make. Anything else could forge lines in somebody's log.
func validRequestID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == ':' || c == '/' || c == '=' || c == '+') {
			return false
		}
	}
	return true
}
