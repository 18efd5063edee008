package kafkatest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Authority signs certificates for tests. Whoever trusts PEM trusts them.
type Authority struct {
	PEM  string // its own certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority of its own, which nobody trusts yet.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	var der []byte
	der, a.key = a.sign(t, a.cert)
	var err error
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.PEM = block("CERTIFICATE", der)
	return a
}

// sign completes a certificate, with a key of its own, and signs it; the authority's own with itself.
func (a *Authority) sign(t testing.TB, c *x509.Certificate) (der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	require.NoError(t, err)
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err = x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, signer)
	require.NoError(t, err)
	return der, key
}

// Pair is a certificate for a server or client of that name, or address, and its key, as PEM texts.
func (a *Authority) Pair(t testing.TB, name string) (cert, key string) {
	t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, private := a.sign(t, c)
	text, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return block("CERTIFICATE", der), block("PRIVATE KEY", text)
}

// Certificate is Pair for a server in Go.
func (a *Authority) Certificate(t testing.TB, name string) tls.Certificate {
	t.Helper()
	cert, key := a.Pair(t, name)
	c, err := tls.X509KeyPair([]byte(cert), []byte(key))
	require.NoError(t, err)
	return c
}

// Files is Pair, in files that go with the test.
func (a *Authority) Files(t testing.TB, name string) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	certPEM, keyPEM := a.Pair(t, name)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, []byte(certPEM), 0o600))
	require.NoError(t, os.WriteFile(key, []byte(keyPEM), 0o600))
	return cert, key
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
