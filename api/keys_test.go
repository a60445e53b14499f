package main

import (
	"strconv"
	"strings"
	"testing"

	"cartwheel/internal/model/modeltest"
)

const readerKey, adminKey = "a-reader-of-the-shop", "an-admin-of-the-shop"

func TestKeysAndRoles(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	modeltest.Write(t, data+"/models", shop("v1"))
	modeltest.MakeChampion(t, data+"/models", "v1")
	p := start(t, data, "--api-keys", "reader:"+readerKey+", admin:"+adminKey)
	p.ready(t, "v1")
	const read, activate = "/v1/items/popular", "/v1/models/v1/activate"
	for _, c := range []struct {
		method, path, authorization string
		status                      int
		says                        string
	}{
		{"GET", read, "", 401, "needed"},
		{"GET", read, "Bearer ", 401, "needed"},
		{"GET", read, "Basic " + readerKey, 401, "needed"},
		{"GET", read, "Bearer " + readerKey + "x", 401, "not known"},
		{"GET", read, "Bearer reader:" + readerKey, 401, "not known"},
		{"GET", read, "Bearer " + readerKey, 200, ""},
		{"GET", read, "bearer " + adminKey, 200, ""},
		{"POST", activate, "", 401, "needed"},
		{"POST", activate, "Bearer " + readerKey, 403, "role admin"},
		{"POST", activate, "Bearer " + adminKey, 200, ""},
		{"GET", "/healthz", "", 200, ""},
		{"GET", "/readyz", "", 200, ""},
		{"GET", "/openapi.yaml", "", 200, ""},
		{"GET", "/metrics", "", 200, ""},
	} {
		a := p.do(t, c.method, c.path, "", "Authorization", c.authorization)
		if c.status == 200 && a.status == 200 {
			continue
		}
		a.problem(t, c.status, "", c.says)
		if c.status == 401 && a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s %s: WWW-Authenticate is %q", c.method, c.path, a.header.Get("WWW-Authenticate"))
		}
	}
	if strings.Contains(p.log.text(), readerKey) || strings.Contains(p.log.text(), adminKey) {
		t.Error("a key is in the log")
	}
}

func TestKeysThatCannotBe(t *testing.T) {
	t.Parallel()
	for keys, says := range map[string]string{
		"secretsecretsecret":                          "key 1 is not role:key",
		"reader:" + readerKey + ",":                   "key 2 is not role:key",
		"owner:secretsecretsecret":                    "none of reader, writer, admin",
		"reader:" + readerKey + ",admin:secret123":    "key 2 has 9 bytes",
		"reader:" + readerKey + ",admin:" + readerKey: "key 2 is the same as key 1",
	} {
		var out strings.Builder
		code := run(t.Context(), t.Context(), []string{"--api-keys", keys}, func(string) string { return "" }, &out, &out)
		if code != 2 || !strings.Contains(out.String(), says) || strings.Contains(out.String(), "secret") || strings.Contains(out.String(), readerKey) {
			t.Errorf("%s: code %d: %s", keys, code, out.String())
		}
	}
}

// Beyond the rate comes 429 with Retry-After, and no forged address gets past it.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	modeltest.Write(t, data+"/models", shop("v1"))
	modeltest.MakeChampion(t, data+"/models", "v1")
	p := start(t, data, "--rate-limit", "1e-6")
	p.ready(t, "v1")
	const path = "/v1/items/popular"
	if a := p.do(t, "GET", path, ""); a.status != 200 {
		t.Fatalf("the first request was answered %d", a.status)
	}
	for i, forged := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP"} {
		a := p.do(t, "GET", path, "", forged, "192.0.2."+strconv.Itoa(i))
		a.problem(t, 429, "", "requests a second")
		if after, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || after < 500_000 || after > 1_000_000 {
			t.Errorf("Retry-After is %q, want up to a million seconds", a.header.Get("Retry-After"))
		}
	}
	if a := p.do(t, "GET", "/readyz", ""); a.status != 200 {
		t.Errorf("/readyz was answered %d", a.status)
	}
}

func TestRateLimitIsPerKey(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	modeltest.Write(t, data+"/models", shop("v1"))
	modeltest.MakeChampion(t, data+"/models", "v1")
	p := start(t, data, "--rate-limit", "1e-6", "--api-keys", "reader:"+readerKey+",admin:"+adminKey)
	p.ready(t, "v1")
	for _, c := range []struct {
		key    string
		status int
	}{{readerKey, 200}, {readerKey, 429}, {adminKey, 200}, {adminKey, 429}, {"unknown-unknown-unknown", 401}} {
		if a := p.do(t, "GET", "/v1/items/popular", "", "Authorization", "Bearer "+c.key); a.status != c.status {
			t.Errorf("%s: status %d, want %d", c.key, a.status, c.status)
		}
	}
}
