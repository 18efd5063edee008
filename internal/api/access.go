package api

import (
	"errors"
	"net"
	"net/http"
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
		caller, began := access.Caller{}, time.Now()
		defer func() { s.noteAccess(rt, r, caller, watched, began) }()
		if s.options.Gate != nil {
			var err error
			caller, err = s.options.Gate.Caller(r)
			switch {
			case err != nil:
				unknownCaller(err).challenge(watched, r)
				return
			case !may(caller.Grants, rt, r):
				refusedCaller(rt.need).challenge(watched, r)
				return
			}
		}
		if s.options.RefuseUnlogged && s.options.AccessLog.Healthy() != nil {
			s.options.Logger.Error("the access log cannot be written, and requests are refused", "error", s.options.AccessLog.Healthy())
			unlogged := refuse(http.StatusServiceUnavailable, "not-logged", "transient", "who asks cannot be noted at this moment, and must be", "ask again; whoever runs the service has to look at its disk")
			unlogged.retryAfter = 5
			unlogged.write(watched, isFHIR(r))
			return
		}
		h(watched, r)
	}
}

// may says whether grants are enough. Who may write resources of one type may send these to paths that are
// about that type.
func may(g access.Grants, rt route, r *http.Request) bool {
	if rt.need != access.Write {
		return g.May(rt.need)
	}
	switch {
	case r.PathValue("type") != "":
		return g.MayWrite(r.PathValue("type"))
	case rt.path == "/v1/observations":
		return g.MayWrite("Observation")
	case rt.path == ownersPath:
		return g.MayWriteSome()
	}
	return g.May(access.Write)
}

// noteAccess writes the access log.
func (s *Server) noteAccess(rt route, r *http.Request, caller access.Caller, w *watchedWriter, began time.Time) {
	if s.options.AccessLog == nil {
		return
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	e := &access.Entry{Time: began.UTC(), Who: caller.Who, Client: caller.Client, From: from, PassedBy: r.Header.Get(passedHeader),
		Method: r.Method, Route: rt.path, Rule: r.PathValue("rule"), Status: w.status(), Millis: float64(time.Since(began).Microseconds()) / 1000}
	switch {
	case strings.HasPrefix(rt.path, "/v1/patients/"):
		e.Patient = r.PathValue("id")
	case r.PathValue("type") != "":
		e.Resource = strings.TrimSuffix(r.PathValue("type")+"/"+r.PathValue("id"), "/")
	default:
		q := r.URL.Query()
		e.Patient, e.Rule = q.Get("patient"), q.Get("rule")
	}
	s.options.AccessLog.Write(e)
}

// refusedAccess is a refusal with what RFC 6750 has a client told.
type refusedAccess struct {
	*refusal
	authenticate string
}

func (r refusedAccess) challenge(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("WWW-Authenticate", r.authenticate)
	r.write(w, isFHIR(q))
}

func unknownCaller(err error) refusedAccess {
	if errors.Is(err, access.ErrNoCredentials) {
		return refusedAccess{refuse(http.StatusUnauthorized, "no-credentials", "login", "who asks is not known",
			"send a token as Authorization: Bearer …, or a client certificate where the service takes those"), `Bearer realm="vigil"`}
	}
	r := refuse(http.StatusUnauthorized, "bad-token", "login", "the token is not valid", "get another from whoever issues them")
	r.Detail = err.Error()
	return refusedAccess{r, `Bearer realm="vigil", error="invalid_token"`}
}

func refusedCaller(need access.Scope) refusedAccess {
	return refusedAccess{refuse(http.StatusForbidden, "not-allowed", "forbidden", "the token does not allow this",
		"get one with the scope "+need.String()), `Bearer realm="vigil", error="insufficient_scope", scope="` + need.String() + `"`}
}
