//go:build integration

package kafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"hash"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"cartwheel/internal/kafka"
	"cartwheel/internal/kafka/kafkatest"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key, a.cert = a.issue(name, true)
	return a
}

func (a *authority) issue(name string, ca bool) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := a.cert, a.key
	if ca {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert
}

func (a *authority) write(name string, blocks ...*pem.Block) string {
	a.t.Helper()
	var b []byte
	for _, block := range blocks {
		b = append(b, pem.EncodeToMemory(block)...)
	}
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// files writes a key and a certificate, apart and together, and the authority's own certificate.
func (a *authority) files(name string) (cert, key, both, ca string) {
	a.t.Helper()
	k, c := a.issue(name, false)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	keyBlock, certBlock := &pem.Block{Type: "PRIVATE KEY", Bytes: der}, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}
	return a.write(name+".crt", certBlock), a.write(name+".key", keyBlock), a.write(name+".pem", keyBlock, certBlock),
		a.write("ca.crt", &pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func addScramUser(t *testing.T, addr, user, password string, mechanism kafkago.ScramMechanism, h func() hash.Hash) {
	t.Helper()
	salt := []byte("salt of the test")
	salted, err := pbkdf2.Key(h, password, salt, 4096, h().Size())
	if err != nil {
		t.Fatal(err)
	}
	c := &kafkago.Client{Addr: kafkago.TCP(addr), Transport: &kafkago.Transport{}}
	res, err := c.AlterUserScramCredentials(t.Context(), &kafkago.AlterUserScramCredentialsRequest{
		Upsertions: []kafkago.UserScramCredentialsUpsertion{{Name: user, Mechanism: mechanism, Iterations: 4096, Salt: salt, SaltedPassword: salted}},
	})
	if err != nil || res.Results[0].Error != nil {
		t.Fatalf("%v %+v", err, res)
	}
}

func TestSecurityOnRealBroker(t *testing.T) {
	good, bad := newAuthority(t, "authority"), newAuthority(t, "somebody else")
	_, _, keystore, ca := good.files("broker")
	clientCert, clientKey, _, _ := good.files("client")
	strangerCert, strangerKey, _, wrongCA := bad.files("stranger")
	const jaas = `org.apache.kafka.common.security.`
	broker := kafkatest.NewBroker(t, []string{"SECURE:SASL_SSL", "MUTUAL:SSL", "OPEN:SASL_PLAINTEXT"},
		"ssl.keystore.type=PEM", "ssl.keystore.location="+keystore, "ssl.truststore.type=PEM", "ssl.truststore.location="+ca,
		"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		"listener.name.mutual.ssl.client.auth=required",
		`listener.name.secure.plain.sasl.jaas.config=`+jaas+`plain.PlainLoginModule required user_alice="secret of alice";`,
		`listener.name.secure.scram-sha-256.sasl.jaas.config=`+jaas+`scram.ScramLoginModule required;`,
		`listener.name.secure.scram-sha-512.sasl.jaas.config=`+jaas+`scram.ScramLoginModule required;`,
		`listener.name.open.plain.sasl.jaas.config=`+jaas+`plain.PlainLoginModule required user_alice="secret of alice";`,
		`listener.name.open.scram-sha-256.sasl.jaas.config=`+jaas+`scram.ScramLoginModule required;`,
		`listener.name.open.scram-sha-512.sasl.jaas.config=`+jaas+`scram.ScramLoginModule required;`)
	addScramUser(t, broker.Addr, "bob", "secret of bob", kafkago.ScramMechanismSha256, sha256.New)
	addScramUser(t, broker.Addr, "carol", "secret of carol", kafkago.ScramMechanismSha512, sha512.New)
	secure, mutual, open := fmt.Sprintf("127.0.0.1:%d", broker.Port+1), fmt.Sprintf("localhost:%d", broker.Port+2), fmt.Sprintf("127.0.0.1:%d", broker.Port+3)

	for name, c := range map[string]kafka.Config{
		"PLAIN over TLS":         {Servers: secure, Protocol: "SASL_SSL", Mechanism: "PLAIN", Username: "alice", Password: "secret of alice", CAFile: ca},
		"SCRAM-SHA-256 over TLS": {Servers: secure, Protocol: "SASL_SSL", Mechanism: "SCRAM-SHA-256", Username: "bob", Password: "secret of bob", CAFile: ca},
		"SCRAM-SHA-512 over TLS": {Servers: secure, Protocol: "SASL_SSL", Mechanism: "SCRAM-SHA-512", Username: "carol", Password: "secret of carol", CAFile: ca},
		"a client certificate":   {Servers: mutual, Protocol: "SSL", CAFile: ca, CertFile: clientCert, KeyFile: clientKey},
		"PLAIN without TLS":      {Servers: open, Protocol: "SASL_PLAINTEXT", Mechanism: "PLAIN", Username: "alice", Password: "secret of alice"},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := kafka.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			topic := kafkatest.Topic(t, client, 2)
			kafkatest.Send(t, client, topic, 1, "hello")
			if got := kafkatest.ReadAll(t, client, topic); len(got) != 1 || got[0].Value != "hello" {
				t.Errorf("%+v", got)
			}
			group, err := client.NewGroup(topic, topic, 6*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer group.Close()
			for {
				gen, err := group.Next(t.Context())
				if err != nil && kafka.Rejoin(err) {
					continue
				}
				if err != nil || len(gen.Assignments[topic]) != 2 {
					t.Errorf("%v", err)
				}
				break
			}
		})
	}
	for name, c := range map[string]struct {
		config kafka.Config
		says   string
	}{
		"a wrong password":        {kafka.Config{Servers: secure, Protocol: "SASL_SSL", Mechanism: "PLAIN", Username: "alice", Password: "guess", CAFile: ca}, "--sasl-password"},
		"a wrong SCRAM password":  {kafka.Config{Servers: secure, Protocol: "SASL_SSL", Mechanism: "SCRAM-SHA-256", Username: "bob", Password: "guess", CAFile: ca}, "--sasl-password"},
		"the other SCRAM":         {kafka.Config{Servers: secure, Protocol: "SASL_SSL", Mechanism: "SCRAM-SHA-512", Username: "bob", Password: "secret of bob", CAFile: ca}, "--sasl-mechanism"},
		"a wrong authority":       {kafka.Config{Servers: secure, Protocol: "SASL_SSL", Mechanism: "PLAIN", Username: "alice", Password: "secret of alice", CAFile: wrongCA}, "--ssl-ca-location"},
		"no authority":            {kafka.Config{Servers: secure, Protocol: "SASL_SSL", Mechanism: "PLAIN", Username: "alice", Password: "secret of alice"}, "--ssl-ca-location"},
		"no TLS to a TLS port":    {kafka.Config{Servers: secure, Protocol: "SASL_PLAINTEXT", Mechanism: "PLAIN", Username: "alice", Password: "secret of alice"}, "--security-protocol"},
		"nothing to a TLS port":   {kafka.Config{Servers: secure, Protocol: "PLAINTEXT"}, "--security-protocol"},
		"no SASL to a SASL port":  {kafka.Config{Servers: open, Protocol: "PLAINTEXT"}, "--security-protocol"},
		"TLS to a plain port":     {kafka.Config{Servers: broker.Addr, Protocol: "SSL", CAFile: ca}, "--security-protocol"},
		"SASL to a plain port":    {kafka.Config{Servers: broker.Addr, Protocol: "SASL_PLAINTEXT", Mechanism: "PLAIN", Username: "alice", Password: "x"}, "--s"},
		"no client certificate":   {kafka.Config{Servers: mutual, Protocol: "SSL", CAFile: ca}, "--ssl-certificate-location"},
		"a stranger's":            {kafka.Config{Servers: mutual, Protocol: "SSL", CAFile: ca, CertFile: strangerCert, KeyFile: strangerKey}, "--ssl-certificate-location"},
		"a key that is no key":    {kafka.Config{Servers: mutual, Protocol: "SSL", CAFile: ca, CertFile: clientCert, KeyFile: clientCert}, "--ssl-key-location"},
		"a CA file that is no CA": {kafka.Config{Servers: mutual, Protocol: "SSL", CAFile: clientKey}, "holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			client, err := kafka.Open(t.Context(), c.config)
			if err == nil {
				client.Close()
				t.Fatal("it was let in")
			}
			t.Log(err)
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want a hint at %s", err, c.says)
			}
			if took := time.Since(begun); took > 15*time.Second {
				t.Errorf("it took %s to say so", took)
			}
		})
	}
}
