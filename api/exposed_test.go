package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"cartwheel/internal/model/modeltest"
)

// Without keys, other machines are served only if that was said.
func TestOpenToOtherMachines(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--open"}, {"--api-keys", "reader:" + readerKey}} {
		p := start(t, t.TempDir(), append(args, "--addr", "0.0.0.0:0")...)
		_, port, err := net.SplitHostPort(strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		p.url = "http://127.0.0.1:" + port
		if a := p.do(t, "GET", "/healthz", ""); a.status != 200 {
			t.Errorf("%v: status %d", args, a.status)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	data := t.TempDir()
	modeltest.Write(t, data+"/models", shop("v1"))
	modeltest.MakeChampion(t, data+"/models", "v1")
	p := start(t, data, "--tls-cert-file", cert, "--tls-key-file", key)
	p.ready(t, "v1")
	addr := strings.TrimPrefix(p.url, "http://")
	p.url = "https://" + addr
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "shop.example"}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	a, err := p.try(&http.Client{Transport: transport}, "GET", "/v1/items/popular?limit=1", "")
	if err != nil || a.status != 200 {
		t.Fatalf("status %d, %v", a.status, err)
	}
	if _, err := p.try(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "GET", "/healthz", ""); err == nil {
		t.Error("a client that does not know the certificate was content")
	}
	_, err = tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "shop.example", MaxVersion: tls.VersionTLS11})
	if err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	other, otherKey, _ := certificate(t)
	for _, c := range []struct {
		cert, key string
		code      int
		says      string
	}{{cert, key, 0, ""}, {other, otherKey, 1, "another certificate"}} {
		var out bytes.Buffer
		args := []string{"--healthcheck", "--addr", addr, "--tls-cert-file", c.cert, "--tls-key-file", c.key}
		if code := run(context.Background(), context.Background(), args, func(string) string { return "" }, &out, &out); code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("the health check ended with %d: %s", code, out.String())
		}
	}
}

// certificate makes one for shop.example, and what trusts it.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{"shop.example"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile, pool = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	writeFile(t, certFile, string(certPEM))
	writeFile(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, pool
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		share string
		least int
		most  int
	}{{"0", 0, 0}, {"1", 300, 300}, {"0.5", 75, 225}} { // half of 300: beyond this range with odds below 10⁻¹⁷
		p := start(t, t.TempDir(), "--access-log-sample", c.share)
		for range 300 {
			p.do(t, "GET", "/healthz", "")
		}
		p.stop()
		<-p.code
		if n := p.log.count(`"route":"/healthz"`); n < c.least || n > c.most {
			t.Errorf("share %s: %d of 300 requests were logged", c.share, n)
		}
	}
	p := start(t, t.TempDir(), "--access-log-sample", "0.000001")
	p.do(t, "GET", "/readyz", "", "X-Request-ID", "my-own")
	p.stop()
	<-p.code
	for _, part := range []string{`"id":"my-own"`, `"method":"GET"`, `"route":"/readyz"`, `"status":503`, `"remote":"127.0.0.1"`} {
		if p.log.count(part) != 1 {
			t.Errorf("what failed is not logged with %s once:\n%s", part, p.log.text())
		}
	}
}

// Each request is a span of the caller's trace, named by its route. The last ones are sent before the program ends.
func TestTraces(t *testing.T) {
	t.Parallel()
	received := make(chan *v1.ExportTraceServiceRequest, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		var sent v1.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(data, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		received <- &sent
	}))
	defer collector.Close()
	data := t.TempDir()
	modeltest.Write(t, data+"/models", shop("v1"))
	modeltest.MakeChampion(t, data+"/models", "v1")
	p := start(t, data, "--otlp-endpoint", collector.URL+"/")
	p.ready(t, "v1")
	p.do(t, "GET", "/v1/visitors/anna/recommendations", "", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	p.stop()
	if code := <-p.code; code != 0 {
		t.Errorf("the program ended with %d:\n%s", code, p.log.text())
	}
	select {
	case sent := <-received:
		text := sent.String()
		for _, part := range []string{"GET /v1/visitors/:visitorid/recommendations", "cartwheel-api", "cartwheel.model_version", "v1"} {
			if !strings.Contains(text, part) {
				t.Errorf("the span does not say %q: %s", part, text)
			}
		}
		if id := sent.ResourceSpans[0].ScopeSpans[0].Spans[0].TraceId; !bytes.HasPrefix(id, []byte{0x0a, 0xf7, 0x65, 0x19}) {
			t.Errorf("the span is in the trace %x", id)
		}
	default:
		t.Error("no span was sent before the end")
	}
}

// A collector that is away takes nothing from the requests.
func TestTracesThatNobodyTakes(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), "--otlp-endpoint", "http://127.0.0.1:1")
	if a := p.do(t, "GET", "/healthz", ""); a.status != 200 {
		t.Errorf("status %d", a.status)
	}
	p.stop()
	if code := <-p.code; code != 0 {
		t.Errorf("the program ended with %d:\n%s", code, p.log.text())
	}
}
