package api

import (
	_ "embed"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vigil-cds/vigil/internal/web"
	"github.com/vigil-cds/vigil/processor"
)

//go:embed openapi.json
var openAPI []byte

// getLive says that the process answers at all.
func (s *Server) getLive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "live"})
}

// readiness is what /readyz says of a service that can be used.
type readiness struct {
	Status      string `json:"status"` // ready, degraded
	Detail      string `json:"detail,omitempty"`
	Divergences int64  `json:"divergences,omitempty"`
	// Partitions is how this process stands to each partition, when it has the role rules.
	Partitions []processor.PartitionStatus `json:"partitions,omitempty"`
}

// getReady says whether every partition is open. A service that has lost its log, or whose audit has found
// divergences, is degraded: it goes on answering, and somebody has to look.
func (s *Server) getReady(w http.ResponseWriter, _ *http.Request) {
	if err := s.options.Ready(); err != nil {
		refused := refuse(http.StatusServiceUnavailable, "not-ready", "transient", "the service is not ready yet", "ask again")
		refused.Detail = err.Error()
		refused.Partitions = s.options.Partitions()
		refused.retryAfter = 1
		refused.write(w, false)
		return
	}
	if why := s.options.Degraded(); why != "" {
		writeJSON(w, http.StatusOK, readiness{Status: "degraded", Detail: why, Divergences: s.options.Explanations.Status().Divergences, Partitions: s.options.Partitions()})
		return
	}
	writeJSON(w, http.StatusOK, readiness{Status: "ready", Partitions: s.options.Partitions()})
}

func (s *Server) getVersion(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.options.Version)
}

func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) {
	gatherer := s.options.Gatherer
	if gatherer == nil {
		gatherer = prometheus.NewRegistry()
	}
	promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

func (s *Server) getOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(openAPI)
}

// getPage shows the worklist to a person.
func (s *Server) getPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", web.Policy)
	w.Write(web.Page)
}
