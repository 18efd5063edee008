package access

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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

// ErrKeys means that it cannot be said whether a token is valid, since the keys that it could be signed with
// cannot be read.
var ErrKeys = errors.New("the keys that tokens are signed with cannot be read")

// keySet is the public keys of whoever issues tokens. It may be used from any goroutine. Keys that are known
// are used without waiting for others to be read, so that whoever issues tokens may be away, or slow.
type keySet struct {
	read   func(context.Context) ([]byte, error)
	every  time.Duration // how often keys are read again
	pause  time.Duration // the least time from one reading to the next, whatever tokens say
	logger *slog.Logger

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	failed  error         // of the last reading
	readAt  time.Time     // when the keys were read; zero: never
	triedAt time.Time     // when the last reading ended
	reading chan struct{} // closed at the end of the one that is under way; nil: none is

	ended  context.Context // once close is called
	close  context.CancelFunc
	joined sync.WaitGroup // the readings
}

const (
	remoteEvery = time.Hour
	fileEvery   = time.Minute
	keysPause   = 10 * time.Second
	keysTimeout = 10 * time.Second
	mostKeys    = 1 << 20 // bytes
)

func newKeySet(read func(context.Context) ([]byte, error), every time.Duration, logger *slog.Logger) *keySet {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	k := &keySet{read: read, every: every, pause: keysPause, logger: logger}
	k.ended, k.close = context.WithCancel(context.Background())
	return k
}

// fileKeys reads a JWKS from a file, which has to be there, and later on as remoteKeys does.
func fileKeys(path string, logger *slog.Logger) (*keySet, error) {
	k := newKeySet(func(context.Context) ([]byte, error) { return os.ReadFile(path) }, fileEvery, logger)
	keys, err := k.fetch()
	if err != nil {
		return nil, fmt.Errorf("reading the keys that tokens are signed with from %s: %w", path, err)
	}
	k.keys, k.readAt = keys, time.Now()
	return k, nil
}

// remoteKeys reads a JWKS from a URL when it is first needed, every hour, and when a token names a key that
// is not there.
func remoteKeys(url, ca string, logger *slog.Logger) (*keySet, error) {
	client := &http.Client{CheckRedirect: sameSafety}
	if ca != "" {
		authorities, err := pool(ca)
		if err != nil {
			return nil, err
		}
		client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities}}
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
	return newKeySet(read, remoteEvery, logger), nil
}

// sameSafety follows no redirection to where anybody in between could put keys of their own.
func sameSafety(r *http.Request, via []*http.Request) error {
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" || len(via) >= 10 {
		return http.ErrUseLastResponse
	}
	return nil
}

// fetch reads the keys.
func (k *keySet) fetch() ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(k.ended, keysTimeout)
	defer cancel()
	data, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("it is no JSON Web Key Set: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		err := json.Unmarshal(text, &key)
		switch {
		case errors.Is(err, jose.ErrUnsupportedKeyType): // for algorithms that are not taken
		case err != nil:
			return nil, fmt.Errorf("it has a key that cannot be read: %w", err)
		case key.Use == "enc" || !key.Valid():
		case !key.IsPublic():
			return nil, errors.New("it has a key that is not public: publish public keys alone")
		default:
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key for signatures")
	}
	return keys, nil
}

// find gives the keys of that id, or all when a token names none. It waits for a reading only when it has
// none to give. The error is ErrKeys, or why ctx has ended.
func (k *keySet) find(ctx context.Context, id string) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := k.namedLocked(id)
	due := len(found) == 0 || time.Since(k.readAt) > k.every
	if due && k.reading == nil && (k.triedAt.IsZero() || time.Since(k.triedAt) >= k.pause) {
		k.refreshLocked()
	}
	if reading := k.reading; len(found) == 0 && reading != nil {
		k.mu.Unlock()
		select {
		case <-reading:
		case <-ctx.Done():
		}
		k.mu.Lock()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found = k.namedLocked(id)
	}
	if len(found) == 0 && k.failed != nil {
		return nil, ErrKeys
	}
	return found, nil
}

func (k *keySet) namedLocked(id string) (found []jose.JSONWebKey) {
	for _, key := range k.keys {
		if id == "" || key.KeyID == id {
			found = append(found, key)
		}
	}
	return found
}

// refreshLocked begins to read the keys.
func (k *keySet) refreshLocked() {
	done := make(chan struct{})
	k.reading = done
	k.joined.Go(func() {
		keys, err := k.fetch()
		k.mu.Lock()
		defer k.mu.Unlock()
		defer close(done)
		k.failed, k.triedAt, k.reading = err, time.Now(), nil
		if err == nil {
			k.keys, k.readAt = keys, k.triedAt
			return
		}
		if k.ended.Err() == nil {
			k.logger.Warn("the keys that tokens are signed with cannot be read; those that are known go on", "error", err)
		}
	})
}

// end ends what is under way. No key is asked for after it.
func (k *keySet) end() {
	k.close()
	k.joined.Wait()
}

// VerifySignature gives what a token says, if a key that is known has signed it.
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
