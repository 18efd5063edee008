//go:build kafka

package endtoend

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/kafkatest"
)

const kafkaPassword = "c0rrect-horse"

// guarded is a Kafka that talks TLS only, and only to those that log in.
type guarded struct {
	*kafkatest.Cluster
	ca string // file with its authority
}

// guard starts a Kafka whose listener for clients takes these mechanisms. The properties are those of that
// listener.
func guard(t *testing.T, mechanisms string, o kafkatest.Options) *guarded {
	t.Helper()
	pki := kafkatest.NewAuthority(t)
	cert, key := pki.Pair(t, "127.0.0.1")
	listener := map[string]string{"sasl.enabled.mechanisms": mechanisms,
		"ssl.keystore.type": "PEM", "ssl.keystore.certificate.chain": cert, "ssl.keystore.key": key}
	maps.Copy(listener, o.Properties)
	o.Properties = map[string]string{}
	for name, value := range listener {
		o.Properties["listener.name.client."+name] = value
	}
	o.Protocol = "SASL_SSL"
	return &guarded{kafkatest.Start(t, o), file(t, pki.PEM)}
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	write(t, name, text)
	return name
}

// flags let a server use the cluster with a mechanism.
func (g *guarded) flags(mechanism string, more ...string) []string {
	return append([]string{"--brokers", g.Brokers()[0], "--kafka-tls-ca", g.ca, "--kafka-sasl-mechanism", mechanism}, more...)
}

// takesIn says that a server with these flags takes an observation in, answers and explains.
func takesIn(t *testing.T, flags ...string) {
	t.Helper()
	rules := filepath.Join(t.TempDir(), "faults.yaml")
	write(t, rules, faultPack)
	s := serve(t, t.TempDir(), append(flags, "--rules", rules)...)
	status, header, body := s.send(http.MethodPost, "/v1/observations", mediaCompact, good(mediaCompact, "p1", 1))
	require.Equal(t, http.StatusOK, status, string(body))
	s.holds("p1", position(t, header, body), 1)
	s.settled(time.Minute)
	require.NotContains(t, s.logs.String(), kafkaPassword)
	s.stop()
}

// refused says that a server with these flags ends, and returns what it said.
func refused(t *testing.T, flags ...string) string {
	t.Helper()
	args := append([]string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0"}, flags...)
	cmd := exec.Command(binary, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Run(), &exit)
	require.Equal(t, 1, exit.ExitCode(), said.String())
	require.NotContains(t, said.String(), kafkaPassword)
	return said.String()
}

func TestAServerLogsInToKafkaBySCRAMOverTLS(t *testing.T) {
	login := "name=vigil,password=" + kafkaPassword
	g := guard(t, "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN", kafkatest.Options{
		Format: []string{"--add-scram", "SCRAM-SHA-256=[" + login + "]", "--add-scram", "SCRAM-SHA-512=[" + login + "]"},
		Properties: map[string]string{
			"scram-sha-256.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
			"scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
			"plain.sasl.jaas.config":         `org.apache.kafka.common.security.plain.PlainLoginModule required user_vigil="` + kafkaPassword + `";`,
		},
	})
	right, wrong := file(t, kafkaPassword+"\n"), file(t, "wrong")
	for i, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"} {
		t.Run(mechanism, func(t *testing.T) {
			takesIn(t, g.flags(mechanism, "--kafka-sasl-user", "vigil", "--kafka-sasl-password-file", right, "--kafka-prefix", fmt.Sprintf("s%d-", i))...)
			require.Contains(t, refused(t, g.flags(mechanism, "--kafka-sasl-user", "vigil", "--kafka-sasl-password-file", wrong)...),
				"correct the user, or the password in kafka.sasl.password_file")
		})
	}
	scram := []string{"--kafka-sasl-user", "vigil", "--kafka-sasl-password-file", right}
	t.Run("an authority that did not sign", func(t *testing.T) {
		stranger := &guarded{g.Cluster, file(t, kafkatest.NewAuthority(t).PEM)}
		require.Contains(t, refused(t, stranger.flags("SCRAM-SHA-256", scram...)...), "put the certificate of the one that did into it")
	})
	t.Run("a mechanism that is not offered", func(t *testing.T) {
		require.Contains(t, refused(t, g.flags("OAUTHBEARER", "--kafka-sasl-token-file", right)...), "does not offer OAUTHBEARER")
	})
	t.Run("no TLS", func(t *testing.T) {
		require.Contains(t, refused(t, "--brokers", g.Brokers()[0]), "set kafka.tls.ca or kafka.sasl.mechanism")
	})
	t.Run("no login", func(t *testing.T) {
		require.Contains(t, refused(t, "--brokers", g.Brokers()[0], "--kafka-tls-ca", g.ca), "set kafka.sasl.mechanism")
	})
	t.Run("TLS to a plain port", func(t *testing.T) {
		require.Contains(t, refused(t, "--brokers", g.Inside()[0], "--kafka-tls-ca", g.ca), "leave kafka.tls.ca out")
	})
}

// issuer gives out tokens for a client's credentials.
type issuer struct {
	*httptest.Server
	key   *rsa.PrivateKey
	asked atomic.Int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	var err error
	i.key, err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		id, secret, _ := r.BasicAuth()
		if id != "vigil" || secret != kafkaPassword || r.FormValue("grant_type") != "client_credentials" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": i.token(t, "kafka"), "token_type": "Bearer", "expires_in": 3600})
	}))
	t.Cleanup(i.Close)
	return i
}

// token is a signed JWT for an audience.
func (i *issuer) token(t *testing.T, audience string) string {
	text := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	now := time.Now().Unix()
	signed := text(map[string]any{"alg": "RS256", "kid": "1"}) + "." +
		text(map[string]any{"iss": "issuer", "sub": "vigil", "aud": audience, "iat": now, "exp": now + 3600, "scope": "kafka"})
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	require.NoError(t, err)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// keys is the file by which a broker knows the issuer's tokens.
func (i *issuer) keys(t *testing.T) string {
	t.Helper()
	number := base64.RawURLEncoding.EncodeToString
	b, err := json.Marshal(map[string]any{"keys": []any{map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1",
		"n": number(i.key.N.Bytes()), "e": number(big.NewInt(int64(i.key.E)).Bytes())}}})
	require.NoError(t, err)
	return file(t, string(b))
}

func TestAServerLogsInToKafkaWithTokens(t *testing.T) {
	i := newIssuer(t)
	keys := "file://" + i.keys(t)
	const oauth = "org.apache.kafka.common.security.oauthbearer."
	g := guard(t, "OAUTHBEARER", kafkatest.Options{
		JVM: []string{"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=" + keys},
		Properties: map[string]string{
			"oauthbearer.sasl.jaas.config":                   oauth + "OAuthBearerLoginModule required;",
			"oauthbearer.sasl.server.callback.handler.class": oauth + "OAuthBearerValidatorCallbackHandler",
			"sasl.oauthbearer.jwks.endpoint.url":             keys,
			"sasl.oauthbearer.expected.audience":             "kafka",
			"sasl.oauthbearer.expected.issuer":               "issuer",
		},
	})
	granted := func(secret string, more ...string) []string {
		return g.flags("OAUTHBEARER", append(more, "--kafka-sasl-token-url", i.URL, "--kafka-sasl-user", "vigil", "--kafka-sasl-password-file", file(t, secret), "--kafka-sasl-scopes", "kafka")...)
	}
	t.Run("from an endpoint", func(t *testing.T) {
		takesIn(t, granted(kafkaPassword)...)
		require.Positive(t, i.asked.Load())
	})
	t.Run("from a file", func(t *testing.T) {
		takesIn(t, g.flags("OAUTHBEARER", "--kafka-sasl-token-file", file(t, i.token(t, "kafka")), "--kafka-prefix", "file-")...)
	})
	t.Run("an endpoint that refuses", func(t *testing.T) {
		require.Contains(t, refused(t, granted("wrong")...), "invalid_client")
	})
	t.Run("a token for someone else", func(t *testing.T) {
		said := refused(t, g.flags("OAUTHBEARER", "--kafka-sasl-token-file", file(t, i.token(t, "another")))...)
		require.Contains(t, said, "issuer, audience and scope")
	})
}
