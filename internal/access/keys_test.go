package access

import (
	"bytes"
	"encoding/json"
	"log/slog"
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

// publisher answers with the keys that are published, or with an error while none are.
type publisher struct {
	*httptest.Server
	issuer *issuer
	set    atomic.Pointer[[]byte]
	reads  atomic.Int32
	hold   atomic.Pointer[chan struct{}] // answers wait until it is closed
}

func newPublisher(t *testing.T) *publisher {
	p := &publisher{issuer: newIssuer(t)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.reads.Add(1)
		if hold := p.hold.Load(); hold != nil {
			select {
			case <-*hold:
			case <-r.Context().Done():
			}
		}
		if data := p.set.Load(); data != nil {
			_, _ = w.Write(*data)
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) publish(ids ...string) { data := p.issuer.set(ids...); p.set.Store(&data) }

// keys reads what is published, whenever it is due.
func (p *publisher) keys(t *testing.T) *keySet {
	k, err := remoteKeys(p.URL, "", nil)
	require.NoError(t, err)
	t.Cleanup(k.end)
	k.pause = 0
	return k
}

func TestKeysAreReadWhenTheyAreNeededAndOneThatIsNotThereIsNotLookedForAgainAtOnce(t *testing.T) {
	p := newPublisher(t)
	p.publish("rsa")
	g, err := NewGate(Options{KeysURL: p.URL, Issuer: "https://login", Audience: "vigil"})
	require.NoError(t, err)
	defer g.Close()
	require.Zero(t, p.reads.Load(), "not before it is needed")
	_, err = g.Caller(asking(p.issuer.token("rsa", nil)))
	require.NoError(t, err)
	for range 5 {
		_, err = g.Caller(asking(p.issuer.token("ec", nil)))
		require.ErrorIs(t, err, ErrToken)
	}
	require.EqualValues(t, 1, p.reads.Load(), "whoever makes tokens up makes no load elsewhere")
}

func TestKeysThatAreRotatedAreFoundAndOldOnesForgotten(t *testing.T) {
	p := newPublisher(t)
	p.publish("rsa")
	k := p.keys(t)
	_, err := k.VerifySignature(t.Context(), p.issuer.token("rsa", nil))
	require.NoError(t, err)
	p.publish("ec")
	_, err = k.VerifySignature(t.Context(), p.issuer.token("ec", nil))
	require.NoError(t, err)
	_, err = k.VerifySignature(t.Context(), p.issuer.token("rsa", nil))
	require.Error(t, err)
}

func TestWhoeverIssuesTokensMayBeAwayOrHang(t *testing.T) {
	for name, away := range map[string]func(p *publisher){
		"away":  func(p *publisher) { p.set.Store(nil) },
		"hangs": func(p *publisher) { never := make(chan struct{}); p.hold.Store(&never) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPublisher(t)
			p.publish("ec")
			k := p.keys(t)
			_, err := k.VerifySignature(t.Context(), p.issuer.token("ec", nil))
			require.NoError(t, err)
			away(p)
			k.mu.Lock()
			k.every = time.Nanosecond
			k.mu.Unlock()
			for range 5 {
				_, err = k.VerifySignature(t.Context(), p.issuer.token("ec", nil))
				require.NoError(t, err, "the keys that are known go on")
			}
			require.Eventually(t, func() bool { return p.reads.Load() > 1 }, 10*time.Second, time.Millisecond, "it is tried")
		})
	}
}

func TestWhileKeysCannotBeReadNoTokenIsCalledBad(t *testing.T) {
	p := newPublisher(t)
	var logged bytes.Buffer
	g, err := NewGate(Options{KeysURL: p.URL, Issuer: "https://login", Audience: "vigil", Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	require.NoError(t, err)
	defer g.Close()
	for range 2 { // the second time without another look
		_, err = g.Caller(asking(p.issuer.token("ec", nil)))
		require.ErrorIs(t, err, ErrKeys)
		require.NotErrorIs(t, err, ErrToken)
		require.NotContains(t, err.Error(), p.URL, "a caller is not told what is where")
	}
	require.EqualValues(t, 1, p.reads.Load())
	g.Close()
	require.Contains(t, logged.String(), "502")
	_, err = g.Caller(asking("nonsense"))
	require.ErrorIs(t, err, ErrToken, "what is no token needs no key")
}

func TestAKeyFileThatIsReplacedIsReadAgain(t *testing.T) {
	i := newIssuer(t)
	path := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(path, i.set("rsa"), 0o600))
	k, err := fileKeys(path, nil)
	require.NoError(t, err)
	defer k.end()
	_, err = k.VerifySignature(t.Context(), i.token("rsa", nil))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, i.set("ed"), 0o600))
	_, err = k.VerifySignature(t.Context(), i.token("ed", nil))
	require.NoError(t, err)
}

func TestNoKeysAreTakenOverARedirectionThatIsNotSafe(t *testing.T) {
	p := newPublisher(t)
	p.publish("ec")
	safe := httptest.NewTLSServer(http.RedirectHandler(p.URL, http.StatusFound))
	defer safe.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pemOf(safe.Certificate().Raw), 0o600))
	k, err := remoteKeys(safe.URL, ca, nil)
	require.NoError(t, err)
	defer k.end()
	_, err = k.VerifySignature(t.Context(), p.issuer.token("ec", nil))
	require.ErrorIs(t, err, ErrKeys)
	require.Zero(t, p.reads.Load())
}

func TestAKeyOfAKindThatIsNotKnownHidesNoOther(t *testing.T) {
	i := newIssuer(t)
	text := strings.Replace(string(i.set("ec")), `"keys":[`, `"keys":[{"kty":"AKP","kid":"new","alg":"ML-DSA-44","pub":"AAAA"},`, 1)
	path := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	k, err := fileKeys(path, nil)
	require.NoError(t, err)
	defer k.end()
	_, err = k.VerifySignature(t.Context(), i.token("ec", nil))
	require.NoError(t, err)
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
