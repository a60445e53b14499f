package serve

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/model"
	"cartwheel/internal/model/modeltest"
	"cartwheel/internal/recommend"
)

// Nothing more is worked out for a client that has gone away.
func TestManyEndWithTheirClient(t *testing.T) {
	t.Parallel()
	v, err := model.Load(modeltest.Write(t, t.TempDir(), modeltest.Random("x", 1, 5, 20, 2)))
	if err != nil {
		t.Fatal(err)
	}
	now := &served{Recommender: recommend.New(v), version: "x"}
	for _, gone := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		w := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(w)
		c.Request = httptest.NewRequestWithContext(ctx, "POST", "/", strings.NewReader(`{"visitorids":["v1","v2"]}`))
		c.Request.Header.Set("Content-Type", "application/json")
		if gone {
			cancel()
		}
		manyRecommendations(c, now)
		if sent := w.Body.Len() > 0; sent == gone {
			t.Errorf("gone away: %v, and %d bytes are sent", gone, w.Body.Len())
		}
		cancel()
	}
}
