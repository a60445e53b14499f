// Package kafka is Cartwheel's access to a Kafka cluster: settings under Kafka's own names, topics, and the two calls that matter for
// speed, producing and fetching whole record batches. It builds on segmentio/kafka-go for connections, security, metadata and groups.
//
// It promises that a batch sent with a Producer is in the topic once when Send returns nil, in the order of the calls, whatever
// happens to connections and brokers in between; and that a Fetcher passes over nothing but what Kafka itself says holds no record.
// It knows nothing of events.
package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"cartwheel/internal/config"
)

// DefaultServers is where a broker on this machine listens.
const DefaultServers = "localhost:9092"

// Config says where the cluster is and how to be let in.
type Config struct {
	Servers   string // host:port, several separated by commas
	Protocol  string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username  string
	Password  string
	CAFile    string // PEM; empty: the system's authorities
	CertFile  string // PEM, a client certificate
	KeyFile   string // PEM, its key
	ClientID  string
}

var (
	protocols  = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}
	mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}
)

// Declare adds the cluster's settings to a program's.
func (c *Config) Declare(s *config.Set) {
	declare := func(into *string, name, variable, value, usage string) {
		s.StringVar(into, name, value, usage)
		s.Env(name, variable)
	}
	declare(&c.Servers, "bootstrap-servers", "KAFKA_BOOTSTRAP_SERVERS", DefaultServers, "`host:port` of one or more brokers, separated by commas")
	declare(&c.Protocol, "security-protocol", "KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", "`protocol`: "+strings.Join(protocols, ", "))
	declare(&c.Mechanism, "sasl-mechanism", "KAFKA_SASL_MECHANISM", "PLAIN", "`mechanism` for SASL: "+strings.Join(mechanisms, ", "))
	declare(&c.Username, "sasl-username", "KAFKA_SASL_USERNAME", "", "`user` for SASL")
	declare(&c.Password, "sasl-password", "KAFKA_SASL_PASSWORD", "", "`password` for SASL; better given in the environment, where other users cannot see it")
	declare(&c.CAFile, "ssl-ca-location", "KAFKA_SSL_CA_LOCATION", "", "PEM `file` of the authority that signed the brokers' certificates (default: the system's)")
	declare(&c.CertFile, "ssl-certificate-location", "KAFKA_SSL_CERTIFICATE_LOCATION", "", "PEM `file` of the client's certificate")
	declare(&c.KeyFile, "ssl-key-location", "KAFKA_SSL_KEY_LOCATION", "", "PEM `file` of the client's key")
}

// Check reports every setting that cannot be right.
func (c *Config) Check(p *config.Problems) {
	p.Check(len(c.addresses()) > 0, "--bootstrap-servers is empty: give host:port of at least one broker")
	for _, a := range c.addresses() {
		_, port, err := net.SplitHostPort(a)
		p.Check(err == nil && port != "", "--bootstrap-servers: %q is not host:port", a)
	}
	p.Check(slices.Contains(protocols, c.Protocol), "--security-protocol %q is none of %s", c.Protocol, strings.Join(protocols, ", "))
	if c.usesSASL() {
		p.Check(slices.Contains(mechanisms, c.Mechanism), "--sasl-mechanism %q is none of %s", c.Mechanism, strings.Join(mechanisms, ", "))
		p.Check(c.Username != "", "--sasl-username is empty, but --security-protocol %s needs one", c.Protocol)
	} else {
		p.Check(c.Username == "" && c.Password == "", "--sasl-username and --sasl-password have no effect with --security-protocol %s: use SASL_SSL or SASL_PLAINTEXT", c.Protocol)
	}
	if !c.usesTLS() {
		p.Check(c.CAFile == "" && c.CertFile == "" && c.KeyFile == "", "the --ssl-… files have no effect with --security-protocol %s: use SSL or SASL_SSL", c.Protocol)
	}
	p.Check((c.CertFile == "") == (c.KeyFile == ""), "--ssl-certificate-location and --ssl-key-location belong together: give both or neither")
}

func (c *Config) addresses() []string {
	var list []string
	for a := range strings.SplitSeq(c.Servers, ",") {
		if a = strings.TrimSpace(a); a != "" {
			list = append(list, a)
		}
	}
	return list
}

func (c *Config) usesSASL() bool { return strings.HasPrefix(c.Protocol, "SASL_") }
func (c *Config) usesTLS() bool  { return strings.HasSuffix(c.Protocol, "SSL") }

func (c *Config) sasl() (sasl.Mechanism, error) {
	if !c.usesSASL() {
		return nil, nil
	}
	switch c.Mechanism {
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, c.Username, c.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, c.Username, c.Password)
	}
	return plain.Mechanism{Username: c.Username, Password: c.Password}, nil
}

func (c *Config) tls() (*tls.Config, error) {
	if !c.usesTLS() {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("%w: reading --ssl-ca-location: %w", config.ErrUsage, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: --ssl-ca-location %s holds no certificate in PEM form", config.ErrUsage, c.CAFile)
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%w: reading --ssl-certificate-location and --ssl-key-location: %w", config.ErrUsage, err)
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}
