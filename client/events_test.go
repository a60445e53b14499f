package client_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"cartwheel/client"
)

// Events that are sent again bear the ids that they bore, those given and those made here.
func TestEventsKeepTheirIDs(t *testing.T) {
	t.Parallel()
	var tries [][]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		data, _ := io.ReadAll(r.Body)
		var events []client.ShopEvent
		if err := json.Unmarshal(data, &events); err != nil {
			t.Error(err)
		}
		var ids []string
		for _, e := range events {
			ids = append(ids, e.EventID)
		}
		if tries = append(tries, ids); len(tries) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(map[string][]string{"eventids": ids})
	}))
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.HTTP = server.Client()
	ids, err := c.Events(t.Context(), []client.ShopEvent{{EventID: "mine"}, {}, {}})
	if err != nil || len(tries) != 2 || !slices.Equal(tries[0], tries[1]) || !slices.Equal(ids, tries[1]) || ids[0] != "mine" || ids[1] == "" || ids[1] == ids[2] {
		t.Errorf("sent under %v, answered %v, %v", tries, ids, err)
	}
	if err := c.Erase(t.Context(), "anna"); err != nil {
		t.Errorf("an answer without a body: %v", err)
	}
}
