package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

var (
	// ErrNoCredentials means that a request shows neither a token nor a certificate.
	ErrNoCredentials = errors.New("the request shows no token")
	// ErrToken means that a token is not valid here.
	ErrToken = errors.New("the token is not valid")
)

// Options say whom to believe.
type Options struct {
	KeysURL  string // of a JWKS; "" with KeysFile
	KeysFile string // with a JWKS
	KeysCA   string // PEM file of who signed KeysURL's certificate; "" the system's
	Issuer   string // what a token's iss must be
	Audience string // what a token's aud must have

	// Certificates is what a caller may who shows a certificate that TLS has verified, and no token.
	Certificates []string

	Logger *slog.Logger // is told when keys cannot be read; nil: nobody is
}

// Caller is who asks.
type Caller struct {
	Who    string // the token's sub, or the certificate's subject
	Client string // the program: the token's client_id or azp; "" not stated
	Grants
}

// Gate finds out who asks. It may be used from any goroutine, until it is closed.
type Gate struct {
	keys         *keySet // nil: tokens are not looked at
	issuer       string
	rules        oidc.Config
	certificates Grants

	mu   sync.Mutex
	seen map[[sha256.Size]byte]seen
}

// seen is a token that was verified a moment ago.
type seen struct {
	caller Caller
	until  time.Time
}

// How long a token that was verified is believed without a look, and how many such are remembered.
const (
	seenTime = time.Minute
	mostSeen = 10_000
)

// leeway is how long after its end a token is still taken: clocks differ. Before its beginning it is five
// minutes less that, which go-oidc allows.
const leeway = 30 * time.Second

// NewGate makes a gate. Keys from a URL are read when they are first needed.
func NewGate(o Options) (*Gate, error) {
	g := &Gate{certificates: ParseScopes(o.Certificates), seen: make(map[[sha256.Size]byte]seen)}
	for _, word := range o.Certificates {
		if known := ParseScopes([]string{word}); known.Scope == 0 && !known.MayWriteSome() {
			return nil, fmt.Errorf("a caller with a certificate is given %q, which allows nothing here; use vigil.write, vigil.read, vigil.explain, vigil.admin or SMART system scopes", word)
		}
	}
	var err error
	switch {
	case o.KeysFile != "":
		g.keys, err = fileKeys(o.KeysFile, o.Logger)
	case o.KeysURL != "":
		g.keys, err = remoteKeys(o.KeysURL, o.KeysCA, o.Logger)
	}
	if err != nil {
		return nil, err
	}
	g.issuer = o.Issuer
	g.rules = oidc.Config{ClientID: o.Audience, Now: func() time.Time { return time.Now().Add(-leeway) }}
	for _, a := range algorithms {
		g.rules.SupportedSigningAlgs = append(g.rules.SupportedSigningAlgs, string(a))
	}
	return g, nil
}

// Close ends what the gate has under way. A nil gate has nothing.
func (g *Gate) Close() {
	if g != nil && g.keys != nil {
		g.keys.end()
	}
}

// Caller says who asks. The errors: ErrNoCredentials, ErrToken with what is wrong with it, and ErrKeys.
func (g *Gate) Caller(r *http.Request) (Caller, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && token != "" && g.keys != nil {
		return g.token(r.Context(), token)
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return Caller{Who: r.TLS.PeerCertificates[0].Subject.String(), Grants: g.certificates}, nil
	}
	return Caller{}, ErrNoCredentials
}

func (g *Gate) token(ctx context.Context, token string) (Caller, error) {
	sum := sha256.Sum256([]byte(token))
	now := time.Now()
	g.mu.Lock()
	known, ok := g.seen[sum]
	g.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.caller, nil
	}
	keys := &attempt{keys: g.keys}
	verified, err := oidc.NewVerifier(g.issuer, keys, &g.rules).Verify(ctx, token)
	switch {
	case keys.failed != nil:
		return Caller{}, keys.failed
	case err != nil:
		return Caller{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	var claims struct {
		Scope    string `json:"scope"`
		Scp      words  `json:"scp"`
		ClientID string `json:"client_id"`
		Party    string `json:"azp"`
	}
	if err := verified.Claims(&claims); err != nil {
		return Caller{}, fmt.Errorf("%w: its claims cannot be read", ErrToken)
	}
	caller := Caller{Who: verified.Subject, Client: claims.ClientID, Grants: ParseScopes(append(strings.Fields(claims.Scope), claims.Scp...))}
	if caller.Client == "" {
		caller.Client = claims.Party
	}
	until := now.Add(seenTime)
	if verified.Expiry.Before(until) {
		until = verified.Expiry
	}
	g.mu.Lock()
	if len(g.seen) >= mostSeen {
		clear(g.seen)
	}
	g.seen[sum] = seen{caller, until}
	g.mu.Unlock()
	return caller, nil
}

// attempt is one use of the keys. It remembers that they could not be read, which oidc tells as text alone.
type attempt struct {
	keys   *keySet
	failed error
}

// VerifySignature implements oidc.KeySet.
func (a *attempt) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := a.keys.VerifySignature(ctx, token)
	if errors.Is(err, ErrKeys) || ctx.Err() != nil {
		a.failed = err
	}
	return payload, err
}

// words is a list, or a text with spaces between.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*w = strings.Fields(text)
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}
