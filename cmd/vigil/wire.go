package main

import (
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/internal/access"
)

// wire is how the service and its callers know each other.
type wire struct {
	server, peers *tls.Config
	gate          *access.Gate
	log           *access.Log
}

func newWire(c config.Config, r prometheus.Registerer, logger *slog.Logger) (w wire, err error) {
	t, a := c.HTTP.TLS, c.Access
	own := access.TLS{Cert: t.Cert, Key: t.Key, ClientCA: t.ClientCA, Required: t.ClientAuth == config.AuthRequired, Logger: logger}
	if own.Enabled() {
		if w.server, err = own.Server(); err != nil {
			return w, err
		}
		if w.peers, err = access.Client(t.PeerCA, t.Cert, t.Key, logger); err != nil {
			return w, err
		}
	}
	o := access.Options{KeysURL: a.KeysURL, KeysFile: a.KeysFile, KeysCA: a.KeysCA, Issuer: a.Issuer, Audience: a.Audience, Certificates: a.CertificateScopes, Logger: logger}
	if a.KeysURL != "" || a.KeysFile != "" || t.ClientCA != "" {
		if w.gate, err = access.NewGate(o); err != nil {
			return w, err
		}
	}
	if reachable(c.Listen) {
		switch {
		case w.gate == nil:
			logger.Warn("whoever reaches this address may read and write everything: set access and http.tls, or see that only a proxy which knows who asks can reach it", "listen", c.Listen)
		case w.server == nil:
			logger.Warn("tokens and patients' data are sent to this address in the clear: set http.tls, or see that only a proxy which speaks TLS can reach it", "listen", c.Listen)
		}
	}
	w.log, err = access.OpenLog(a.Log, r)
	return w, err
}

// reachable says whether other machines may reach an address.
func reachable(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && host != "localhost" && !net.ParseIP(host).IsLoopback()
}

// metricsNeed is what /metrics asks of a caller.
func metricsNeed(c config.Config) access.Scope {
	if c.Access.Metrics == config.MetricsAdmin {
		return access.Admin
	}
	return access.Open
}

// close ends what depends on nobody any more.
func (w *wire) close() error {
	w.gate.Close()
	return w.log.Close()
}

// scheme is how the service is spoken to.
func scheme(c config.Config) string {
	if c.HTTP.TLS.Cert != "" {
		return "https"
	}
	return "http"
}

// reopenOnHangup begins a new access log at each SIGHUP, until the function that it returns is called.
func (w *wire) reopenOnHangup(logger *slog.Logger) (end func()) {
	if w.log == nil {
		return func() {}
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			if err := w.log.Reopen(); err != nil {
				logger.Error("the access log cannot be begun anew; the one before goes on", "error", err)
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}
