package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Purpose is what an instance is asked for.
type Purpose int

const (
	ForRules   Purpose = iota // what is active: the owners of the rules processor
	ForExplain                // why: those who explain
)

// Explains says whether it is a question to those who explain.
func (p Purpose) Explains() bool { return p == ForExplain }

// Cluster says which instances could answer. Instances are named by their URLs, as http://10.0.0.7:8080.
// Its methods may be called from any goroutine and do not block.
type Cluster interface {
	// Answering lists who can answer about the partition, the best first; "" is this process.
	Answering(p Purpose, partition int32) []string
	// Others lists everyone else who owns partitions.
	Others(p Purpose) []string
	// Partitions is how many there are.
	Partitions() int
}

// passedHeader says that an instance asks, on behalf of a caller whom it could not answer itself. What
// carries it is answered here or not at all, so that no request goes in a circle.
const passedHeader = "Vigil-Passed-On-By"

// answeredHeader says which instance answered what was passed on.
const answeredHeader = "Vigil-Answered-By"

// peers asks other instances, over connections that stay open.
type peers struct {
	client *http.Client
	self   string // of this process; "" when others cannot reach it

	changing time.Duration // how long partitions may change hands before a question goes without them
	handOver time.Duration // and before a question about one patient is told to come again

	passed    *prometheus.CounterVec
	uncertain prometheus.Counter

	mu   sync.Mutex
	down map[string]time.Time // who could not be reached lately, and until when that is believed
}

// downTime is how long an instance that could not be reached is not asked first.
const downTime = time.Second

// The time that another instance is given for the first byte of its answer, beyond what the caller waits
// for. A copy of the partition answers when it passes, so that it is short where there are such.
const (
	rulesPatience   = time.Second
	explainPatience = 15 * time.Second
)

func newPeers(o *Options) *peers {
	p := &peers{self: o.Self, changing: 3 * time.Second, handOver: 3 * time.Second, down: make(map[string]time.Time), passed: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vigil_http_passed_total",
		Help: "Requests passed on to other instances, by whether these answered.",
	}, []string{"outcome"}), uncertain: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "vigil_http_owner_unknown_total",
		Help: "Requests that wrote resources while not every partition could be asked whether it has them for another patient.",
	})}
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	p.client = &http.Client{
		Transport: &http.Transport{
			Protocols:           &protocols,
			DialContext:         (&net.Dialer{Timeout: 500 * time.Millisecond, KeepAlive: 15 * time.Second}).DialContext,
			TLSClientConfig:     o.PeerTLS,
			IdleConnTimeout:     2 * time.Minute,
			DisableCompression:  true,
			TLSHandshakeTimeout: 2 * time.Second,
			HTTP2:               &http.HTTP2Config{SendPingTimeout: 2 * time.Second, PingTimeout: 2 * time.Second},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(p.passed, p.uncertain)
	}
	return p
}

// believed sorts those who could not be reached lately behind the rest.
func (p *peers) believed(urls []string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.down) == 0 {
		return urls
	}
	now := time.Now()
	isDown := func(url string) bool { return url != "" && now.Before(p.down[url]) }
	sorted := slices.DeleteFunc(slices.Clone(urls), isDown)
	return append(sorted, slices.DeleteFunc(slices.Clone(urls), func(url string) bool { return !isDown(url) })...)
}

func (p *peers) reached(url string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ok {
		delete(p.down, url)
		return
	}
	p.down[url] = time.Now().Add(downTime)
}

// atOwner lets a request about a patient be answered by whoever owns the patient's partition, or else by
// somebody with a copy of it.
func (s *Server) atOwner(p Purpose, h http.HandlerFunc) http.HandlerFunc {
	if s.options.Cluster == nil {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) {
		patient, refused := s.patient(r.PathValue("id"))
		if refused != nil || r.Header.Get(passedHeader) != "" {
			h(w, r)
			return
		}
		partition := s.options.Partition(patient)
		answering := s.options.Cluster.Answering(p, partition)
		if len(answering) > 0 && answering[0] == "" {
			h(w, r)
			return
		}
		patience, refused := s.patience(r, p)
		if refused != nil {
			h(w, r)
			return
		}
		for began := time.Now(); ; answering = s.options.Cluster.Answering(p, partition) {
			for _, url := range s.peers.believed(answering) {
				if url == "" {
					h(w, r)
					return
				}
				if s.peers.pass(w, r, url, patience) {
					return
				}
			}
			if time.Since(began) > s.peers.handOver || r.Context().Err() != nil {
				h(w, r) // it says that there is no answer
				return
			}
			time.Sleep(ownersPause)
		}
	}
}

// patience is how long another instance is waited for.
func (s *Server) patience(r *http.Request, p Purpose) (time.Duration, *refusal) {
	patience := rulesPatience
	if p.Explains() {
		patience = explainPatience
	}
	q := r.URL.Query()
	if !q.Has("min_position") {
		return patience, nil
	}
	wait, refused := s.queryWait(q)
	return patience + wait, refused
}

// hopHeaders are between two neighbours, and are not passed on.
var hopHeaders = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// pass asks another instance and copies its answer. It is false when that has none, and nothing is written
// then.
func (p *peers) pass(w http.ResponseWriter, r *http.Request, url string, patience time.Duration) bool {
	resp, end, err := p.do(r, url, r.Method, pathOf(r), nil, patience)
	if err != nil {
		p.passed.WithLabelValues("unreachable").Inc()
		return false
	}
	defer end()
	if resp.StatusCode == http.StatusServiceUnavailable {
		p.passed.WithLabelValues("unanswered").Inc()
		return false
	}
	p.passed.WithLabelValues("answered").Inc()
	header := w.Header()
	for name, values := range resp.Header {
		if !slices.Contains(hopHeaders, name) {
			header[name] = values
		}
	}
	header.Set(answeredHeader, url)
	w.WriteHeader(resp.StatusCode)
	stream := http.NewResponseController(w)
	buffer := make([]byte, 32<<10)
	for {
		n, err := resp.Body.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return true // the caller has gone
			}
			_ = stream.Flush() // a writer that cannot flush sends all at the end
		}
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			panic(http.ErrAbortHandler) // an answer that ends early must not look whole
		}
	}
}

// pathOf is the path and query of a request.
func pathOf(r *http.Request) string { return r.URL.RequestURI() }

// do sends a request on behalf of another. The body of the answer is to be read before end is called.
func (p *peers) do(r *http.Request, url, method, path string, body []byte, patience time.Duration) (resp *http.Response, end func(), err error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	late := time.AfterFunc(patience, func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	req, err := http.NewRequestWithContext(ctx, method, url+path, bytes.NewReader(body))
	if err != nil {
		cancel(nil)
		return nil, nil, err
	}
	// Who asks and in what form; what is about the connection stays here.
	for _, name := range []string{"Authorization", "Accept", "Accept-Encoding", "If-None-Match", "Traceparent"} {
		if values := r.Header.Values(name); len(values) > 0 {
			req.Header[name] = values
		}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	by := p.self
	if by == "" {
		by = "unknown"
	}
	req.Header.Set(passedHeader, by)
	resp, err = p.client.Do(req)
	if err != nil {
		cancel(nil)
		if r.Context().Err() == nil { // else the caller has gone, and the other may be well
			p.reached(url, false)
		}
		// The URL of a request names a patient, and errors of the client name the URL.
		return nil, nil, fmt.Errorf("asking %s: %w", url, unwrapped(err))
	}
	p.reached(url, true)
	return resp, func() { resp.Body.Close(); cancel(nil) }, nil
}

// unwrapped is an error of net/http without the URL.
func unwrapped(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// ask asks another instance a question and reads its answer.
func (p *peers) ask(r *http.Request, url, method, path string, body []byte, into any) error {
	resp, end, err := p.do(r, url, method, path, body, 2*rulesPatience)
	if err != nil {
		return err
	}
	defer end()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking %s: it answered %d", url, resp.StatusCode)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", url, unwrapped(err))
	}
	return nil
}
