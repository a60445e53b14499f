package serve

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
)

//go:embed docs.html
var docsPage string

// docs serves the contract as a page for people: all of it, plain HTML without scripts, and nothing from another host.
func (s *Server) docs(c *gin.Context) {
	page, err := s.page()
	if err != nil {
		s.log.Error("making a page of the contract", "error", err)
		fail(c, http.StatusInternalServerError, "", "the page cannot be made; /openapi.yaml holds the same")
		return
	}
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	c.Data(http.StatusOK, "text/html; charset=utf-8", page)
}

// operation is one path and method of the contract.
type operation struct {
	Path, Method string
	*openapi3.Operation
}

// renderDocs makes the page.
func renderDocs(contract []byte) ([]byte, error) {
	document, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		return nil, err
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, err
	}
	byTag := map[string][]operation{}
	for _, path := range document.Paths.InMatchingOrder() {
		item := document.Paths.Value(path)
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			o := item.Operations()[method]
			for _, tag := range o.Tags {
				byTag[tag] = append(byTag[tag], operation{path, method, o})
			}
		}
	}
	for _, all := range byTag {
		slices.SortFunc(all, func(a, b operation) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
	}
	t, err := template.New("docs").Funcs(template.FuncMap{
		"paragraphs": func(text string) []string { return strings.Split(strings.TrimSpace(text), "\n\n") },
		"kind":       kind,
		"json": func(v any) (string, error) {
			text, err := json.Marshal(v)
			return string(text), err
		},
		"deref": func(text *string) string {
			if text == nil {
				return ""
			}
			return *text
		},
	}).Parse(docsPage)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	err = t.Execute(&page, map[string]any{"Document": document, "ByTag": byTag})
	return page.Bytes(), err
}

// kind says in a line what a schema lets through.
func kind(s *openapi3.Schema) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if s.Type != nil {
		add("%s", strings.Join(s.Type.Slice(), " or "))
	}
	for i, one := range s.OneOf {
		switch of := kind(one.Value); {
		case of == "": // it says which members there must be, which the description says in words
		case i > 0:
			add("or %s", of)
		default:
			add("%s", of)
		}
	}
	if len(s.Enum) > 0 {
		add("one of %s", strings.Trim(fmt.Sprint(s.Enum), "[]"))
	}
	if s.Min != nil {
		add("from %v", *s.Min)
	}
	if s.Max != nil {
		add("to %v", int64(*s.Max))
	}
	if s.MinLength > 0 || s.MaxLength != nil {
		add("%d to %d characters", s.MinLength, value(s.MaxLength))
	}
	if s.MaxItems != nil {
		add("%d to %d entries", s.MinItems, *s.MaxItems)
	}
	if s.Nullable {
		add("or null")
	}
	if s.Default != nil {
		add("(default %v)", s.Default)
	}
	return strings.Join(parts, " ")
}

func value(n *uint64) uint64 {
	if n == nil {
		return 0
	}
	return *n
}
