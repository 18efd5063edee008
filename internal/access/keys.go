package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that tokens may be signed with: all with a key pair. None and those with a shared
// secret, for which a public key could be taken, are not among them.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

// keySet is the public keys of whoever issues tokens. It implements oidc.KeySet and may be used from any
// goroutine.
type keySet struct {
	read  func(context.Context) ([]byte, error)
	every time.Duration // how often keys are read again; 0: never
	pause time.Duration // the least time between two readings, whatever tokens say

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	readAt  time.Time // when the keys were read
	triedAt time.Time // when it was last tried
}

const (
	keysEvery = time.Hour
	keysPause = 10 * time.Second
	mostKeys  = 1 << 20 // bytes
)

// fileKeys reads a JWKS from a file, once.
func fileKeys(path string) (*keySet, error) {
	k := &keySet{read: func(context.Context) ([]byte, error) { return os.ReadFile(path) }}
	if err := k.refresh(context.Background()); err != nil {
		return nil, fmt.Errorf("reading the keys that tokens are signed with from %s: %w", path, err)
	}
	return k, nil
}

// remoteKeys reads a JWKS from a URL when it is first needed, every hour, and when a token names a key that
// is not there.
func remoteKeys(url, ca string) (*keySet, error) {
	client := &http.Client{Timeout: 10 * time.Second}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("reading who signed the certificate of the keys: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading who signed the certificate of the keys: %s has no PEM certificate", ca)
		}
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, Proxy: http.ProxyFromEnvironment}
	}
	read := func(ctx context.Context) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s answered %s", url, resp.Status)
		}
		return io.ReadAll(io.LimitReader(resp.Body, mostKeys))
	}
	return &keySet{read: read, every: keysEvery, pause: keysPause}, nil
}

// refresh reads the keys. It is for one goroutine at a time.
func (k *keySet) refresh(ctx context.Context) error {
	k.triedAt = time.Now()
	data, err := k.read(ctx)
	if err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(data, &set); err != nil {
		return fmt.Errorf("it is no JSON Web Key Set: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, key := range set.Keys {
		switch {
		case key.Use == "enc" || !key.Valid():
		case !key.IsPublic():
			return errors.New("it has a key that is not public: publish public keys alone")
		default:
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return errors.New("it has no key for signatures")
	}
	k.keys, k.readAt = keys, k.triedAt
	return nil
}

// find gives the keys of that id, or all when a token names none, reading them again where need be.
func (k *keySet) find(ctx context.Context, id string) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	named := func() (found []jose.JSONWebKey) {
		for _, key := range k.keys {
			if id == "" || key.KeyID == id {
				found = append(found, key)
			}
		}
		return found
	}
	found := named()
	now := time.Now()
	stale := k.every > 0 && now.Sub(k.readAt) > k.every
	if (len(found) > 0 && !stale) || k.every == 0 || now.Sub(k.triedAt) < k.pause {
		return found, nil
	}
	// Who gave up must not leave the others without keys.
	if err := k.refresh(context.WithoutCancel(ctx)); err != nil {
		if len(found) > 0 {
			return found, nil // whoever issues tokens may be away for a while
		}
		return nil, fmt.Errorf("the keys that it could be signed with cannot be read: %w", err)
	}
	return named(), nil
}

// VerifySignature implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errors.New("it is not signed as tokens are")
	}
	keys, err := k.find(ctx, signed.Signatures[0].Header.KeyID)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if payload, err := signed.Verify(&key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("it is not signed with a key that is known")
}
