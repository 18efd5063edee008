package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigil-cds/vigil/internal/fhir"
)

// observer counts and logs requests. Neither says more than the route: a path can hold a patient's id.
type observer struct {
	logger   *slog.Logger
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refused  *prometheus.CounterVec
}

func newObserver(r prometheus.Registerer, logger *slog.Logger) *observer {
	o := &observer{
		logger: logger,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vigil_http_requests_total",
			Help: "HTTP requests answered, by route, method and status.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "vigil_http_request_duration_seconds",
			Help:    "Time from a request's headers to its answer, by route.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vigil_http_refused_total",
			Help: "Resources and observations refused at HTTP, by the reason of each fault.",
		}, []string{"reason"}),
	}
	for _, reason := range fhir.Reasons() {
		o.refused.WithLabelValues(string(reason))
	}
	if r != nil {
		r.MustRegister(o.requests, o.seconds, o.refused)
	}
	return o
}

// refuse counts the faults of one input.
func (o *observer) refuse(err error) {
	for _, f := range fhir.Faults(err) {
		o.refused.WithLabelValues(string(f.Reason)).Inc()
	}
}

func (o *observer) observe(route string, h http.HandlerFunc) http.HandlerFunc {
	seconds := o.seconds.WithLabelValues(route)
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		watched := &watchedWriter{ResponseWriter: w}
		defer func() {
			took := time.Since(began)
			failed := recover()
			// A handler that cuts its answer off has logged why, and leaves the connection to the server.
			cutOff := failed == any(http.ErrAbortHandler)
			if failed != nil && !cutOff && !watched.wrote {
				refuse(http.StatusInternalServerError, "internal", "exception", "the server failed to answer this",
					"its log says where").write(watched, isFHIR(r))
			}
			method := knownMethod(r.Method)
			seconds.Observe(took.Seconds())
			o.requests.WithLabelValues(route, method, strconv.Itoa(watched.status())).Inc()
			level := slog.LevelDebug
			if watched.status() >= 500 {
				level = slog.LevelWarn
			}
			o.logger.LogAttrs(r.Context(), level, "request", slog.String("method", method), slog.String("route", route),
				slog.Int("status", watched.status()), slog.Duration("took", took))
			switch {
			case cutOff:
				panic(failed)
			case failed != nil:
				o.panicked(route, failed)
			}
		}()
		h(watched, r)
	}
}

// knownMethod keeps a caller from making up labels.
func knownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS":
		return method
	}
	return "other"
}

// watchedWriter remembers the status.
type watchedWriter struct {
	http.ResponseWriter
	code  int
	wrote bool
}

func (w *watchedWriter) WriteHeader(code int) {
	if !w.wrote {
		w.code, w.wrote = code, true
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *watchedWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watchedWriter) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}

// panicked logs a handler's panic by its type and stack alone: its text could hold what was sent.
func (o *observer) panicked(route string, value any) {
	o.logger.Error("a request made its handler panic", slog.String("route", route),
		slog.String("type", fmt.Sprintf("%T", value)), slog.String("stack", string(debug.Stack())))
}
