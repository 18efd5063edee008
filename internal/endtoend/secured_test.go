package endtoend

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/kafkatest"
)

// login issues tokens, and writes the keys that these are signed with to a file.
func login(t *testing.T, keys string) (token func(scopes string) string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}})
	require.NoError(t, err)
	write(t, keys, string(set))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	require.NoError(t, err)
	return func(scopes string) string {
		claims, err := json.Marshal(map[string]any{"iss": "https://login", "aud": "vigil", "sub": "dr-who", "exp": time.Now().Add(time.Hour).Unix(), "scope": scopes})
		require.NoError(t, err)
		signed, err := signer.Sign(claims)
		require.NoError(t, err)
		text, err := signed.CompactSerialize()
		require.NoError(t, err)
		return text
	}
}

func TestInstancesThatAreSecuredAnswerWhoMayAsk(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	authority := kafkatest.NewAuthority(t)
	cert, key := authority.Files(t, "127.0.0.1")
	clientCert, clientKey := authority.Files(t, "ward-terminal")
	write(t, at("ca.pem"), authority.PEM)
	write(t, at("pack.yaml"), instancesPack)
	token := login(t, at("keys.json"))
	flags := append(newLog(t).flags(), "--rules", at("pack.yaml"), "--kafka-partitions", "6", "--standby", "1", "--kafka-session-timeout", "6s",
		"--http-tls-cert", cert, "--http-tls-key", key, "--http-tls-client-ca", at("ca.pem"), "--http-tls-peer-ca", at("ca.pem"),
		"--access-keys-file", at("keys.json"), "--access-issuer", "https://login", "--access-audience", "vigil",
		"--access-certificate-scopes", "vigil.read")
	var servers []*server
	for i := range 2 {
		servers = append(servers, serve(t, at(fmt.Sprint("data", i)), append(flags, "--access-log", at(fmt.Sprint("access", i)))...))
		require.True(t, strings.HasPrefix(servers[i].url, "https://"), servers[i].url)
	}
	write(t, at("token"), token("vigil.write vigil.read vigil.explain"))
	write(t, at("reader"), token("vigil.read"))

	var lines strings.Builder
	for p := range 12 {
		fmt.Fprintf(&lines, `{"patient":"s%d","code":"loinc|2823-3","time":"2026-01-01T00:00:00Z","value":6.4,"unit":"mmol/L"}`+"\n", p)
	}
	write(t, at("in.ndjson"), lines.String())
	command := func(args ...string) (string, int) {
		return vigil(t, append(args, "--ca", at("ca.pem"))...)
	}
	out, code := command("ingest", "--server", servers[0].url, "--token-file", at("token"), at("in.ndjson"))
	require.Zero(t, code, out)
	for p := range 12 { // about half of them are the other's
		patient := fmt.Sprint("s", p)
		require.Eventually(t, func() bool {
			out, code = command("alerts", "--server", servers[1].url, "--token-file", at("reader"), patient)
			return code == 0 && strings.Contains(out, "Potassium is high")
		}, 30*time.Second, 50*time.Millisecond, out)
	}
	out, code = command("alerts", "--server", servers[0].url, "--cert", clientCert, "--key", clientKey, "s1")
	require.Zero(t, code, "the certificate says who asks: %s", out)
	for _, c := range [][]string{
		{"alerts", "--server", servers[0].url, "s1"},                                                                       // nobody
		{"ingest", "--server", servers[0].url, "--token-file", at("reader"), at("in.ndjson")},                              // may not write
		{"rules", "activate", "--server", servers[0].url, "--token-file", at("token"), at("pack.yaml")},                    // may not administer
		{"ingest", "--server", servers[0].url, "--cert", clientCert, "--key", clientKey, "--retry", "0s", at("in.ndjson")}, // nor does the certificate write
	} {
		_, code := command(c...)
		require.NotZero(t, code, c)
	}
	_, code = vigil(t, "alerts", "--server", servers[0].url, "--token-file", at("token"), "s1")
	require.NotZero(t, code, "the service's certificate is nobody's that this machine believes")

	// A certificate that is replaced is used without a restart.
	before := leaf(t, servers[0].url, authority)
	again, againKey := authority.Files(t, "127.0.0.1")
	for from, to := range map[string]string{again: cert, againKey: key} {
		data, err := os.ReadFile(from)
		require.NoError(t, err)
		write(t, to, string(data))
	}
	require.Eventually(t, func() bool { return !leaf(t, servers[0].url, authority).Equal(before) }, 10*time.Second, 100*time.Millisecond)

	for _, s := range servers {
		s.stop()
		require.NotContains(t, s.logs.String(), "dr-who")
	}
	noted := ""
	for i := range servers {
		data, err := os.ReadFile(at(fmt.Sprint("access", i)))
		require.NoError(t, err)
		noted += string(data)
	}
	require.Contains(t, noted, `"who":"dr-who"`)
	require.Contains(t, noted, `"patient":"s1"`)
	require.Contains(t, noted, `"passedBy":"https://`)
	require.Contains(t, noted, "ward-terminal")
}

// leaf is the certificate that a service shows.
func leaf(t *testing.T, url string, a *kafkatest.Authority) *x509.Certificate {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(a.PEM))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	resp, err := client.Get(url + "/livez")
	require.NoError(t, err)
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.TLS.PeerCertificates[0]
}
