package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/internal/access"
)

// client talks to a running service. Every request that it sends may be sent again: the service takes
// the same statement twice without harm.
type client struct {
	base  string
	http  *http.Client
	token string        // "" shows none
	retry time.Duration // how long a request is tried again that cannot be answered now; 0: not at all
}

const defaultServer = "http://127.0.0.1:8080"

func (a *app) addServerFlag(c *cobra.Command, server *string) {
	c.Flags().StringVar(server, "server", defaultServer, "URL of the service")
	c.Flags().StringVar(&a.connect.ca, "ca", "", "PEM file of who signed the service's certificate; whom this machine believes unless said")
	c.Flags().StringVar(&a.connect.cert, "cert", "", "PEM file with a certificate to show to the service")
	c.Flags().StringVar(&a.connect.key, "key", "", "PEM file with its key")
	c.Flags().StringVar(&a.connect.tokenFile, "token-file", "", "file with a token to show to the service ["+tokenVariable+" has the token itself]")
}

// connect is how a command and the service know each other.
type connect struct{ ca, cert, key, tokenFile string }

// tokenVariable has the token itself. There is no flag for it: everyone on a machine sees the flags of its processes.
const tokenVariable = config.TokenVariable

// credentials reads what the flags name.
func (c connect) credentials() (settings *tls.Config, token string, err error) {
	if (c.cert == "") != (c.key == "") {
		return nil, "", misused("--cert and --key go together")
	}
	if settings, err = access.Client(c.ca, c.cert, c.key, nil); err != nil {
		return nil, "", err
	}
	token = os.Getenv(tokenVariable)
	if c.tokenFile != "" {
		data, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return nil, "", fmt.Errorf("reading the token: %w", err)
		}
		token = string(data)
	}
	return settings, strings.TrimSpace(token), nil
}

func (a *app) newClient(server string, retry time.Duration) (*client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, misused("--server %s: write it as %s", server, defaultServer)
	}
	settings, token, err := a.connect.credentials()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = settings
	return &client{base: strings.TrimSuffix(server, "/"), retry: retry, token: token,
		http: &http.Client{Transport: transport, Timeout: 2 * time.Minute}}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// answer is what the service said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

const (
	firstPause = 200 * time.Millisecond
	mostPause  = 5 * time.Second
)

// send sends a request, again and again within the client's retry time while the service cannot be
// reached or is busy (429, 503). The error says what to do when it never answered.
func (c *client) send(ctx context.Context, method, path, contentType string, body []byte) (*answer, error) {
	deadline := time.Now().Add(c.retry)
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		got, err := c.once(ctx, method, path, contentType, body)
		busy := err == nil && (got.status == http.StatusTooManyRequests || got.status == http.StatusServiceUnavailable)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && !busy {
			return got, nil
		}
		wait := pause
		if busy {
			if seconds, e := strconv.Atoi(got.header.Get("Retry-After")); e == nil && seconds >= 0 {
				wait = max(pause, time.Duration(seconds)*time.Second)
			}
		}
		if time.Now().Add(wait).After(deadline) {
			if err != nil {
				return nil, fmt.Errorf("%s cannot be reached: %w; is vigil serve running there? name another with --server", c.base, unwrapURL(err))
			}
			return got, nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// unwrapURL drops the path, which can hold a patient's id.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (c *client) once(ctx context.Context, method, path, contentType string, body []byte) (*answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return &answer{status: response.StatusCode, header: response.Header, body: data}, nil
}

// problem is what the service says when it refuses: a problem of RFC 9457.
type problem struct {
	Title    string   `json:"title"`
	Detail   string   `json:"detail"`
	Mend     string   `json:"mend"`
	RuleSets []string `json:"ruleSets"`
	Faults   []struct {
		File          string
		Line, Col     int
		Problem, Hint string
	} `json:"faults"`
}

// refused reads the reason of an answer that is not a success.
func (g *answer) refused() error {
	var p problem
	if json.Unmarshal(g.body, &p) != nil || p.Title == "" {
		return fmt.Errorf("the service answered %d %s", g.status, http.StatusText(g.status))
	}
	text := p.Title
	for _, more := range []string{p.Detail, p.Mend} {
		if more != "" {
			text += "; " + more
		}
	}
	for _, hash := range p.RuleSets {
		text += "\n  rule set " + hash
	}
	for _, f := range p.Faults {
		text += fmt.Sprintf("\n%s:%d:%d: %s", f.File, f.Line, f.Col, f.Problem)
		if f.Hint != "" {
			text += "; " + f.Hint
		}
	}
	return fmt.Errorf("%s (%d)", text, g.status)
}
