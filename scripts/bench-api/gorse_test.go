package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/event"
)

func TestWhatGorseIsMustBeSaid(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("#!/bin/sh\necho another program\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]string{"": "https://github.com/gorse-io/gorse/releases", other: "another program", other + "-not-there": "is no gorse-in-one"} {
		t.Setenv("GORSE", program)
		if err := run(context.Background(), []string{"gorse"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("GORSE=%s: %v, not %q", program, err, want)
		}
	}
	if err := os.WriteFile(other, []byte("#!/bin/sh\nprintf 'Version:\\t v0.5.9\\nAPI version:\\t v0.2.7\\n'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if version, err := (&gorse{program: other}).version(); err != nil || version != "v0.5.9" {
		t.Errorf("%q, %v", version, err)
	}
}

func TestItemsOf(t *testing.T) {
	for answer, want := range map[string][]string{
		`{"model_version":"x","items":[{"itemid":"1","score":2},{"itemid":"2"}]}`: {"1", "2"},
		`["1", "2"]`:                         {"1", "2"},
		` [{"Id":"1","Score":2},{"Id":"2"}]`: {"1", "2"},
		"null":                               nil,
		`{"model_version":"x","items":[]}`:   nil,
	} {
		if got, err := itemsOf([]byte(answer)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", answer, got, err)
		}
	}
	if got, err := itemsOf([]byte(`<html>`)); err == nil {
		t.Errorf("no JSON, but %q", got)
	}
}

func TestHoldOut(t *testing.T) {
	var events []event.Event
	for _, e := range []string{"a 1", "b 1", "a 2", "a 1", "c 7", "a 3", "b 2", "a 2", "a 3", "b 2"} {
		var visitor, item string
		_, _ = fmt.Sscan(e, &visitor, &item)
		events = append(events, event.Event{VisitorID: visitor, ItemID: item})
	}
	rest, cases := holdOut(events, 10, rand.New(rand.NewPCG(1, 2)))
	if len(cases) != 1 || cases[0].visitor != "a" || cases[0].target != "3" || !slices.Equal(cases[0].before, []string{"1", "2"}) {
		t.Fatalf("%+v", cases)
	}
	var left []string
	for _, e := range rest {
		left = append(left, e.VisitorID+" "+e.ItemID)
	}
	if want := []string{"a 1", "b 1", "a 2", "a 1", "c 7", "b 2", "b 2"}; !slices.Equal(left, want) {
		t.Errorf("left are %q, not %q", left, want)
	}
	if rest, cases := holdOut(events, 0, rand.New(rand.NewPCG(1, 2))); len(cases) != 0 || len(rest) != len(events) {
		t.Errorf("of nobody: %d events left, %+v", len(rest), cases)
	}
}

func TestReady(t *testing.T) {
	begun := []task{{Name: "Load Dataset", Status: "Complete"}, {Name: "Generate recommendation", Status: "Running", Count: 3, Total: 9}}
	if done, doing, err := ready(begun); done || err != nil || doing != "Generate recommendation, 3 of 9" {
		t.Errorf("%v, %q, %v", done, doing, err)
	}
	if done, _, err := ready(append(begun[:1:1], task{Name: lastTask, Status: "Running"})); done || err != nil {
		t.Errorf("while the last is running: %v, %v", done, err)
	}
	if done, _, err := ready(append(begun[:1:1], task{Name: lastTask, Status: "Complete"})); !done || err != nil {
		t.Errorf("at the end: %v, %v", done, err)
	}
	if _, _, err := ready([]task{{Name: "Load Dataset", Status: "Failed", Error: "no disk"}}); err == nil || !strings.Contains(err.Error(), "no disk") {
		t.Errorf("after a failure: %v", err)
	}
}

// TestAnswers asks a server whose answers are short and long, and long ones come in pieces.
func TestAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			_, _ = fmt.Fprintf(w, "[%s\"9", strings.Repeat("\"1\",\n", 2000))
			w.(http.Flusher).Flush()
			_, _ = fmt.Fprint(w, `8","2"]`)
		case "/short":
			_, _ = fmt.Fprint(w, `["3"]`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	all, err := answers(addr, []request{{path: "/long"}, {path: "/short"}, {path: "/long"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(all[0]) != 2002 || all[0][2000] != "98" || !slices.Equal(all[1], []string{"3"}) || !slices.Equal(all[0], all[2]) {
		t.Errorf("answers of %d, %d and %d items", len(all[0]), len(all[1]), len(all[2]))
	}
	if got := share(all, func(i int, items []string) bool { return i == 1 && len(items) == 1 }); got < 33 || got > 34 {
		t.Errorf("a share of %v", got)
	}
	if _, err := answers(addr, []request{{path: "/none"}}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("what is not there: %v", err)
	}
}
