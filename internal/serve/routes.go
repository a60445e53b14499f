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

	get := func(to gin.IRoutes, path string, handlers ...gin.HandlerFunc) {
		to.Match([]string{http.MethodGet, http.MethodHead}, path, handlers...) // net/http leaves the body of an answer to HEAD out
	}
	get(e, "/healthz", s.healthz)
	get(e, "/readyz", s.readyz)
	get(e, "/metrics", gin.WrapH(s.metrics.handler()))
	get(e, "/openapi.yaml", s.contract)
	get(e, "/docs", s.docs)
	get(e, "/", s.dashboard)
	get(e, "/dashboard/:file", s.asset)

	read := e.Group("/v1", s.allow(roleReader))
	get(read, "/visitors/:visitorid/recommendations", s.fromChampion(visitorRecommendations))
	get(read, "/visitors/:visitorid", s.fromChampion(visitorProfile))
	get(read, "/visitors/:visitorid/purchase-probability", s.fromChampion(visitorPurchase))
	read.POST("/purchase-probability", s.fromChampion(purchaseOf))
	get(read, "/visitors/:visitorid/segment", s.fromChampion(visitorSegment))
	read.POST("/segments/assign", s.fromChampion(segmentOf))
	get(read, "/segments", s.fromChampion(listSegments))
	read.POST("/visitors/recommendations", s.fromChampion(manyRecommendations))
	read.POST("/sessions/recommendations", s.fromChampion(sessionRecommendations))
	read.POST("/scores", s.fromChampion(scores))
	get(read, "/items/popular", s.fromChampion(s.popular))
	get(read, "/items/trending", s.fromChampion(s.trendingItems))
	get(read, "/items/:itemid/similar", s.fromChampion(similarItems))
	get(read, "/status", s.status)
	read.GET("/status/stream", s.statusStream)
	get(read, "/models", s.models)
	get(read, "/models/:version", s.model)
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
