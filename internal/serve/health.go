package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

type health struct {
	Status       string `json:"status"`
	ModelVersion string `json:"model_version,omitempty"`
	Fault        string `json:"fault,omitempty"` // why the champion is not what is served
}

// healthz says that the process lives.
func (s *Server) healthz(c *gin.Context) { answerJSON(c, http.StatusOK, health{Status: "alive"}) }

// readyz says whether requests should be sent here: a version is loaded, and no stop is under way.
func (s *Server) readyz(c *gin.Context) {
	now, fault := s.champion.current.Load(), s.champion.fault.Load()
	switch {
	case s.draining.Load():
		fail(c, http.StatusServiceUnavailable, "", "the server is stopping")
	case now != nil && s.lagging() != "":
		fail(c, http.StatusServiceUnavailable, "", s.lagging())
	case now != nil:
		h := health{Status: "ready", ModelVersion: now.version}
		if fault != nil {
			h.Fault = *fault
		}
		answerJSON(c, http.StatusOK, h)
	case fault != nil:
		fail(c, http.StatusServiceUnavailable, "", *fault)
	default:
		fail(c, http.StatusServiceUnavailable, "", "the champion is being loaded")
	}
}

// contract serves the OpenAPI document.
func (s *Server) contract(c *gin.Context) {
	c.Data(http.StatusOK, "application/yaml", s.options.Contract)
}

// Healthcheck asks a server on this machine whether it is ready, for containers that have no other client. With a certificate it asks
// over TLS, and wants to be shown that one: the name on it need not be this machine's.
func Healthcheck(ctx context.Context, addr string, certificate *tls.Certificate) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("asking for readiness: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // an address to listen on, not one to call
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	client, scheme := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "http://"
	if certificate != nil {
		scheme = "https://"
		client.Transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			if !bytes.Equal(s.PeerCertificates[0].Raw, certificate.Certificate[0]) {
				return errors.New("another certificate than --tls-cert-file is shown")
			}
			return nil
		}}}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("asking for readiness: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking for readiness: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return fmt.Errorf("%s is not ready: %s: %s", request.URL, response.Status, body)
	}
	return nil
}
