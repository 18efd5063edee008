package secure_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/IBM/sarama"
	"github.com/vigil-cds/vigil/processor/secure"
)

// provider is where a channel's clients get their tokens from.
func provider(t *testing.T, s secure.SASL) sarama.AccessTokenProvider {
	t.Helper()
	s.Mechanism = secure.OAuthBearer
	c, err := secure.New(secure.Options{SASL: s})
	require.NoError(t, err)
	config := config()
	c.Apply(config)
	return config.Net.SASL.TokenProvider
}

func TestATokenIsAskedForByTheClientsCredentialsAndKept(t *testing.T) {
	asked := 0
	lasts := 3600
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		id, secret, _ := r.BasicAuth()
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
		if id == "moved" {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return
		}
		if id != "vigil: 1" || secret != "s%cret+" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka write" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"who is this?"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": fmt.Sprint("token-", asked), "expires_in": lasts})
	}))
	defer endpoint.Close()
	s := secure.SASL{TokenURL: endpoint.URL, User: "vigil: 1", Password: "s%cret+", Scopes: []string{"kafka", "write"}, Extensions: map[string]string{"logicalCluster": "lkc-1"}}
	tokens := provider(t, s)
	for range 3 {
		token, err := tokens.Token()
		require.NoError(t, err)
		require.Equal(t, "token-1", token.Token)
		require.Equal(t, s.Extensions, token.Extensions)
	}

	asked, lasts = 0, 0
	tokens = provider(t, s)
	for i := range 3 {
		token, err := tokens.Token()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("token-", i+1), token.Token, "one that does not last is not kept")
	}

	s.Password = "wr0ng"
	_, err := provider(t, s).Token()
	require.ErrorIs(t, err, secure.ErrToken)
	require.ErrorContains(t, err, "401 Unauthorized: invalid_client who is this?")
	require.NotContains(t, err.Error(), "wr0ng")

	s.User, asked = "moved", 0
	_, err = provider(t, s).Token()
	require.ErrorContains(t, err, "307")
	require.Equal(t, 1, asked, "the secret is sent nowhere else")
}

func TestAnAnswerWithoutATokenIsAnError(t *testing.T) {
	for name, answer := range map[string]string{"a page": "<html>", "JSON without a token": `{"hello":1}`} {
		t.Run(name, func(t *testing.T) {
			endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
			defer endpoint.Close()
			_, err := provider(t, secure.SASL{TokenURL: endpoint.URL, User: "vigil", Password: "secret"}).Token()
			require.ErrorIs(t, err, secure.ErrToken)
			require.ErrorContains(t, err, "access_token")
		})
	}
}

func TestATokenFileIsReadEachTime(t *testing.T) {
	file := written(t, "first\n")
	tokens := provider(t, secure.SASL{TokenFile: file})
	for _, want := range []string{"first", "second"} {
		require.NoError(t, os.WriteFile(file, []byte(want+"\n"), 0o600))
		token, err := tokens.Token()
		require.NoError(t, err)
		require.Equal(t, want, token.Token)
	}
	require.NoError(t, os.Remove(file))
	_, err := tokens.Token()
	require.ErrorIs(t, err, secure.ErrToken)
}
