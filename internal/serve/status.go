package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzhttp"

	"cartwheel/internal/dashboard"
	"cartwheel/internal/status"
)

const (
	statusEvery = 2 * time.Second
	maxStreams  = 32
	// heartbeat is how often a stream says something where there is nothing new, so that what is between does not take it for dead.
	heartbeat = 15 * time.Second
	// streamWrite bounds one write: whoever does not read is let go.
	streamWrite = 10 * time.Second
)

// openedKey holds how long a stream took to begin, which is what its request took: how long somebody looks is no latency.
const openedKey = "opened"

// watching sets up what the dashboard is told.
func (s *Server) watching() {
	s.gatherer = status.New(status.Options{DataDir: s.options.DataDir, Kafka: s.options.Kafka, Topic: s.options.Topic, Group: s.options.Group, API: s.standing})
	s.watcher = status.NewWatcher(s.gatherer.Now, statusEvery, maxStreams)
	s.stopping = make(chan struct{})
}

// standing is how this server stands.
func (s *Server) standing() status.API {
	a := status.API{UptimeSeconds: time.Since(s.started).Seconds(), Requests: s.metrics.answered.Load(), Failed: s.metrics.failed.Load()}
	if fault := s.champion.fault.Load(); fault != nil {
		a.Detail = *fault
	}
	if now := s.champion.current.Load(); now != nil {
		a.Version = now.version
		a.Ready = !s.draining.Load()
		if lagging := s.lagging(); lagging != "" {
			a.Ready, a.Detail = false, lagging
		}
	}
	if s.live != nil {
		_, behind := s.live.Lag()
		a.LiveEvents, a.LiveLagSeconds = s.live.Applied.Load(), behind.Seconds()
	}
	return a
}

// status answers GET /v1/status.
func (s *Server) status(c *gin.Context) {
	if _, bad := query(c); bad != nil {
		refuse(c, bad)
		return
	}
	answerJSON(c, http.StatusOK, s.gatherer.Now(c.Request.Context()))
}

// statusStream answers GET /v1/status/stream: the status again and again, as server-sent events, until the client leaves or the
// server stops.
func (s *Server) statusStream(c *gin.Context) {
	if _, bad := query(c); bad != nil {
		refuse(c, bad)
		return
	}
	begun := time.Now()
	updates, leave, err := s.watcher.Watch()
	if err != nil {
		c.Header("Retry-After", "10")
		fail(c, http.StatusServiceUnavailable, "", fmt.Sprintf("%d streams are open, and no more may be; GET /v1/status tells the same once", maxStreams))
		return
	}
	defer leave()
	connection := http.NewResponseController(c.Writer)
	_ = connection.SetReadDeadline(time.Time{}) // the server's is for requests that end
	header := c.Writer.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // to proxies that would wait for the end
	header.Set(gzhttp.HeaderNoCompression, "1")
	write := func(text string) bool {
		_ = connection.SetWriteDeadline(time.Now().Add(streamWrite))
		if _, err := c.Writer.WriteString(text); err != nil {
			return false
		}
		return connection.Flush() == nil
	}
	if !write("retry: 2000\n\n") {
		return
	}
	c.Set(openedKey, time.Since(begun))
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		text := ": alive\n\n"
		select {
		case <-c.Request.Context().Done():
			return
		case <-s.stopping:
			_ = write("event: bye\ndata: {}\n\n")
			return
		case now := <-updates:
			data, err := json.Marshal(now)
			if err != nil {
				panic(err) // a status always has a JSON form
			}
			text = "event: status\ndata: " + string(data) + "\n\n"
		case <-alive.C:
		}
		if !write(text) {
			return
		}
	}
}

// dashboard answers GET /, and asset what the page is made of. Both are for everybody: they hold no data.
func (s *Server) dashboard(c *gin.Context) { serveAsset(c, dashboard.PageName) }

func (s *Server) asset(c *gin.Context) { serveAsset(c, c.Param("file")) }

func serveAsset(c *gin.Context, name string) {
	a, ok := dashboard.Assets[name]
	if !ok {
		fail(c, http.StatusNotFound, "file", "the dashboard has no file of this name")
		return
	}
	header := c.Writer.Header()
	header.Set("Content-Security-Policy", dashboard.Policy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-cache") // another program may have other files
	header.Set("ETag", a.Tag)
	if matches(c.Request.Header["If-None-Match"], a.Tag) {
		c.Status(http.StatusNotModified)
		return
	}
	c.Data(http.StatusOK, a.Type, a.Body)
}
