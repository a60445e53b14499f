package serve

import (
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/event"
	"cartwheel/internal/live"
	"cartwheel/internal/model"
)

// trendingItems answers GET /v1/items/trending: from what is going on, or where that tells nothing, from the version.
func (s *Server) trendingItems(c *gin.Context, v *served) {
	_, o, ok := v.listQuery(c, true, "limit", "offset", "exclude", "only", "category")
	if !ok {
		return
	}
	if s.live != nil && s.live.CaughtUp() { // before, the counts of a week and of an hour are of what has been read of them
		if list := s.live.Trending(); len(list) > 0 {
			answerItems(c, v, v.Wanted(ranked(list), o))
			return
		}
	}
	switch a, known := v.Trending(o); {
	case known:
		answerItems(c, v, a)
	case s.needsBroker(c): // for a version that was trained before there was such a table
	default:
		answerItems(c, v, v.Wanted(ranked(nil), o))
	}
}

// popular answers GET /v1/items/popular: from the version, or with a window from what is going on.
func (s *Server) popular(c *gin.Context, v *served) {
	window := c.Query("window")
	if window == "" && !strings.Contains(c.Request.URL.RawQuery, "window") {
		popularItems(c, v)
		return
	}
	values, o, ok := v.listQuery(c, true, "event", "window", "limit", "offset", "exclude", "only", "category")
	if !ok {
		return
	}
	kind := values.Get("event")
	if kind == model.PopularAll {
		kind = ""
	}
	switch {
	case !live.HasWindow(window):
		refuse(c, &badField{field: "window", detail: fmt.Sprintf("window is %s, none of %s", show(window), windowNames())})
	case kind != "" && !slices.Contains(event.Kinds, kind) || kind == "" && values.Has("event") && values.Get("event") == "":
		refuse(c, &badField{field: "event", detail: fmt.Sprintf("event is %s, none of %s, %s", show(values.Get("event")), model.PopularAll, strings.Join(event.Kinds, ", "))})
	case s.needsBroker(c):
	default:
		answerItems(c, v, v.Wanted(ranked(s.live.Popular(window, kind)), o))
	}
}

// ranked goes through the items that are wanted.
func ranked(list []live.Wanted) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for _, w := range list {
			if !yield(w.ItemID, w.Score) {
				return
			}
		}
	}
}

// eraseVisitor answers DELETE /v1/visitors/{visitorid}.
func (s *Server) eraseVisitor(c *gin.Context) {
	id, ok := pathID(c, "visitorid")
	if !ok || s.needsBroker(c) {
		return
	}
	if err := s.live.EraseVisitor(c.Request.Context(), id); err != nil {
		s.log.Warn("erasure not acknowledged", "error", err)
		away(c, "the erasure was not acknowledged: ask again")
		return
	}
	c.Status(http.StatusNoContent)
}
