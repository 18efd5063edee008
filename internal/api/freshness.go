package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/store"
)

// longestAge is as old as a caller may let an answer become. New results come at any moment, and an answer that
// is kept does not show them.
const longestAge = time.Hour

// freshness is how a client may keep an answer. By itself it may not: the answer is about a person, and the
// devices of a ward are shared. A caller that names an age may keep it for so long, but never past the instant
// at which time alone could change it, and then asks whether it is still so (RFC 9111).
type freshness struct {
	asked bool
	age   time.Duration
	live  bool // the answer is about this instant, so that it may change while the age runs
}

// queryFreshness reads how old an answer the caller takes.
func (s *Server) queryFreshness(q url.Values) (f freshness, refused *refusal) {
	text := q.Get("max_age")
	if text == "" {
		return f, nil
	}
	age, err := time.ParseDuration(text)
	if err != nil || age < 0 || age > longestAge {
		return f, badQuery("max_age", "write it as 0s, 5s or 2m, at most "+strconv.Itoa(int(longestAge.Minutes()))+"m")
	}
	// Simulated time passes at a rate of its own, of which no client's clock knows.
	if s.options.Simulated && q.Get("now") == "" {
		age = 0
	}
	return freshness{asked: true, age: age, live: q.Get("now") == ""}, nil
}

// control is the Cache-Control of an answer.
func (f freshness) control(a *store.Answer) string {
	if !f.asked || a.Copy != nil { // what a copy is behind is known at this moment alone
		return "no-store"
	}
	age := f.age
	if f.live && a.ValidUntil != nil {
		age = min(age, a.ValidUntil.Sub(a.Now))
	}
	if age < time.Second { // a header tells whole seconds
		return "private, no-cache"
	}
	return "private, max-age=" + strconv.Itoa(int(age/time.Second))
}

// answerTag names what an answer tells, whoever gives it: two answers have one tag when they differ at most in
// the instant asked about and in how much of the log they have seen. It is weak (RFC 9110, 8.8.1), since these
// are in the answer. One from a copy has none.
func answerTag(a store.Answer) (string, error) {
	if a.Copy != nil {
		return "", nil
	}
	a.Now, a.Position, a.AsOf = time.Time{}, "", nil
	told, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(told)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`, nil
}

// holds says whether one of the tags that the client has is this one, by weak comparison.
func holds(r *http.Request, tag string) bool {
	if tag == "" {
		return false
	}
	opaque := strings.TrimPrefix(tag, "W/")
	for _, list := range r.Header.Values("If-None-Match") {
		for one := range strings.SplitSeq(list, ",") { // no tag of ours has a comma
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == opaque {
				return true
			}
		}
	}
	return false
}

// writeAnswer tells what is active, or that it is still what the client has.
func (s *Server) writeAnswer(w http.ResponseWriter, r *http.Request, a store.Answer, f freshness) {
	tag, err := answerTag(a)
	if err != nil {
		s.notAnswered(w, r, "naming an answer", err)
		return
	}
	h := w.Header()
	h.Set(positionHeader, a.Position)
	h.Set("Cache-Control", f.control(&a))
	if f.asked {
		h.Add("Vary", "Authorization")
	}
	if tag != "" {
		h.Set("ETag", tag)
	}
	if holds(r, tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	writeJSON(w, http.StatusOK, a)
}
