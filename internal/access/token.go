package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
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
	KeysFile string // with a JWKS; read once
	KeysCA   string // PEM file of who signed KeysURL's certificate; "" the system's
	Issuer   string // what a token's iss must be
	Audience string // what a token's aud must have

	// Certificates is what a caller may who shows a certificate that TLS has verified, and no token.
	Certificates []string
}

// Caller is who asks.
type Caller struct {
	Who    string // the token's sub, or the certificate's subject
	Client string // the program: the token's client_id or azp; "" not stated
	Grants
}

// Gate finds out who asks. It may be used from any goroutine.
type Gate struct {
	verifier     *oidc.IDTokenVerifier // nil: tokens are not looked at
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

// NewGate makes a gate. Keys from a URL are read when they are first needed.
func NewGate(o Options) (*Gate, error) {
	g := &Gate{certificates: ParseScopes(o.Certificates), seen: make(map[[sha256.Size]byte]seen)}
	var keys *keySet
	var err error
	switch {
	case o.KeysFile != "":
		keys, err = fileKeys(o.KeysFile)
	case o.KeysURL != "":
		keys, err = remoteKeys(o.KeysURL, o.KeysCA)
	default:
		return g, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range algorithms {
		names = append(names, string(a))
	}
	g.verifier = oidc.NewVerifier(o.Issuer, keys, &oidc.Config{ClientID: o.Audience, SupportedSigningAlgs: names})
	return g, nil
}

// Caller says who asks. The errors: ErrNoCredentials, and ErrToken with what is wrong with it.
func (g *Gate) Caller(r *http.Request) (Caller, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && token != "" && g.verifier != nil {
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
	verified, err := g.verifier.Verify(ctx, token)
	if err != nil {
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
