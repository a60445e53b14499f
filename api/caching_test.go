package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"cartwheel/internal/model/modeltest"
)

func TestETag(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	const path = "/v1/visitors/anna/recommendations"
	first := p.do(t, "GET", path, "")
	tag := first.header.Get("ETag")
	if tag == "" || first.header.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("ETag %q, Cache-Control %q", tag, first.header.Get("Cache-Control"))
	}
	for _, have := range []string{tag, "*", `"other", ` + tag, strings.TrimPrefix(tag, "W/")} {
		a := p.do(t, "GET", path, "", "If-None-Match", have)
		if a.status != 304 || len(a.body) != 0 || a.header.Get("ETag") != tag || a.header.Get("X-Model-Version") != "v1" {
			t.Errorf("If-None-Match %s: status %d, ETag %s: %s", have, a.status, a.header.Get("ETag"), a.body)
		}
	}
	for _, ask := range []string{path + "?limit=2", "/v1/visitors/ben/recommendations"} {
		if a := p.do(t, "GET", ask, "", "If-None-Match", tag); a.status != 200 || a.header.Get("ETag") == tag {
			t.Errorf("%s: status %d, ETag %s", ask, a.status, a.header.Get("ETag"))
		}
	}
	if a := p.do(t, "POST", "/v1/sessions/recommendations", `{"items":[]}`, "Content-Type", "application/json", "If-None-Match", "*"); a.status != 200 {
		t.Errorf("a POST was answered %d", a.status)
	}
	modeltest.Write(t, p.models, shop("v2"))
	modeltest.MakeChampion(t, p.models, "v2")
	p.ready(t, "v2")
	if a := p.do(t, "GET", path, "", "If-None-Match", tag); a.status != 200 || a.header.Get("X-Model-Version") != "v2" {
		t.Errorf("a new version with the same items was answered %d", a.status)
	}
}

// HEAD is answered as GET is, without the body.
func TestHead(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	for path, status := range map[string]int{"/": 200, "/healthz": 200, "/readyz": 200, "/docs": 200, "/openapi.yaml": 200, "/metrics": 200, "/v1/items/popular": 200,
		"/v1/visitors/anna": 200, "/v1/models": 200, "/v1/visitors/nobody": 404, "/nothing": 404, "/v1/scores": 405} {
		head, get := p.do(t, "HEAD", path, "", "Accept-Encoding", "identity"), p.do(t, "GET", path, "", "Accept-Encoding", "identity")
		if head.status != status || get.status != status || len(head.body) > 0 {
			t.Errorf("%s: HEAD is answered %d with %d bytes, GET %d", path, head.status, len(head.body), get.status)
		}
		for _, name := range []string{"Content-Type", "ETag", "X-Model-Version", "Cache-Control"} {
			if head.header.Get(name) != get.header.Get(name) {
				t.Errorf("%s: %s is %q by HEAD and %q by GET", path, name, head.header.Get(name), get.header.Get(name))
			}
		}
	}
	tag := p.do(t, "GET", "/v1/items/popular", "").header.Get("ETag")
	if a := p.do(t, "HEAD", "/v1/items/popular", "", "If-None-Match", tag); a.status != 304 {
		t.Errorf("HEAD with If-None-Match is answered %d", a.status)
	}
}

// Caches may keep nothing without asking.
func TestCacheControl(t *testing.T) {
	t.Parallel()
	p := startWith(t, shop("v1"))
	for path, want := range map[string]string{"/v1/items/popular": "private, no-cache", "/v1/visitors/anna": "private, no-cache", "/v1/visitors/nobody": "no-store", "/v1/models": "no-store",
		"/v1/models/v1": "no-store", "/v1/status": "no-store", "/healthz": "no-store", "/readyz": "no-store", "/": "no-cache", "/dashboard/nothing": "no-store"} {
		if got := p.do(t, "GET", path, "").header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control is %q, want %q", path, got, want)
		}
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	p := startWith(t, modeltest.Random("v1", 1, 5, 100, 4))
	const long, short = "/v1/items/popular?limit=100", "/v1/items/popular?limit=1"
	plain := p.do(t, "GET", long, "", "Accept-Encoding", "identity")
	if plain.header.Get("Content-Encoding") != "" || len(plain.items(t).Items) != 100 {
		t.Fatalf("encoded as %q: %s", plain.header.Get("Content-Encoding"), plain.body)
	}
	for encoding, decode := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) },
	} {
		a := p.do(t, "GET", long, "", "Accept-Encoding", encoding)
		if a.header.Get("Content-Encoding") != encoding || len(a.body) >= len(plain.body) || a.header.Get("ETag") != plain.header.Get("ETag") {
			t.Errorf("%s: encoded as %q in %d bytes, plain %d; ETag %s", encoding, a.header.Get("Content-Encoding"), len(a.body), len(plain.body), a.header.Get("ETag"))
			continue
		}
		reader, err := decode(bytes.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(reader); err != nil || !bytes.Equal(data, plain.body) {
			t.Errorf("%s: %v: %s", encoding, err, data)
		}
		if a := p.do(t, "GET", short, "", "Accept-Encoding", encoding); a.header.Get("Content-Encoding") != "" {
			t.Errorf("a short answer was encoded as %q", a.header.Get("Content-Encoding"))
		}
		if a := p.do(t, "GET", long, "", "Accept-Encoding", encoding, "If-None-Match", plain.header.Get("ETag")); a.status != 304 || len(a.body) > 0 {
			t.Errorf("%s with If-None-Match: %d", encoding, a.status)
		}
	}
}
