package access

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// issuer issues tokens.
type issuer struct {
	t    *testing.T
	keys map[string]any // private, by id
	algs map[string]jose.SignatureAlgorithm
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t, keys: map[string]any{}, algs: map[string]jose.SignatureAlgorithm{}}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, d, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	i.add("rsa", r, jose.RS256)
	i.add("pss", r, jose.PS256)
	i.add("ec", e, jose.ES256)
	i.add("ed", d, jose.EdDSA)
	return i
}

func (i *issuer) add(id string, key any, alg jose.SignatureAlgorithm) {
	i.keys[id], i.algs[id] = key, alg
}

func (i *issuer) set(ids ...string) []byte {
	var set jose.JSONWebKeySet
	for _, id := range ids {
		set.Keys = append(set.Keys, (&jose.JSONWebKey{Key: i.keys[id], KeyID: id, Algorithm: string(i.algs[id]), Use: "sig"}).Public())
	}
	data, err := json.Marshal(set)
	require.NoError(i.t, err)
	return data
}

// sign signs claims with a key under an id, which may be another's.
func (i *issuer) sign(alg jose.SignatureAlgorithm, key any, id string, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	require.NoError(i.t, err)
	payload, err := json.Marshal(claims)
	require.NoError(i.t, err)
	signed, err := signer.Sign(payload)
	require.NoError(i.t, err)
	token, err := signed.CompactSerialize()
	require.NoError(i.t, err)
	return token
}

func (i *issuer) token(id string, change func(claims map[string]any)) string {
	claims := map[string]any{"iss": "https://login", "aud": "vigil", "sub": "dr-who", "azp": "ward-app", "exp": time.Now().Add(time.Hour).Unix(), "scope": "vigil.read openid"}
	if change != nil {
		change(claims)
	}
	return i.sign(i.algs[id], i.keys[id], id, claims)
}

func (i *issuer) gate(ids ...string) *Gate {
	path := filepath.Join(i.t.TempDir(), "keys.json")
	require.NoError(i.t, os.WriteFile(path, i.set(ids...), 0o600))
	g, err := NewGate(Options{KeysFile: path, Issuer: "https://login", Audience: "vigil"})
	require.NoError(i.t, err)
	i.t.Cleanup(g.Close)
	return g
}

func pemOf(certificate []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
}

func asking(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func TestAValidTokenSaysWhoAsksAndWhatTheyMay(t *testing.T) {
	i := newIssuer(t)
	g := i.gate("rsa", "pss", "ec", "ed")
	for id := range i.keys {
		for range 2 { // the second time it is remembered
			c, err := g.Caller(asking(i.token(id, nil)))
			require.NoError(t, err, id)
			require.Equal(t, "dr-who", c.Who)
			require.Equal(t, "ward-app", c.Client)
			require.True(t, c.May(Read))
			require.False(t, c.May(Write))
		}
	}
	for _, scp := range []any{"vigil.admin vigil.write", []string{"vigil.admin", "vigil.write"}} {
		c, err := g.Caller(asking(i.token("ec", func(c map[string]any) { delete(c, "scope"); c["scp"] = scp; c["aud"] = []string{"other", "vigil"} })))
		require.NoError(t, err)
		require.Equal(t, Admin|Write, c.Scope)
	}
}

func TestATokenThatIsNotForHereIsRefused(t *testing.T) {
	i := newIssuer(t)
	stranger := newIssuer(t)
	g := i.gate("rsa", "ec")
	public, err := x509.MarshalPKIXPublicKey(i.keys["rsa"].(*rsa.PrivateKey).Public())
	require.NoError(t, err)
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	claims := map[string]any{"iss": "https://login", "aud": "vigil", "sub": "x", "exp": time.Now().Add(time.Hour).Unix(), "scope": "vigil.admin"}
	good := i.token("ec", nil)
	parts := strings.Split(good, ".")
	cases := map[string]string{
		"expired":              i.token("ec", func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() }),
		"without an end":       i.token("ec", func(c map[string]any) { delete(c, "exp") }),
		"not valid yet":        i.token("ec", func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() }),
		"for another service":  i.token("ec", func(c map[string]any) { c["aud"] = "other" }),
		"of another issuer":    i.token("ec", func(c map[string]any) { c["iss"] = "https://elsewhere" }),
		"by a key not there":   i.token("ed", nil),
		"by a stranger's key":  stranger.token("ec", nil),
		"under another's name": i.sign(jose.ES256, stranger.keys["ec"], "ec", claims),
		"public key as secret": i.sign(jose.HS256, secret, "rsa", claims),
		"unsigned":             "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"cut":                  good[:len(good)-4],
		"claims changed":       parts[0] + "." + strings.Split(i.token("ec", func(c map[string]any) { c["scope"] = "vigil.admin" }), ".")[1] + "." + parts[2],
		"no token at all":      "nonsense",
	}
	for name, token := range cases {
		_, err := g.Caller(asking(token))
		require.ErrorIs(t, err, ErrToken, name)
	}
	_, err = g.Caller(asking(""))
	require.ErrorIs(t, err, ErrNoCredentials)
	for name, token := range map[string]string{
		"good":                                   good,
		"whose end is a moment ago by our clock": i.token("ec", func(c map[string]any) { c["exp"] = time.Now().Add(-leeway / 2).Unix() }),
		"whose beginning is in a moment by our clock": i.token("ec", func(c map[string]any) { c["nbf"] = time.Now().Add(leeway).Unix() }),
	} {
		_, err = g.Caller(asking(token))
		require.NoError(t, err, name)
	}
}

func TestScopesGrantWhatTheySay(t *testing.T) {
	for words, want := range map[string]Scope{
		"":                                     0,
		"openid profile":                       0,
		"vigil.read":                           Read,
		"vigil.write vigil.explain":            Write | Explain,
		"vigil.admin":                          Admin,
		"system/*.read":                        Read | Explain,
		"system/*.rs":                          Read | Explain,
		"system/*.cruds":                       Read | Explain | Write,
		"system/*.*":                           Read | Explain | Write,
		"system/*.write":                       Write,
		"system/*.cud":                         Write,
		"system/*.cu":                          0, // not all that Write is; see below
		"system/*.c":                           0,
		"system/*.r":                           0,
		"system/*.sr":                          0,
		"system/*.rs?status=final":             0,
		"system/Observation.read":              0,
		"system/Observation.write":             0,
		"user/*.read":                          0,
		"patient/*.rs":                         0,
		"system/":                              0,
		"system/.read":                         0,
		"vigil.read.all VIGIL.WRITE vigil.":    0,
		"system/Patient.cud system/*.readable": 0,
	} {
		require.Equal(t, want, ParseScopes(strings.Fields(words)).Scope, words)
	}
	require.Equal(t, "vigil.write vigil.admin", (Write | Admin).String())
}

func TestWritingIsGrantedByTypeAndDeed(t *testing.T) {
	for words, want := range map[string]struct{ write, remove, some bool }{ // of an Observation
		"":                         {},
		"vigil.read":               {},
		"vigil.write":              {true, true, true},
		"system/*.cud":             {true, true, true},
		"system/*.cu":              {true, false, true},
		"system/*.d":               {false, true, true},
		"system/Observation.write": {true, true, true},
		"system/Observation.cu":    {true, false, true},
		"system/Observation.d":     {false, true, true},
		"system/Observation.cu system/Observation.d": {true, true, true},
		"system/Observation.c":                       {},
		"system/Observation.rs":                      {},
		"system/Condition.cud":                       {false, false, true},
		"system/Condition.cud system/*.d":            {false, true, true},
	} {
		g := ParseScopes(strings.Fields(words))
		require.Equal(t, want.write, g.MayWrite("Observation"), words)
		require.Equal(t, want.remove, g.MayDelete("Observation"), words)
		require.Equal(t, want.some, g.MayWriteSome(), words)
	}
}
