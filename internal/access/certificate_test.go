package access

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/kafkatest"
)

// site is a service on loopback that says who asks, with its files.
type site struct {
	t          *testing.T
	url        string
	authority  *kafkatest.Authority
	ca         string // of the service
	cert, key  string
	clientCA   string
	certified  *kafkatest.Authority // who signs callers' certificates
	logged     *locked
	gate       *Gate
	clientCert string
	clientKey  string
}

// locked is a buffer for any goroutine.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newSite(t *testing.T, required bool) *site {
	s := &site{t: t, authority: kafkatest.NewAuthority(t), certified: kafkatest.NewAuthority(t), logged: &locked{}}
	dir := t.TempDir()
	s.ca, s.clientCA = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "clients.pem")
	s.put(s.ca, s.authority.PEM)
	s.put(s.clientCA, s.certified.PEM)
	s.cert, s.key = s.authority.Files(t, "127.0.0.1")
	s.clientCert, s.clientKey = s.certified.Files(t, "ward-terminal")
	var err error
	s.gate, err = NewGate(Options{Certificates: []string{"vigil.read"}})
	require.NoError(t, err)
	own := TLS{Cert: s.cert, Key: s.key, ClientCA: s.clientCA, Required: required, Logger: slog.New(slog.NewTextHandler(s.logged, nil))}
	settings, err := own.Server()
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{TLSConfig: settings, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := s.gate.Caller(r)
		if err != nil || !c.May(Read) || c.May(Write) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, r.Proto+" "+c.Who)
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	s.url = "https://" + listener.Addr().String()
	return s
}

func (s *site) put(path, text string) {
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o600))
}

// ask asks over a connection of its own; the answer is its text, or its status.
func (s *site) ask(cert, key string, change func(*tls.Config)) (string, error) {
	settings, err := Client(s.ca, cert, key, nil)
	require.NoError(s.t, err)
	if change != nil {
		change(settings)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true, DisableKeepAlives: true}, Timeout: 20 * time.Second}
	resp, err := client.Get(s.url)
	if err != nil {
		require.NotErrorIs(s.t, err, context.DeadlineExceeded)
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		return resp.Status, nil
	}
	return string(body), err
}

func TestACertificateSaysWhoAsks(t *testing.T) {
	for _, required := range []bool{false, true} {
		s := newSite(t, required)
		got, err := s.ask(s.clientCert, s.clientKey, nil)
		require.NoError(t, err)
		require.Equal(t, "HTTP/2.0 CN=ward-terminal", got)

		got, err = s.ask("", "", nil)
		if required {
			require.Error(t, err, "nobody gets in without one")
		} else {
			require.NoError(t, err)
			require.Equal(t, "401 Unauthorized", got)
		}

		stranger, strangersKey := kafkatest.NewAuthority(t).Files(t, "ward-terminal")
		_, err = s.ask("", "", func(c *tls.Config) { // also of one who shows it though it is not asked for
			pair, err := tls.LoadX509KeyPair(stranger, strangersKey)
			require.NoError(t, err)
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		})
		require.Error(t, err, "of a stranger")
	}
}

func TestOldVersionsOfTLSAreNotSpoken(t *testing.T) {
	s := newSite(t, false)
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, err := s.ask("", "", func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version })
		require.Equal(t, ok, err == nil, "%s: %v", tls.VersionName(version), err)
	}
}

func TestAServiceOfAnotherAuthorityIsNotBelieved(t *testing.T) {
	s := newSite(t, false)
	s.put(s.ca, s.certified.PEM)
	_, err := s.ask("", "", nil)
	var unknown *tls.CertificateVerificationError
	require.True(t, errors.As(err, &unknown), err)
}

func TestFilesThatAreReplacedAreUsedWithoutARestart(t *testing.T) {
	s := newSite(t, true)
	cert, key := s.certified.Files(t, "another")
	eventually := func(what string, is func(got string, err error) bool) {
		t.Helper()
		require.Eventually(t, func() bool { return is(s.ask(s.clientCert, s.clientKey, nil)) }, 20*time.Second, 50*time.Millisecond, what)
	}
	text := func(path string) string {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(data)
	}
	// A pair that does not fit together, while it is being replaced, or for longer.
	before := text(s.key)
	s.put(s.key, text(key))
	eventually("it is said", func(got string, err error) bool {
		require.NoError(t, err, "and the one before goes on")
		return bytes.Contains([]byte(s.logged.String()), []byte("cannot be used"))
	})
	s.put(s.key, before)

	// Another authority for the service.
	next := kafkatest.NewAuthority(t)
	certPEM, keyPEM := next.Pair(t, "127.0.0.1")
	s.put(s.ca, next.PEM)
	_, err := s.ask(s.clientCert, s.clientKey, nil)
	require.Error(t, err)
	s.put(s.cert, certPEM)
	s.put(s.key, keyPEM)
	eventually("a new certificate", func(_ string, err error) bool { return err == nil })

	// Another authority for callers: who was believed is no more.
	s.put(s.clientCA, next.PEM)
	eventually("a new authority", func(_ string, err error) bool { return err != nil })
	_, err = s.ask(cert, key, nil)
	require.Error(t, err)
	s.clientCert, s.clientKey = next.Files(t, "ward-terminal")
	got, err := s.ask(s.clientCert, s.clientKey, nil)
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0 CN=ward-terminal", got)
}

func TestFilesThatAreNoneAreRefusedAtTheStart(t *testing.T) {
	s := newSite(t, false)
	none := filepath.Join(t.TempDir(), "none")
	s.put(none+"-text", "nothing")
	for name, own := range map[string]TLS{
		"no certificate": {Cert: none, Key: s.key},
		"no key":         {Cert: s.cert, Key: none},
		"another's key":  {Cert: s.cert, Key: s.clientKey},
		"no authority":   {Cert: s.cert, Key: s.key, ClientCA: none},
		"a text":         {Cert: s.cert, Key: s.key, ClientCA: none + "-text"},
	} {
		_, err := own.Server()
		require.Error(t, err, name)
	}
	_, err := Client(none, "", "", nil)
	require.Error(t, err)
	_, err = Client("", s.cert, none, nil)
	require.Error(t, err)
}
