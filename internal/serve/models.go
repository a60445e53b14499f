package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sys/unix"

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
	Seconds    float64                      `json:"training_seconds,omitempty"`
	Spark      string                       `json:"spark_version,omitempty"`
	Revision   string                       `json:"git_revision,omitempty"`
	Parameters *model.Parameters            `json:"parameters,omitempty"`
	Counts     *model.Counts                `json:"counts,omitempty"`
	Data       *model.DataRange             `json:"data,omitempty"`
	Metrics    map[string]model.Measurement `json:"metrics,omitempty"`
	Decision   *model.Decision              `json:"decision,omitempty"`
	Error      string                       `json:"error,omitempty"`
}

// models answers GET /v1/models from the manifests on disk, newest first.
func (s *Server) models(c *gin.Context) {
	if _, bad := query(c); bad != nil {
		refuse(c, bad)
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
			e.Parameters, e.Counts, e.Data, e.Decision, e.Seconds = &m.Parameters, &m.Counts, &m.Data, m.Decision, m.Seconds
		} else {
			e.Error = l.Err.Error()
		}
		list.Models = append(list.Models, e)
	}
	answerJSON(c, http.StatusOK, list)
}

// model answers GET /v1/models/{version} with the version's manifest.
func (s *Server) model(c *gin.Context) {
	if _, bad := query(c); bad != nil {
		refuse(c, bad)
		return
	}
	if m := s.manifest(c); m != nil {
		answerJSON(c, http.StatusOK, m)
	}
}

// manifest reads the manifest of the version that the path names, or answers why there is none.
func (s *Server) manifest(c *gin.Context) *model.Manifest {
	name, ok := pathID(c, "version")
	if !ok {
		return nil
	}
	err := model.CheckName(name)
	if err == nil {
		var m *model.Manifest
		if m, err = model.ReadManifest(filepath.Join(s.modelsDir(), name)); err == nil {
			return m
		}
	}
	if errors.Is(err, fs.ErrNotExist) || model.CheckName(name) != nil {
		fail(c, http.StatusNotFound, "version", fmt.Sprintf("there is no version %s; GET /v1/models lists what there is", show(name)))
		return nil
	}
	fail(c, http.StatusConflict, "version", err.Error())
	return nil
}

type activated struct {
	Champion string  `json:"champion"`
	Previous *string `json:"previous"` // what to activate to go back
}

// activate answers POST /v1/models/{version}/activate: the version is loaded, checked and served here before it becomes what every
// server of these models is to serve.
func (s *Server) activate(c *gin.Context) {
	if _, bad := query(c); bad != nil {
		refuse(c, bad)
		return
	}
	m := s.manifest(c)
	if m == nil {
		return
	}
	unhurried(c) // loading waits for other loads, and a large version takes long where the machine has other things to do
	previous, err := s.champion.activate(m.Version)
	hurried(c)
	switch {
	case errors.Is(err, model.ErrBadVersion):
		fail(c, http.StatusConflict, "version", err.Error())
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS):
		fail(c, http.StatusConflict, "version", fmt.Sprintf("nothing was changed, for this server may not write %s in the models folder: "+
			"let it, or write the version's name there where the folder can be written, and this server follows", model.LatestName))
	case err != nil:
		s.log.Error("activating a version", "version", m.Version, "error", err)
		fail(c, http.StatusInternalServerError, "", "the champion's name cannot be written; the log says why")
	default:
		c.Header("X-Model-Version", m.Version)
		answerJSON(c, http.StatusOK, activated{Champion: m.Version, Previous: previous})
	}
}
