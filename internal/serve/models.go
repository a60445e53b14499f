package serve

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/model"
)

type modelList struct {
	Champion *string      `json:"champion"` // the version that is served
	Models   []modelEntry `json:"models"`
}

// modelEntry is a version without the list of its files, or the reason why a folder is not one.
type modelEntry struct {
	Version    string                       `json:"version"`
	Champion   bool                         `json:"champion"`
	CreatedAt  *time.Time                   `json:"created_at,omitempty"`
	Spark      string                       `json:"spark_version,omitempty"`
	Revision   string                       `json:"git_revision,omitempty"`
	Parameters *model.Parameters            `json:"parameters,omitempty"`
	Counts     *model.Counts                `json:"counts,omitempty"`
	Data       *model.DataRange             `json:"data,omitempty"`
	Metrics    map[string]model.Measurement `json:"metrics,omitempty"`
	Error      string                       `json:"error,omitempty"`
}

// models answers GET /v1/models from the manifests on disk, newest first.
func (s *Server) models(c *gin.Context) {
	if _, bad := query(c); bad != nil {
		fail(c, http.StatusBadRequest, bad.field, bad.detail)
		return
	}
	all, err := model.List(s.modelsDir())
	if err != nil {
		s.log.Error("listing the models", "error", err)
		fail(c, http.StatusInternalServerError, "", "the models folder cannot be read; the log says why")
		return
	}
	list := modelList{Models: []modelEntry{}}
	if now := s.champion.current.Load(); now != nil {
		list.Champion = &now.version
		c.Header("X-Model-Version", now.version)
	}
	for _, l := range all {
		e := modelEntry{Version: l.Name, Champion: list.Champion != nil && *list.Champion == l.Name}
		if m := l.Manifest; m != nil {
			e.CreatedAt, e.Spark, e.Revision, e.Metrics = &m.CreatedAt, m.SparkVersion, m.GitRevision, m.Metrics
			e.Parameters, e.Counts, e.Data = &m.Parameters, &m.Counts, &m.Data
		} else {
			e.Error = l.Err.Error()
		}
		list.Models = append(list.Models, e)
	}
	answerJSON(c, http.StatusOK, list)
}
