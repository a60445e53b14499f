package serve

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

func init() { gin.SetMode(gin.ReleaseMode) } // a global of gin's; its debug mode prints every route to standard output

// routes builds the handler. Every path here is in the contract, and a test holds the two together.
func (s *Server) routes() http.Handler {
	e := gin.New()
	// Nobody in front is trusted unless configured: a client must not choose the address it is known by.
	if err := e.SetTrustedProxies(nil); err != nil {
		panic(err) // nil is always accepted
	}
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	// Ids may hold any character, "/" and "%" among them: match the path as it was sent, and unescape the ids afterwards. gin's own
	// unescaping is for queries and would make a space of "+".
	e.UseEscapedPath = true
	e.UnescapePathValues = false
	e.Use(s.around)
	e.NoRoute(func(c *gin.Context) {
		fail(c, http.StatusNotFound, "", "there is nothing at this path; /openapi.yaml says what there is")
	})
	e.NoMethod(func(c *gin.Context) {
		fail(c, http.StatusMethodNotAllowed, "", "this path answers "+c.Writer.Header().Get("Allow"))
	})

	e.GET("/healthz", s.healthz)
	e.GET("/readyz", s.readyz)
	e.GET("/metrics", gin.WrapH(s.metrics.handler()))
	e.GET("/openapi.yaml", s.contract)
	e.GET("/docs", s.docs)
	e.GET("/", s.dashboard)
	e.GET("/dashboard/:file", s.asset)

	read := e.Group("/v1", s.allow(roleReader))
	read.GET("/visitors/:visitorid/recommendations", s.fromChampion(visitorRecommendations))
	read.GET("/visitors/:visitorid", s.fromChampion(visitorProfile))
	read.GET("/visitors/:visitorid/purchase-probability", s.fromChampion(visitorPurchase))
	read.POST("/purchase-probability", s.fromChampion(purchaseOf))
	read.GET("/visitors/:visitorid/segment", s.fromChampion(visitorSegment))
	read.POST("/segments/assign", s.fromChampion(segmentOf))
	read.GET("/segments", s.fromChampion(listSegments))
	read.POST("/visitors/recommendations", s.fromChampion(manyRecommendations))
	read.POST("/sessions/recommendations", s.fromChampion(sessionRecommendations))
	read.POST("/scores", s.fromChampion(scores))
	read.GET("/items/popular", s.fromChampion(s.popular))
	read.GET("/items/trending", s.fromChampion(s.trendingItems))
	read.GET("/items/:itemid/similar", s.fromChampion(similarItems))
	read.GET("/status", s.status)
	read.GET("/status/stream", s.statusStream)
	read.GET("/models", s.models)
	read.GET("/models/:version", s.model)
	e.POST("/v1/events", s.allow(roleWriter), s.postEvents)
	e.DELETE("/v1/visitors/:visitorid", s.allow(roleAdmin), s.eraseVisitor)
	e.POST("/v1/models/:version/activate", s.allow(roleAdmin), s.activate)
	return e
}

// fromChampion gives a handler the version that the request is answered from.
func (s *Server) fromChampion(handle func(*gin.Context, *served)) gin.HandlerFunc {
	return func(c *gin.Context) {
		v := s.champion.current.Load()
		if v == nil {
			c.Header("Retry-After", "5")
			fail(c, http.StatusServiceUnavailable, "", "no model version is loaded; train one first (go run ./sparkjobs/train), and see /readyz")
			return
		}
		c.Writer.Header()["X-Model-Version"] = []string{v.version}
		handle(c, v)
	}
}
