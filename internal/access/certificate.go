package access

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLS says how a service and its callers know each other.
type TLS struct {
	Cert, Key string // PEM files of the service
	ClientCA  string // PEM file of who signs callers' certificates; "" asks callers for none
	Required  bool   // callers without a certificate are refused at the handshake
}

// Enabled says whether the service speaks TLS.
func (t *TLS) Enabled() bool { return t.Cert != "" }

// Server makes the configuration of a server. A certificate that is replaced on the disk is used from the
// next connection on.
func (t *TLS) Server() (*tls.Config, error) {
	pair := &certificate{cert: t.Cert, key: t.Key}
	if _, err := pair.load(); err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.load() }}
	if t.ClientCA == "" {
		return c, nil
	}
	var err error
	if c.ClientCAs, err = pool(t.ClientCA); err != nil {
		return nil, err
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven
	if t.Required {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// Client makes the configuration of a client: ca is a PEM file of who signed the service's certificate, ""
// the system's; cert and key are the client's own, or "".
func Client(ca, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		var err error
		if c.RootCAs, err = pool(ca); err != nil {
			return nil, err
		}
	}
	if cert != "" {
		pair := &certificate{cert: cert, key: key}
		if _, err := pair.load(); err != nil {
			return nil, err
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.load() }
	}
	return c, nil
}

func pool(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate authority: %w", err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the certificate authority: %s has no PEM certificate", path)
	}
	return p, nil
}

// certificate is a pair of PEM files that may be replaced.
type certificate struct {
	cert, key string

	mu       sync.Mutex
	pair     *tls.Certificate
	modified [2]time.Time
	looked   time.Time
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// load gives the pair as it is on the disk. One that is just being replaced, and does not fit together, leaves
// the one before.
func (c *certificate) load() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.pair != nil && now.Sub(c.looked) < lookEvery {
		return c.pair, nil
	}
	c.looked = now
	var modified [2]time.Time
	for i, path := range []string{c.cert, c.key} {
		info, err := os.Stat(path)
		if err != nil {
			if c.pair != nil {
				return c.pair, nil
			}
			return nil, fmt.Errorf("reading the certificate: %w", err)
		}
		modified[i] = info.ModTime()
	}
	if c.pair != nil && modified == c.modified {
		return c.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		if c.pair != nil {
			return c.pair, nil
		}
		return nil, fmt.Errorf("reading the certificate %s with its key %s: %w", c.cert, c.key, err)
	}
	c.pair, c.modified = &pair, modified
	return c.pair, nil
}
