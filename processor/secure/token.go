package secure

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// ErrToken is wrapped by the errors of a login for which there is no token to be had.
var ErrToken = errors.New("there is no token for the login to Kafka")

// provider is where the tokens of OAUTHBEARER come from.
func (s SASL) provider(secret string) (sarama.AccessTokenProvider, error) {
	if s.TokenFile != "" {
		f := &fileTokens{file: s.TokenFile, extensions: s.Extensions}
		if _, err := f.Token(); err != nil {
			return nil, fmt.Errorf("kafka.sasl.token_file: %w", err)
		}
		return f, nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if s.TokenCA != "" {
		pool, err := authorities(s.TokenCA)
		if err != nil {
			return nil, fmt.Errorf("kafka.sasl.token_ca: %w", err)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	transport.DisableKeepAlives = true // a token lasts longer than a connection would be kept
	return &grantedTokens{url: s.TokenURL, id: s.User, secret: secret, scopes: s.Scopes, extensions: s.Extensions, now: time.Now,
		client: &http.Client{Transport: transport, Timeout: 10 * time.Second, CheckRedirect: stay}}, nil
}

// stay follows no redirect: the secret is for the endpoint that was named.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// fileTokens reads a token from a file each time.
type fileTokens struct {
	file       string
	extensions map[string]string
}

// Token implements sarama.AccessTokenProvider.
func (f *fileTokens) Token() (*sarama.AccessToken, error) {
	text, err := os.ReadFile(f.file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	token := string(bytes.TrimSpace(text))
	if token == "" {
		return nil, fmt.Errorf("%w: %s is empty", ErrToken, f.file)
	}
	return &sarama.AccessToken{Token: token, Extensions: f.extensions}, nil
}

// grantedTokens asks an endpoint of OAuth 2.0 for tokens by the client's credentials (RFC 6749, 4.4), and
// gives one out until it is about to end.
type grantedTokens struct {
	url, id, secret string
	scopes          []string
	extensions      map[string]string
	client          *http.Client
	now             func() time.Time

	mu    sync.Mutex
	token string
	until time.Time
}

// maxAnswer is the longest answer of a token endpoint that is read.
const maxAnswer = 1 << 20

// Token implements sarama.AccessTokenProvider.
func (g *grantedTokens) Token() (*sarama.AccessToken, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.now().Before(g.until) {
		token, lasts, err := g.ask()
		if err != nil {
			return nil, fmt.Errorf("%w: asking %s: %w", ErrToken, g.url, err)
		}
		// Nine tenths of its time, so that a broker with another clock still takes it.
		g.token, g.until = token, g.now().Add(lasts*9/10)
	}
	return &sarama.AccessToken{Token: g.token, Extensions: g.extensions}, nil
}

// ask asks for a token. One that does not say how long it lasts is used once.
func (g *grantedTokens) ask() (token string, lasts time.Duration, err error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(g.scopes) > 0 {
		form.Set("scope", strings.Join(g.scopes, " "))
	}
	req, err := http.NewRequest(http.MethodPost, g.url, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(url.QueryEscape(g.id), url.QueryEscape(g.secret))
	resp, err := g.client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", 0, err
	}
	var answer struct {
		Token       string `json:"access_token"`
		Seconds     int64  `json:"expires_in"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	invalid := json.Unmarshal(body, &answer)
	if resp.StatusCode != http.StatusOK {
		why := strings.TrimSpace(answer.Error + " " + answer.Description)
		if why == "" {
			return "", 0, fmt.Errorf("it answers %s", resp.Status)
		}
		return "", 0, fmt.Errorf("it answers %s: %s", resp.Status, why)
	}
	if invalid != nil || answer.Token == "" {
		return "", 0, errors.New("its answer is not JSON with an access_token: is this the token endpoint?")
	}
	return answer.Token, time.Duration(answer.Seconds) * time.Second, nil
}
