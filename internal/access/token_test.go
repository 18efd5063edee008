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
	"sync/atomic"
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
	return g
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
	_, err = g.Caller(asking(good))
	require.NoError(t, err)
}

func TestAKeyThatIsNewIsFoundAndOneThatIsNotThereIsNotLookedForAgainAtOnce(t *testing.T) {
	i := newIssuer(t)
	var published atomic.Pointer[[]byte]
	var reads atomic.Int32
	publish := func(ids ...string) { data := i.set(ids...); published.Store(&data) }
	publish("rsa")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reads.Add(1)
		if data := published.Load(); data != nil {
			_, _ = w.Write(*data)
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer server.Close()
	g, err := NewGate(Options{KeysURL: server.URL, Issuer: "https://login", Audience: "vigil"})
	require.NoError(t, err)
	require.Zero(t, reads.Load(), "not before it is needed")
	_, err = g.Caller(asking(i.token("rsa", nil)))
	require.NoError(t, err)
	for range 5 {
		_, err = g.Caller(asking(i.token("ec", nil)))
		require.ErrorIs(t, err, ErrToken)
	}
	require.EqualValues(t, 1, reads.Load(), "whoever makes tokens up makes no load elsewhere")

	k, err := remoteKeys(server.URL, "")
	require.NoError(t, err)
	k.pause = 0
	_, err = k.VerifySignature(t.Context(), i.token("rsa", nil))
	require.NoError(t, err)
	publish("ec")
	_, err = k.VerifySignature(t.Context(), i.token("ec", nil))
	require.NoError(t, err, "keys were rotated")
	_, err = k.VerifySignature(t.Context(), i.token("rsa", nil))
	require.Error(t, err, "and the old one is gone")
	published.Store(nil)
	k.every = time.Nanosecond
	_, err = k.VerifySignature(t.Context(), i.token("ec", nil))
	require.NoError(t, err, "while they cannot be read the keys that are known go on")
}

func TestAKeySetThatIsNoneIsRefused(t *testing.T) {
	i := newIssuer(t)
	private, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.keys["ec"], KeyID: "ec"}}})
	require.NoError(t, err)
	for name, text := range map[string]string{"empty": "", "no keys": `{"keys":[]}`, "a private key": string(private)} {
		path := filepath.Join(t.TempDir(), "keys.json")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := NewGate(Options{KeysFile: path, Issuer: "i", Audience: "a"})
		require.ErrorContains(t, err, path, name)
	}
	_, err = NewGate(Options{KeysFile: filepath.Join(t.TempDir(), "none")})
	require.Error(t, err)
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
	g := ParseScopes([]string{"system/Observation.write", "system/Condition.cu"})
	require.True(t, g.MayWrite("Observation"))
	require.True(t, g.MayWrite("Condition"))
	require.False(t, g.MayWrite("Patient"))
	require.True(t, g.MayWriteSome())
	require.False(t, Grants{}.MayWriteSome())
	require.Equal(t, "vigil.write vigil.admin", (Write | Admin).String())
}

func TestTheAccessLogIsWrittenAndBegunAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l, err := OpenLog(path, nil)
	require.NoError(t, err)
	l.Write(&Entry{Who: "dr-who", Method: "GET", Route: "/v1/patients/{id}/alerts", Patient: "p1", Status: 200})
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, l.Reopen())
	l.Write(&Entry{Who: "nurse", Method: "GET", Route: "/v1/alerts", Status: 403})
	require.NoError(t, l.Healthy())
	require.NoError(t, l.Close())
	for at, who := range map[string]string{path + ".1": "dr-who", path: "nurse"} {
		data, err := os.ReadFile(at)
		require.NoError(t, err)
		var e Entry
		require.NoError(t, json.Unmarshal(data, &e))
		require.Equal(t, who, e.Who)
		info, err := os.Stat(at)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}
	none, err := OpenLog("", nil)
	require.NoError(t, err)
	none.Write(&Entry{})
	require.NoError(t, none.Healthy())
	require.NoError(t, none.Close())
	_, err = OpenLog(filepath.Join(t.TempDir(), "no", "such"), nil)
	require.Error(t, err)
}

func TestAnAccessLogThatCannotBeWrittenSaysSo(t *testing.T) {
	l, err := OpenLog("/dev/full", nil)
	require.NoError(t, err)
	l.Write(&Entry{Who: "x"})
	require.Eventually(t, func() bool { return l.Healthy() != nil }, 10*time.Second, 10*time.Millisecond)
	_ = l.Close()
}
