package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/internal/access"
)

// guarded lets a request through whose caller may do what the route does, and notes who asked for what.
func (s *Server) guarded(rt route, h http.HandlerFunc) http.HandlerFunc {
	if rt.need == access.Open || s.options.Gate == nil && s.options.AccessLog == nil {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) {
		watched := &watchedWriter{ResponseWriter: w}
		caller, began, returned := access.Caller{}, time.Now(), false
		asked := new([]string)
		defer func() {
			status := watched.status()
			if !returned && !watched.wrote {
				status = http.StatusInternalServerError // the observer answers a panic with it
			}
			s.noteAccess(rt, r, caller, *asked, w.Header().Get(positionHeader), status, began)
		}()
		if s.admitted(rt, watched, r, &caller) {
			ctx := context.WithValue(r.Context(), callerKey{}, caller.Grants)
			h(watched, r.WithContext(context.WithValue(ctx, askedKey{}, asked)))
		}
		returned = true
	}
}

// admitted says whether the caller may ask this, and who it is; whoever may not has been answered.
func (s *Server) admitted(rt route, w http.ResponseWriter, r *http.Request, caller *access.Caller) bool {
	if s.options.Gate != nil {
		var err error
		*caller, err = s.options.Gate.Caller(r)
		switch {
		case err != nil:
			s.unknownCaller(w, r, err)
			return false
		case !may(caller.Grants, rt, r):
			refusedCaller(rt.need).challenge(w, r)
			return false
		}
	}
	if err := s.options.AccessLog.Healthy(); err != nil && s.options.RefuseUnlogged {
		s.options.Logger.Error("the access log cannot be written, and requests are refused", "error", err)
		unlogged := refuse(http.StatusServiceUnavailable, "not-logged", "transient", "who asks cannot be noted at this moment, and must be", "ask again; whoever runs the service has to look at its disk")
		unlogged.retryAfter = 5
		unlogged.write(w, isFHIR(r))
		return false
	}
	return true
}

// callerKey is under what a request's context has the grants of its caller.
type callerKey struct{}

// askedKey is under what a request's context has the place for those whom it is about, where its path names nobody.
type askedKey struct{}

// noteAsked has each of the patients noted in the access log as asked about.
func noteAsked(r *http.Request, patients []string) {
	if asked, ok := r.Context().Value(askedKey{}).(*[]string); ok {
		*asked = patients
	}
}

// mayKnowOf says whether the caller may learn whose resources those are: whoever may write them may.
func (s *Server) mayKnowOf(r *http.Request, resources []string) bool {
	if s.options.Gate == nil {
		return true
	}
	g, _ := r.Context().Value(callerKey{}).(access.Grants)
	return !slices.ContainsFunc(resources, func(name string) bool {
		typ, _, _ := strings.Cut(name, "/")
		return !g.MayWrite(typ) && !g.MayDelete(typ)
	})
}

// may says whether grants are enough. Who may write resources of one type may send these to paths that are
// about that type; which types another instance asks about is known once its question is read.
func may(g access.Grants, rt route, r *http.Request) bool {
	if rt.need != access.Write {
		return g.May(rt.need)
	}
	switch {
	case r.Method == http.MethodDelete:
		return g.MayDelete(r.PathValue("type"))
	case r.PathValue("type") != "":
		return g.MayWrite(r.PathValue("type"))
	case rt.path == "/v1/observations":
		return g.MayWrite("Observation")
	case rt.path == ownersPath:
		return g.MayWriteSome()
	}
	return g.May(access.Write)
}

// noteAccess writes the access log: one entry, or one for each of the patients asked about. answered is the
// position of the answer; "" when it has none.
func (s *Server) noteAccess(rt route, r *http.Request, caller access.Caller, asked []string, answered string, status int, began time.Time) {
	if s.options.AccessLog == nil {
		return
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	q := r.URL.Query()
	e := &access.Entry{Time: began.UTC(), Who: caller.Who, Client: caller.Client, From: from, PassedBy: short(r.Header.Get(passedHeader)),
		Method: knownMethod(r.Method), Route: rt.path, Rule: short(r.PathValue("rule")), Asked: short(q.Get("min_position")), KnownAt: short(q.Get("known_at")),
		Answered: answered, Status: status, Millis: float64(time.Since(began).Microseconds()) / 1000}
	switch {
	case strings.HasPrefix(rt.path, "/v1/patients/{id}"):
		e.Patient = short(r.PathValue("id"))
	case r.PathValue("type") != "":
		e.Resource = short(strings.TrimSuffix(r.PathValue("type")+"/"+r.PathValue("id"), "/"))
	default:
		e.Patient = short(q.Get("patient"))
	}
	if e.Rule == "" {
		e.Rule = short(q.Get("rule"))
	}
	for _, patient := range asked {
		one := *e
		one.Patient = patient
		s.options.AccessLog.Write(&one)
	}
	if len(asked) == 0 {
		s.options.AccessLog.Write(e)
	}
}

// mostNoted is longer than anything that a caller who is not up to something sends.
const mostNoted = 1024

// short keeps a caller from filling the access log with one request.
func short(text string) string { return text[:min(len(text), mostNoted)] }

// refusedAccess is a refusal with what RFC 6750 has a client told.
type refusedAccess struct {
	*refusal
	authenticate string
}

func (r refusedAccess) challenge(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("WWW-Authenticate", r.authenticate)
	r.write(w, isFHIR(q))
}

// unknownCaller answers who shows nothing that says who asks.
func (s *Server) unknownCaller(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, access.ErrNoCredentials):
		refusedAccess{refuse(http.StatusUnauthorized, "no-credentials", "login", "who asks is not known",
			"send a token as Authorization: Bearer …, or a client certificate where the service takes those"), `Bearer realm="vigil"`}.challenge(w, r)
	case errors.Is(err, access.ErrToken):
		bad := refuse(http.StatusUnauthorized, "bad-token", "login", "the token is not valid", "get another from whoever issues them")
		bad.Detail = err.Error()
		refusedAccess{bad, `Bearer realm="vigil", error="invalid_token"`}.challenge(w, r)
	default:
		unsure := refuse(http.StatusServiceUnavailable, "keys-unavailable", "transient", "whether the token is valid cannot be said at this moment",
			"ask again; whoever runs the service finds in its log why it cannot read access.keys_url or access.keys_file")
		unsure.retryAfter = 5
		unsure.write(w, isFHIR(r))
	}
}

func refusedCaller(need access.Scope) refusedAccess {
	return refusedAccess{refuse(http.StatusForbidden, "not-allowed", "forbidden", "the token does not allow this",
		"get one with the scope "+need.String()), `Bearer realm="vigil", error="insufficient_scope", scope="` + need.String() + `"`}
}
