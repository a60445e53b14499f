package serve

import (
	"fmt"
	"strconv"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/event"
)

// visitorRecommendations answers GET /v1/visitors/{visitorid}/recommendations.
func visitorRecommendations(c *gin.Context, v *served) {
	id, ok := pathID(c, "visitorid")
	if !ok {
		return
	}
	_, o, ok := v.listQuery(c, false, listParams...)
	if !ok {
		return
	}
	answerItems(c, v, v.visitor(id, o))
}

// maxMany is how many visitors or items one request may ask for.
const maxMany = 1000

// mostHeld is how many bytes of a long answer are gathered before they are sent.
const mostHeld = 256 << 10

type manyBody struct {
	VisitorIDs []id `json:"visitorids"`
}

// manyRecommendations answers POST /v1/visitors/recommendations, in the order asked.
func manyRecommendations(c *gin.Context, v *served) {
	_, o, ok := v.listQuery(c, false, listParams...)
	if !ok {
		return
	}
	var body manyBody
	if !readJSON(c, &body) {
		return
	}
	if bad := checkMany("visitorids", "visitorid", body.VisitorIDs); bad != nil {
		refuse(c, bad)
		return
	}
	unhurried(c) // a thousand pages from deep in a large catalogue take most of a minute
	b := append(make([]byte, 0, 512*len(body.VisitorIDs)), `{"model_version":`...)
	b = event.AppendString(b, v.version)
	b = append(b, `,"visitors":[`...)
	inParts := false
	for i, id := range body.VisitorIDs {
		if c.Request.Context().Err() != nil {
			return // whoever has gone away needs no answer
		}
		if len(b) > mostHeld { // the whole may be 200 MB, where a thousand visitors have long histories that explain a hundred items each
			inParts = true
			c.Writer.Header()["Content-Type"] = jsonType
			hurried(c)
			if _, err := c.Writer.Write(b); err != nil {
				return
			}
			unhurried(c)
			b = b[:0]
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"visitorid":`...)
		b = event.AppendString(b, string(id))
		b = append(b, ',')
		b = appendList(b, v.visitor(string(id), o))
		b = append(b, '}')
	}
	b = append(b, "]}\n"...)
	hurried(c)
	if inParts {
		_, _ = c.Writer.Write(b)
		return
	}
	answerBytes(c, b)
}

type scoresBody struct {
	VisitorID id   `json:"visitorid"`
	ItemIDs   []id `json:"itemids"`
}

// scores answers POST /v1/scores, in the order asked.
func scores(c *gin.Context, v *served) {
	if _, bad := query(c); bad != nil {
		refuse(c, bad)
		return
	}
	var body scoresBody
	if !readJSON(c, &body) {
		return
	}
	bad := checkMany("itemids", "itemid", body.ItemIDs)
	if err := event.ValidateID("visitorid", string(body.VisitorID)); err != nil {
		bad = &badField{field: "visitorid", detail: err.Error()}
	}
	if bad != nil {
		refuse(c, bad)
		return
	}
	items := make([]string, len(body.ItemIDs))
	for i, item := range body.ItemIDs {
		items[i] = string(item)
	}
	strategy, scores := v.scores(string(body.VisitorID), items)
	b := append(make([]byte, 0, 64*len(items)), `{"model_version":`...)
	b = event.AppendString(b, v.version)
	b = append(b, `,"strategy":`...)
	b = event.AppendString(b, strategy)
	b = append(b, `,"scores":[`...)
	for i, s := range scores {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"itemid":`...)
		b = event.AppendString(b, s.ID)
		b = append(b, `,"score":`...)
		if s.Known {
			b = strconv.AppendFloat(b, s.Score, 'g', -1, 64)
		} else {
			b = append(b, "null"...)
		}
		b = append(b, '}')
	}
	answerBytes(c, append(b, "]}\n"...))
}

// checkMany checks a list of ids in a body.
func checkMany(field, one string, ids []id) *badField {
	if len(ids) == 0 || len(ids) > maxMany {
		return &badField{field: field, detail: fmt.Sprintf("%s has %d entries, not between 1 and %d", field, len(ids), maxMany)}
	}
	for i, id := range ids {
		if err := event.ValidateID(one, string(id)); err != nil {
			return &badField{field: fmt.Sprintf("%s[%d]", field, i), detail: err.Error()}
		}
	}
	return nil
}
