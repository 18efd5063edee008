package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/internal/kafkatest"
)

func TestAServiceThatOthersReachSaysWhatItDoesNotGuard(t *testing.T) {
	cert, key := kafkatest.NewAuthority(t).Files(t, "127.0.0.1")
	keys := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(keys, []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k"}]}`), 0o600))
	for _, listen := range []string{"127.0.0.1:0", "localhost:0", "[::1]:0", ":0", "0.0.0.0:0", "10.0.0.7:8080", "vigil.example.org:8080"} {
		for _, c := range []struct {
			tokens, tls bool
			says        string
		}{{false, false, "read and write everything"}, {false, true, "read and write everything"}, {true, false, "in the clear"}, {true, true, ""}} {
			settings := config.Default()
			settings.Listen = listen
			if c.tokens {
				settings.Access.KeysFile, settings.Access.Issuer, settings.Access.Audience = keys, "i", "a"
			}
			if c.tls {
				settings.HTTP.TLS.Cert, settings.HTTP.TLS.Key = cert, key
			}
			var logged bytes.Buffer
			w, err := newWire(settings, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(&logged, nil)))
			require.NoError(t, err)
			require.NoError(t, w.close())
			if c.says == "" || strings.HasPrefix(listen, "127.") || strings.HasPrefix(listen, "localhost") || strings.HasPrefix(listen, "[::1]") {
				require.Empty(t, logged.String(), listen)
				continue
			}
			require.Equal(t, 1, strings.Count(logged.String(), "level=WARN"), listen)
			require.Contains(t, logged.String(), c.says, listen)
		}
	}
}

func TestAScopeForCertificatesThatAllowsNothingIsRefused(t *testing.T) {
	settings := config.Default()
	settings.HTTP.TLS.ClientCA = "ca.pem"
	settings.Access.CertificateScopes = []string{"vigil.read", "vigil.raed"}
	_, err := newWire(settings, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, `"vigil.raed"`)
}
