package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatusSaysHowFarEachPartitionIs(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		code   int
		want   []string
	}{
		{"ready", http.StatusOK, `{"status":"ready","partitions":[{"partition":0,"state":"running","at":41,"end":42},{"partition":1,"state":"elsewhere","at":-1}]}`, 0,
			[]string{"ready\n", "partition 0  running    at 41\n", "partition 1  elsewhere  at -1\n"}},
		{"degraded", http.StatusOK, `{"status":"degraded","detail":"two divergences"}`, 0, []string{"degraded\ntwo divergences\n"}},
		{"recovering", http.StatusServiceUnavailable, `{"title":"the service is not ready yet","detail":"catching up",` +
			`"partitions":[{"partition":0,"state":"recovering","at":99,"end":400,"perSecond":100,"secondsLeft":3.004},{"partition":1,"state":"warming","at":5,"end":8}]}`, 1,
			[]string{"catching up\n", "partition 0  recovering  at 99 of 399  100 records/s, about 3s left\n", "partition 1  warming     at 5 of 7\n"}},
		{"no Vigil", http.StatusNotFound, `not here`, 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, "/readyz", r.URL.Path)
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			r := vigil(t, "", "status", "--server", server.URL)
			require.Equal(t, c.code, r.code, r.errOut)
			for _, line := range c.want {
				require.Contains(t, r.out, line)
			}
			if c.want == nil {
				return
			}
			r = vigil(t, "", "status", "--server", server.URL, "--output", "json")
			require.Equal(t, c.code, r.code)
			require.JSONEq(t, c.body, r.out)
		})
	}
}
