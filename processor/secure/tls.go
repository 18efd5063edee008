package secure

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// config is what clients know of TLS. The client's certificate is read again for each connection, so that a
// renewed one is used without a restart.
func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != SystemCAs {
		var err error
		if c.RootCAs, err = authorities(t.CA); err != nil {
			return nil, fmt.Errorf("kafka.tls.ca: %w", err)
		}
	}
	if t.Cert == "" {
		return c, nil
	}
	load := func() (*tls.Certificate, error) {
		own, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert and kafka.tls.key: %w", err)
		}
		return &own, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return c, nil
}

// authorities reads a PEM file of certificates.
func authorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate: give it in PEM, as -----BEGIN CERTIFICATE-----", file)
	}
	return pool, nil
}
