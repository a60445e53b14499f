// Package client asks a Cartwheel API, as api/openapi.yaml describes it.
//
// It promises that an answer is the server's whole answer or an error; that an error the server sent is an *Error, which says what was
// wrong; and that what a server could not do for the moment (429, 503, a broken connection) is asked again where that cannot do harm,
// after as long as the server wants, until it is done, the tries are used up or the context ends. It keeps nothing between calls: no
// answer is cached, and no event waits here to be sent.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client asks one API. It may be used by several goroutines at once.
type Client struct {
	// Key is the API key, if the API wants one.
	Key string
	// HTTP sends the requests. Its Timeout, 30 s from New, bounds each try; the context bounds all of them.
	HTTP *http.Client
	// Retries is how often a request is sent again at most: 3 from New.
	Retries int

	base string
}

// New returns a client of the API at a URL such as http://localhost:8000.
func New(base string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not the URL of an API, such as http://localhost:8000", base)
	}
	return &Client{HTTP: &http.Client{Timeout: 30 * time.Second}, Retries: 3, base: strings.TrimRight(base, "/")}, nil
}

// Error is an error that the server sent, after RFC 9457.
type Error struct {
	Status    int    `json:"status"`
	Title     string `json:"title"`
	Detail    string `json:"detail"` // what is wrong, and what would be right
	Field     string `json:"field"`  // the parameter or the member of the body that is at fault, if one is
	RequestID string `json:"request_id"`

	retryAfter time.Duration
}

func (e *Error) Error() string {
	return fmt.Sprintf("the API answered %d %s: %s (request %s)", e.Status, e.Title, e.Detail, e.RequestID)
}

// maxAnswerBytes bounds what is read of an answer: a thousand visitors with a hundred explained items each are far below.
const maxAnswerBytes = 1 << 30

// call is one request. All may be sent twice: they change nothing, or to what they had changed it to.
type call struct {
	method string
	path   string // escaped
	query  url.Values
	body   any // nil for none
}

// ask sends a request, again if need be, and reads the answer into a value, if not nil.
func (c *Client) ask(ctx context.Context, r call, into any) error {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return fmt.Errorf("encoding the request: %w", err)
		}
	}
	for try := 0; ; try++ {
		data, err := c.try(ctx, r, body)
		if err == nil && into == nil {
			return nil
		}
		if err == nil {
			if err := json.Unmarshal(data, into); err != nil {
				return fmt.Errorf("reading the answer to %s %s: %w", r.method, r.path, err)
			}
			return nil
		}
		wait, again := retry(err, try)
		if !again || try >= c.Retries || ctx.Err() != nil {
			return err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return err // the server wants more time than there is: its reason is worth more than "deadline exceeded"
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// retry says whether what failed may be tried again, and after how long.
func retry(err error, try int) (time.Duration, bool) {
	wait := time.Duration(float64(100*time.Millisecond<<min(try, 6)) * (0.5 + rand.Float64())) // not all at once
	var sent *Error
	if errors.As(err, &sent) {
		return max(wait, sent.retryAfter), sent.Status == http.StatusTooManyRequests || sent.Status == http.StatusServiceUnavailable
	}
	return wait, true
}

func (c *Client) try(ctx context.Context, r call, body []byte) ([]byte, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, r.method, target, reader)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.Key)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the API: %w", err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return nil, fmt.Errorf("reading the answer to %s %s: %w", r.method, r.path, err)
	}
	if response.StatusCode/100 != 2 {
		return nil, problem(response, data)
	}
	return data, nil
}

// problem makes an error of an answer; of one that is no problem after RFC 9457, too, as what stands in front of an API may send.
func problem(response *http.Response, data []byte) *Error {
	var e Error
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(data, &e) != nil {
		e = Error{Title: http.StatusText(response.StatusCode), Detail: string(data[:min(len(data), 200)]), RequestID: response.Header.Get("X-Request-ID")}
	}
	e.Status = response.StatusCode
	after := response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(after); err == nil && seconds > 0 {
		e.retryAfter = time.Duration(min(seconds, 1e6)) * time.Second
	} else if date, err := http.ParseTime(after); err == nil { // as what stands in front of an API may send
		e.retryAfter = time.Until(date)
	}
	return &e
}
