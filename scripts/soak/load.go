package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// requests are what became of the load.
type requests struct {
	reads, failedReads int
	failures           []string // the first of these, in words
	accepted           int      // posted events that were acknowledged
	refusals           int      // posts that were refused, and sent again under the same id
	resent             map[string]bool
	ids                map[string]bool // of posted events
	took               []time.Duration // reads
}

// loader sends requests at a steady rate, whether or not the earlier ones have been answered.
type loader struct {
	soak     *soak
	api      string
	client   *http.Client
	stopping context.CancelFunc
	done     sync.WaitGroup
	mu       sync.Mutex
	got      requests
}

func (s *soak) startLoad(api string) *loader {
	ctx, cancel := context.WithCancel(s.ctx)
	l := &loader{soak: s, api: api, stopping: cancel, client: &http.Client{Timeout: 10 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Second}}} // a connection that a burst has opened would be a goroutine of the API's for good
	l.got.ids, l.got.resent = map[string]bool{}, map[string]bool{}
	l.done.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(s.rate))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if n%10 == 0 {
				id := fmt.Sprintf("soak-%09d", n)
				l.done.Go(func() { l.post(id, n) })
			} else {
				l.done.Go(func() { l.read(n) })
			}
		}
	})
	return l
}

// end stops the load and waits for its last answers.
func (l *loader) end(ctx context.Context) (*requests, error) {
	l.stopping()
	l.done.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	slices.Sort(l.got.took)
	return &l.got, nil
}

// posters are visitors who view ten items each, over and over: so few that what is kept of them has soon come to its bound.
const posters = 100

// read asks one of the questions that a shop's pages ask.
func (l *loader) read(n int) {
	visitor := rand.IntN(40_000)
	method, body := http.MethodGet, ""
	var path string
	switch n % 5 {
	case 0, 1:
		path = fmt.Sprintf("/v1/visitors/%d/recommendations?limit=10", visitor)
	case 2:
		method, path, body = http.MethodPost, "/v1/sessions/recommendations?limit=10", fmt.Sprintf(`{"items":["%d","%d"]}`, rand.IntN(5_000), rand.IntN(5_000))
	case 3:
		path = "/v1/items/popular?limit=10"
	default:
		path = fmt.Sprintf("/v1/visitors/soak-%d/recommendations?limit=10", n%posters)
	}
	begun := time.Now()
	status, said, err := l.send(l.soak.ctx, method, path, body)
	took := time.Since(begun)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got.reads++
	l.got.took = append(l.got.took, took)
	if err != nil || status != http.StatusOK {
		l.got.failedReads++
		if len(l.got.failures) < 5 {
			l.got.failures = append(l.got.failures, fmt.Sprintf("%s %s: %d %.200s %v", method, path, status, said, err))
		}
	}
}

// post sends an event until it is accepted, under the same id, as a client should.
func (l *loader) post(id string, n int) {
	visitor := n / 10 % posters
	body := fmt.Sprintf(`{"visitorid":"soak-%d","event":"view","itemid":"%d","timestamp":%d,"eventid":"%s"}`, visitor, visitor*10+rand.IntN(10), l.soak.now(), id)
	for try := 0; ; try++ {
		status, _, err := l.send(l.soak.ctx, http.MethodPost, "/v1/events", body)
		l.mu.Lock()
		switch {
		case err == nil && status == http.StatusAccepted:
			l.got.accepted++
			l.got.ids[id] = true
			l.mu.Unlock()
			return
		default:
			l.got.refusals++
			l.got.resent[id] = true
		}
		l.mu.Unlock()
		select {
		case <-l.soak.ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (l *loader) send(ctx context.Context, method, path, body string) (status int, said []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, l.api+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := l.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	said, err = io.ReadAll(answer.Body)
	return answer.StatusCode, bytes.TrimSpace(said), err
}
