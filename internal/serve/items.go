package serve

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/event"
	"cartwheel/internal/model"
)

// popularItems answers GET /v1/items/popular.
func popularItems(c *gin.Context, v *served) {
	values, o, ok := v.listQuery(c, true, "event", "limit", "offset", "exclude", "only", "category")
	if !ok {
		return
	}
	kind := model.PopularAll
	if values.Has("event") {
		kind = values.Get("event")
	}
	a, known := v.Popular(kind, o)
	if !known {
		refuse(c, &badField{field: "event", status: eventStatus(kind), detail: fmt.Sprintf("event is %s, but this version counts %s", show(kind), strings.Join(v.kinds(), ", "))})
		return
	}
	answerItems(c, v, a)
}

// eventStatus tells a kind of event that this version does not count from one that there is not.
func eventStatus(kind string) int {
	if slices.Contains(event.Kinds, kind) {
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}

// kinds lists the lists of popular items that the version has.
func (v *served) kinds() []string {
	kinds := []string{model.PopularAll}
	for _, kind := range event.Kinds {
		if v.HasPopular(kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// similarItems answers GET /v1/items/{itemid}/similar.
func similarItems(c *gin.Context, v *served) {
	id, ok := pathID(c, "itemid")
	if !ok {
		return
	}
	values, o, ok := v.listQuery(c, true, "by", "limit", "offset", "exclude", "only", "category")
	if !ok {
		return
	}
	similar := v.SimilarByVisits
	if values.Has("by") {
		switch by := values.Get("by"); by {
		case "visits":
		case "factors":
			similar = v.Similar
		default:
			refuse(c, &badField{field: "by", detail: fmt.Sprintf("by is %s, not visits or factors", show(by))})
			return
		}
	}
	a, known := similar(id, o)
	if !known {
		fail(c, http.StatusNotFound, "itemid", fmt.Sprintf("version %s does not know the item %s", v.version, show(id)))
		return
	}
	answerItems(c, v, a)
}
