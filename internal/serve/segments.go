package serve

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
)

// inGroup is a segment of visitors.
type inGroup struct {
	ID   int    `json:"id"` // counts from 0, within a version
	Name string `json:"name"`
}

// group is the segment of somebody of this profile; nil where the version has none, or of whom nothing is known.
func (v *served) group(p model.Profile, at int64) *inGroup {
	if v.segments == nil || p.Events() == 0 {
		return nil
	}
	id := v.segments.Assign(p, at)
	return &inGroup{id, v.manifest.Segments.Segments[id].Name}
}

type groupAnswer struct {
	Model     string   `json:"model_version"`
	VisitorID string   `json:"visitorid,omitempty"`
	Segment   *inGroup `json:"segment"`
	AsOf      int64    `json:"as_of"` // Unix ms
}

// visitorSegment answers GET /v1/visitors/{visitorid}/segment.
func visitorSegment(c *gin.Context, v *served) {
	known, ok := v.asked(c)
	if !ok || !v.hasSegments(c) {
		return
	}
	p, at := known.whole()
	answerBytes(c, encode(groupAnswer{v.version, known.id, v.group(p, at), at}))
}

// segmentOf answers POST /v1/segments/assign.
func segmentOf(c *gin.Context, v *served) {
	told, ok := readDeeds(c)
	if !ok || !v.hasSegments(c) {
		return
	}
	p, bad := told.profile(features.Window{At: told.at})
	if bad != nil {
		refuse(c, bad)
		return
	}
	answerBytes(c, encode(groupAnswer{Model: v.version, Segment: v.group(p, told.at), AsOf: told.at}))
}

type groupList struct {
	Model    string             `json:"model_version"`
	AsOf     int64              `json:"as_of"`
	Visitors int64              `json:"visitors"`
	Means    map[string]float64 `json:"means"` // of all visitors, by feature
	Segments []groupEntry       `json:"segments"`
}

type groupEntry struct {
	inGroup
	Visitors int64              `json:"visitors"`
	Means    map[string]float64 `json:"means"`
}

// listSegments answers GET /v1/segments.
func listSegments(c *gin.Context, v *served) {
	if _, bad := query(c); bad != nil {
		refuse(c, bad)
		return
	}
	if !v.hasSegments(c) {
		return
	}
	about := v.manifest.Segments
	named := func(means []float64) map[string]float64 {
		m := map[string]float64{}
		for i, mean := range means {
			m[about.Features[i]] = mean
		}
		return m
	}
	list := groupList{Model: v.version, AsOf: about.At.UnixMilli(), Means: named(about.Population)}
	for i, s := range about.Segments {
		list.Visitors += s.Visitors
		list.Segments = append(list.Segments, groupEntry{inGroup{i, s.Name}, s.Visitors, named(s.Means)})
	}
	answerBytes(c, encode(list))
}

// hasSegments answers where the version has no segments.
func (v *served) hasSegments(c *gin.Context) bool {
	if v.segments != nil {
		return true
	}
	why := ""
	if s := v.manifest.Segments; s != nil {
		why = s.None
	}
	fail(c, http.StatusNotFound, "", fmt.Sprintf("version %s has no segments: %s", v.version, cmp.Or(why, "its training made none")))
	return false
}
