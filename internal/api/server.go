package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigil-cds/vigil/internal/access"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// Reader answers what is active for a patient; store.Reader is one. Of the positions in the options an
// answer has seen at least those, or the error is store.ErrNotReached once ctx has ended.
type Reader interface {
	Active(ctx context.Context, patient string, o store.ReadOptions) (store.Answer, error)
	// Whole is a reading with all of the patient's facts, settled for its plan.
	Whole(ctx context.Context, patient string, o store.ReadOptions) (store.Reading, error)
}

// Owners finds the patients for whom resources ("Observation/7") state facts: to delete them, and to take
// their facts away when a version names another patient.
type Owners interface {
	Owners(ctx context.Context, resources []string) (Owned, error)
}

// Owned is for whom resources state facts in some partitions. A resource that states nothing there is left
// out.
type Owned struct {
	Patients   map[string]string `json:"patients"` // by resource
	Partitions []int32           `json:"partitions"`
}

// Medications is told what each Medication ("Medication/123") is that the log has taken, before the caller
// is answered, so that whatever refers to it next finds it. No codes: it was deleted or entered in error.
type Medications interface {
	Put(reference string, version clinical.Version, codes []clinical.Code)
}

// Worklist lists what is active across patients, the most severe first.
type Worklist interface {
	Worklist(ctx context.Context, q WorklistQuery) (WorklistPage, error)
}

// Rules is the active rule set.
type Rules interface {
	Plan() *pointer.Plan // of the active set; nil before the first activation; called by any goroutine
	// Activate makes the set active everywhere or nowhere, together with what the site sets of its
	// parameters, and returns the hash of both. A set with faults is a rules.Faults.
	Activate(ctx context.Context, set *rules.Set) (hash string, err error)
}

// What a Reader, Owners, Worklist, Rules or Explanations returns that cannot answer; both are told the
// caller as 503.
var (
	// ErrNotServed: this process has no role for it.
	ErrNotServed = errors.New("api: this process does not have the role that answers this")
	// ErrCopyBehind: nobody owns the partition, and the copy that this process has is not at the position
	// that was asked for.
	ErrCopyBehind = errors.New("api: the copy has not reached the position")
	// ErrCatchingUp: this process is still reading what the log has, and would answer with old data.
	ErrCatchingUp = errors.New("api: the partition is not ready")
)

// Options are what the service stands on and how far it goes. Log, Decoder, Reader, Owners, Worklist,
// Rules and Partition are required; what else is zero has the default named.
type Options struct {
	Log       Log
	Decoder   *fhir.Decoder
	Reader    Reader
	Owners    Owners
	Worklist  Worklist
	Rules     Rules
	Partition func(patient string) int32

	Cluster Cluster     // nil: there are no others
	Self    string      // the URL at which others reach this process; "" when they cannot
	PeerTLS *tls.Config // for asking others whose URL begins with https; nil: the system's

	TLS            *tls.Config  // that the service speaks; nil: none
	Gate           *access.Gate // who may ask what; nil: everyone everything
	AccessLog      *access.Log  // who asked for what; nil: it is not kept
	RefuseUnlogged bool         // refuse what cannot be noted in the access log
	MetricsNeed    access.Scope // what /metrics needs; zero: nothing

	Medications  Medications                        // nil: nobody is told
	Explanations Explanations                       // nil: this process does not have the role explain
	Ready        func() error                       // nil error: ready; nil func: always ready
	Partitions   func() []processor.PartitionStatus // how this process stands to each; nil func: it has none
	Degraded     func() string                      // why the service, though ready, is not to be relied on; "" or nil func: it is
	Version      Version
	Simulated    bool                // clock: log: events carry the instant at which they are recorded
	Checkpoints  Checkpoints         // nil: there is nothing to back up
	Gatherer     prometheus.Gatherer // what /metrics shows; nil: nothing
	Registerer   prometheus.Registerer
	Logger       *slog.Logger

	MaxBody         int           // bytes; 16 MiB
	MaxPatientID    int           // bytes; 64
	MaxObservations int           // lines a request; 100,000
	MaxPage         int           // alerts or explanations a page; 1,000
	MaxInFlight     int           // requests with a body at once; 32
	MaxWait         time.Duration // for min_position; 30 s
	MaxLogWait      time.Duration // for the log to take a write; 20 s
	ReadTimeout     time.Duration // of the request; 30 s
	WriteTimeout    time.Duration // of the answer; 60 s
	IdleTimeout     time.Duration // between requests; 2 min
	DrainTimeout    time.Duration // after Serve's context has ended; 20 s
}

// Version is what GET /version says.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxBody, 16<<20)
	setDefault(&o.MaxPatientID, 64)
	setDefault(&o.MaxObservations, 100_000)
	setDefault(&o.MaxPage, 1000)
	setDefault(&o.MaxInFlight, 32)
	setDefault(&o.MaxWait, 30*time.Second)
	setDefault(&o.MaxLogWait, 20*time.Second)
	setDefault(&o.ReadTimeout, 30*time.Second)
	setDefault(&o.WriteTimeout, time.Minute)
	setDefault(&o.IdleTimeout, 2*time.Minute)
	setDefault(&o.DrainTimeout, 20*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.Partitions == nil {
		o.Partitions = func() []processor.PartitionStatus { return nil }
	}
	if o.Degraded == nil {
		o.Degraded = func() string { return "" }
	}
	if o.Checkpoints == nil {
		o.Checkpoints = noCheckpoints{}
	}
	if o.Explanations == nil {
		o.Explanations = unserved{}
	}
	return o
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// Server is the HTTP service. It is safe for concurrent use.
type Server struct {
	options  Options
	observer *observer
	recent   recent
	peers    *peers
	inFlight chan struct{}
	handler  http.Handler
}

// New makes the service. It registers its metrics with o.Registerer, so that one registerer can have one
// service.
func New(o Options) *Server {
	s := &Server{options: o.withDefaults()}
	s.observer = newObserver(s.options.Registerer, s.options.Logger)
	s.inFlight = make(chan struct{}, s.options.MaxInFlight)
	s.peers = newPeers(&s.options)
	s.handler = s.mux()
	return s
}

// Handler is the service without a listener.
func (s *Server) Handler() http.Handler { return s.handler }

// maxHeader is far more than any client of ours sends.
const maxHeader = 64 << 10

// Serve answers on the listener until ctx ends, then lets what is under way finish within the drain
// timeout. The error is nil after a clean end; a request that had to be cut off makes it
// context.DeadlineExceeded.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // other instances ask many things at once over one connection
	server := &http.Server{
		Protocols:         &protocols,
		TLSConfig:         s.options.TLS,
		Handler:           s.handler,
		ReadHeaderTimeout: min(10*time.Second, s.options.ReadTimeout),
		ReadTimeout:       s.options.ReadTimeout,
		WriteTimeout:      s.options.WriteTimeout,
		IdleTimeout:       s.options.IdleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			ended <- server.ServeTLS(l, "", "")
			return
		}
		ended <- server.Serve(l)
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.DrainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	<-ended
	return err
}

// route is one path and what each method does there.
type route struct {
	path    string // a pattern of http.ServeMux without its method; also the label of metrics and log lines
	need    access.Scope
	methods map[string]http.HandlerFunc
}

// routes is everything the service answers; openapi.json describes each of them.
func (s *Server) routes() []route {
	type methods = map[string]http.HandlerFunc
	return []route{
		{"/fhir", access.Write, methods{"POST": s.bounded(s.postBundle)}},
		{"/fhir/{type}", access.Write, methods{"POST": s.bounded(s.postResource)}},
		{"/fhir/{type}/{id}", access.Write, methods{"PUT": s.bounded(s.putResource), "DELETE": s.deleteResource}},
		{"/v1/observations", access.Write, methods{"POST": s.bounded(s.postObservations)}},
		{"/v1/patients/alerts", access.Read, methods{"POST": s.bounded(s.postPatientsAlerts)}},
		{"/v1/patients/{id}/alerts", access.Read, methods{"GET": s.atOwner(ForRules, s.getPatientAlerts)}},
		{"/v1/patients/{id}/explain/{rule}", access.Explain, methods{"GET": s.atOwner(ForExplain, s.getExplanation)}},
		{"/v1/patients/{id}/plan/{rule}", access.Read, methods{"GET": s.atOwner(ForRules, s.getPatientPlan)}},
		{"/v1/patients/{id}/explanations", access.Explain, methods{"GET": s.atOwner(ForExplain, s.getExplanations)}},
		{"/v1/explanations/verify", access.Explain, methods{"GET": s.getVerification}},
		{"/v1/explanations/status", access.Explain, methods{"GET": s.getExplanationsStatus}},
		{"/v1/alerts", access.Read, methods{"GET": s.getWorklist}},
		{ownersPath, access.Write, methods{"POST": s.bounded(s.postOwners)}},
		{"/v1/rules", access.Read, methods{"GET": s.getRules}},
		{"/v1/rules/{rule}/plan", access.Read, methods{"GET": s.getPlan}},
		{"/v1/rules/activate", access.Admin, methods{"POST": s.bounded(s.activateRules)}},
		{"/v1/checkpoints", access.Admin, methods{"POST": s.postCheckpoint}},
		{"/v1/checkpoints/{id}", access.Admin, methods{"DELETE": s.deleteCheckpoint}},
		{"/metrics", s.options.MetricsNeed, methods{"GET": s.getMetrics}},
		{"/livez", access.Open, methods{"GET": s.getLive}},
		{"/readyz", access.Open, methods{"GET": s.getReady}},
		{"/version", access.Open, methods{"GET": s.getVersion}},
		{"/explanation.schema.json", access.Open, methods{"GET": s.getExplanationSchema}},
		{"/openapi.json", access.Open, methods{"GET": s.getOpenAPI}},
		{"/{$}", access.Open, methods{"GET": s.getPage}},
	}
}

func (s *Server) mux() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.HandleFunc(r.path, s.observer.observe(r.path, s.guarded(r, byMethod(r.methods))))
	}
	mux.HandleFunc("/", s.observer.observe("none", func(w http.ResponseWriter, r *http.Request) {
		refuse(http.StatusNotFound, "no-such-path", "not-found", "nothing is served at this path",
			"see /openapi.json for what is").write(w, isFHIR(r))
	}))
	return mux
}

// byMethod picks the handler of the method; HEAD is GET without its body.
func byMethod(methods map[string]http.HandlerFunc) http.HandlerFunc {
	var allowed []string
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
		if _, ok := methods[m]; ok || m == "HEAD" && methods["GET"] != nil {
			allowed = append(allowed, m)
		}
	}
	allow := strings.Join(allowed, ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if h, ok := methods[method]; ok {
			h(w, r)
			return
		}
		w.Header().Set("Allow", allow)
		refuse(http.StatusMethodNotAllowed, "method-not-allowed", "not-supported", "this path does not take this method",
			"use "+strings.Join(allowed, " or ")).write(w, isFHIR(r))
	}
}

// bounded answers 503 while too many requests with a body are under way, so that memory stays bounded.
func (s *Server) bounded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.inFlight <- struct{}{}:
			defer func() { <-s.inFlight }()
			h(w, r)
		default:
			busy := refuse(http.StatusServiceUnavailable, "busy", "throttled", "too many requests are under way",
				"send it again in a moment")
			busy.retryAfter = 1
			busy.write(w, isFHIR(r))
		}
	}
}

func isFHIR(r *http.Request) bool {
	return r.URL.Path == "/fhir" || strings.HasPrefix(r.URL.Path, "/fhir/")
}

// recordedHeader carries, in simulated time, the instant at which the log is to learn of a request.
const recordedHeader = "Vigil-Recorded"

// recorded reads that header; 0 when it is not sent.
func (s *Server) recorded(r *http.Request) (clinical.Instant, *refusal) {
	text := r.Header.Get(recordedHeader)
	if text == "" {
		return 0, nil
	}
	if !s.options.Simulated {
		return 0, refuse(http.StatusBadRequest, "not-simulated", "not-supported", recordedHeader+" is taken in simulated time only",
			"leave it out, or serve with --clock log")
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, refuse(http.StatusBadRequest, "bad-header", "value", recordedHeader+" is not a time", "write it as 2026-03-01T10:00:00Z")
	}
	return clinical.At(t), nil
}
