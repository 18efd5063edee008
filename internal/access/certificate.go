package access

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
)

// TLS says how a service and its callers know each other. Files that are replaced on the disk are used from
// the next connection on; those that do not fit together leave the ones before, and the logger is told.
type TLS struct {
	Cert, Key string // PEM files of the service
	ClientCA  string // PEM file of who signs callers' certificates; "" asks callers for none
	Required  bool   // callers without a certificate are refused at the handshake

	Logger *slog.Logger // nil: nobody is told
}

// Enabled says whether the service speaks TLS.
func (t *TLS) Enabled() bool { return t.Cert != "" }

// Server makes the configuration of a server.
func (t *TLS) Server() (*tls.Config, error) {
	pair, err := newPair(t.Cert, t.Key, t.Logger)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.load(), nil }}
	if t.ClientCA == "" {
		return c, nil
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven
	if t.Required {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	base := c.Clone()
	believing, err := newFiles(func() (*tls.Config, error) {
		authorities, err := pool(t.ClientCA)
		if err != nil {
			return nil, err
		}
		c := base.Clone()
		c.ClientCAs = authorities
		return c, nil
	}, t.Logger, t.ClientCA)
	if err != nil {
		return nil, err
	}
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return believing.load(), nil }
	return c, nil
}

// Client makes the configuration of a client: ca is a PEM file of who signed the service's certificate, ""
// the system's; cert and key are the client's own, or "". A certificate that is replaced is used from the
// next connection on; ca is read once.
func Client(ca, cert, key string, logger *slog.Logger) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		var err error
		if c.RootCAs, err = pool(ca); err != nil {
			return nil, err
		}
	}
	if cert != "" {
		pair, err := newPair(cert, key, logger)
		if err != nil {
			return nil, err
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.load(), nil }
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

func newPair(cert, key string, logger *slog.Logger) (*files[*tls.Certificate], error) {
	return newFiles(func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate %s with its key %s: %w", cert, key, err)
		}
		return &pair, nil
	}, logger, cert, key)
}
