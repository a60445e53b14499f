package serve

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// The contract says what there is: every route must be in it. That every path in it is answered is tested beside the program.
func TestRoutesAreInTheContract(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Log: slog.New(slog.DiscardHandler)})
	for _, route := range s.handler.(*gin.Engine).Routes() {
		if route.Method == http.MethodHead {
			continue // the contract says it of all that GET answers, in one sentence
		}
		path := regexp.MustCompile(`:(\w+)`).ReplaceAllString(route.Path, "{$1}")
		operation := "\n  " + path + ":\n"
		_, after, found := strings.Cut(string(contract), operation)
		next := regexp.MustCompile(`\n  \S`).Split(after, 2)[0]
		if !found || !strings.Contains("\n"+next, "\n    "+strings.ToLower(route.Method)+":\n") {
			t.Errorf("%s %s is not in the contract", route.Method, path)
		}
	}
}

func TestPanicBecomesAProblem(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	s.handler.(*gin.Engine).GET("/panic", func(*gin.Context) { panic("a secret of the inside") })
	s.handler.(*gin.Engine).GET("/later", func(c *gin.Context) {
		_, _ = c.Writer.WriteString(`{"items":[`)
		panic("in the middle of an answer")
	})
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/panic", nil))
	if w.Code != 500 || w.Header().Get("Content-Type") != "application/problem+json" || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("status %d, %s: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	id := w.Header().Get("X-Request-Id")
	if !strings.Contains(log.String(), "a secret of the inside") || !strings.Contains(log.String(), id) || !strings.Contains(w.Body.String(), id) {
		t.Errorf("id %q, log %s", id, log.String())
	}

	// Nobody may take half an answer for a whole one.
	server := httptest.NewServer(compressed(s.handler))
	defer server.Close()
	response, err := server.Client().Get(server.URL + "/later")
	if err == nil {
		_, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	if err == nil {
		t.Error("an answer that broke off was taken for a whole one")
	}
}
