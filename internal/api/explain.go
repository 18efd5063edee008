package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/render"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/store"
)

// getExplanation answers why a rule is as it is of a patient, or what changed between two instants.
func (s *Server) getExplanation(w http.ResponseWriter, r *http.Request) {
	a, refused := s.asked(r)
	if refused != nil {
		refused.write(w, false)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.wait)
	defer cancel()
	answer, err := s.explanation(ctx, a)
	if err != nil {
		s.notExplained(w, r, err)
		return
	}
	w.Header().Set("Vary", "Accept")
	switch e := answer.(type) {
	case *record.Explanation:
		w.Header().Set(positionHeader, e.Known.Position)
	case *record.Difference:
		w.Header().Set(positionHeader, e.Later.Known.Position)
	}
	if a.form == asJSON {
		writeJSON(w, http.StatusOK, answer)
		return
	}
	var page bytes.Buffer
	if err := writeForm(&page, answer, a.form); err != nil {
		s.notExplained(w, r, fmt.Errorf("rendering: %w", err))
		return
	}
	w.Header().Set("Content-Type", a.form.media()+"; charset=utf-8")
	if a.form == asHTML {
		w.Header().Set("Content-Security-Policy", pagePolicy)
	}
	w.Write(page.Bytes())
}

// explanation is a *record.Explanation, or a *record.Difference where two instants are compared.
func (s *Server) explanation(ctx context.Context, a *asked) (any, error) {
	if err := s.reachEvent(ctx, a); err != nil {
		return nil, err
	}
	if a.earlier != nil {
		return s.options.Explanations.Compare(ctx, *a.earlier, a.question)
	}
	return s.options.Explanations.Explain(ctx, a.question)
}

// pagePolicy is all that a page of an explanation needs: it has its style and its drawings in itself, and
// no script.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// textWidth is that of a text that nobody has given a terminal for.
const textWidth = 100

// writeForm writes what explanation gave as anything but JSON.
func writeForm(w io.Writer, answer any, as form) error {
	if d, ok := answer.(*record.Difference); ok {
		if as == asHTML {
			return render.HTMLDifference(w, d, nil)
		}
		return render.TextDifference(w, d, render.TextOptions{Width: textWidth})
	}
	e := answer.(*record.Explanation)
	switch as {
	case asHTML:
		return render.HTML(w, e, nil)
	case asSentence:
		_, err := fmt.Fprintln(w, render.Sentence(e, nil))
		return err
	}
	return render.Text(w, e, render.TextOptions{Width: textWidth})
}

// The pauses between looking whether explanations have come as far as an event.
const (
	firstLook = 2 * time.Millisecond
	mostLook  = 50 * time.Millisecond
)

// reachEvent waits until the explanations know the event that was asked for with min_position. They count
// in records of facts, and can say of an event only that it is not known yet.
func (s *Server) reachEvent(ctx context.Context, a *asked) error {
	if a.event == 0 {
		return nil
	}
	offset := a.event - 1
	probe := replay.Question{Patient: a.question.Patient, Rule: a.question.Rule, Known: replay.Known{Events: &offset}}
	for pause := firstLook; ; pause = min(2*pause, mostLook) {
		if _, err := s.options.Explanations.Explain(ctx, probe); !errors.Is(err, replay.ErrNotYetKnown) {
			return nil // known; if it has no answer, then the question itself will say why
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", replay.ErrNotReached, context.Cause(ctx))
		}
	}
}

// unanswerable are the questions that have no answer. All about a time at which there was none are 422,
// also that no rule set was active then: a 409 would say that the caller can resolve it and ask again,
// and what was so at an instant of the past stays so.
var unanswerable = []struct {
	err               error
	status            int
	word, title, mend string
}{
	{replay.ErrUnknownPatient, http.StatusNotFound, "unknown-patient", "the log says nothing about this patient",
		"check the id; with known_at, only what was known then counts"},
	{replay.ErrUnknownRuleSet, http.StatusNotFound, "unknown-rule-set", "no such rule set was ever active",
		"give the hash of one that was, or its first digits; an explanation says it as ruleSet.hash"},
	{replay.ErrUnknownPeriod, http.StatusNotFound, "unknown-period", "the patient has no such period",
		"leave period out to ask about the latest that has begun"},
	{replay.ErrBeforeBirth, http.StatusUnprocessableEntity, "before-birth", "the instant is before the patient's birth",
		"ask about a later one"},
	{replay.ErrNotYetKnown, http.StatusUnprocessableEntity, "not-yet-known", "known_at is in the future",
		"ask with a known_at that the log has reached, or leave it out; to wait for a position give it as min_position"},
	{replay.ErrNoRuleSet, http.StatusUnprocessableEntity, "no-rule-set", "no rule set was active then",
		"ask with a later known_at, or name a rule set with rule_set"},
}

// notExplained says why there is no explanation. The errors of package replay name no patient.
func (s *Server) notExplained(w http.ResponseWriter, r *http.Request, err error) {
	var unknown *replay.UnknownRule
	switch {
	case errors.As(err, &unknown):
		unknownRule(unknown).write(w, false)
		return
	case errors.Is(err, ErrNotServed):
		refuse(http.StatusServiceUnavailable, "not-served", "not-supported", "this process does not explain",
			"ask one that has the role explain").write(w, false)
		return
	case errors.Is(err, replay.ErrNotReached) && s.options.Explanations.Status().Ready:
		s.notAnswered(w, r, "", store.ErrNotReached)
		return
	case errors.Is(err, replay.ErrNotReached), errors.Is(err, ErrCatchingUp):
		s.stillExplaining().write(w, false)
		return
	}
	for _, u := range unanswerable {
		if errors.Is(err, u.err) {
			refused := refuse(u.status, u.word, "processing", u.title, u.mend)
			if text := err.Error(); text != u.err.Error() {
				refused.Detail = strings.TrimPrefix(text, u.title+": ")
			}
			if u.err == replay.ErrUnknownPatient && !s.options.Explanations.Status().Ready {
				refused.Mend += "; explanations are still catching up with the log"
			}
			refused.write(w, false)
			return
		}
	}
	s.notAnswered(w, r, "explaining", err)
}

func unknownRule(u *replay.UnknownRule) *refusal {
	mend := "see GET /v1/rules for those that are active"
	if u.Nearest != "" {
		mend = "did you mean " + u.Nearest + "?"
	}
	if len(u.Sets) > 0 {
		mend += " Other rule sets have it: name one of ruleSets with rule_set"
	}
	refused := refuse(http.StatusNotFound, "unknown-rule", "not-found", "the rule set has no such rule", mend)
	refused.Nearest, refused.RuleSets = u.Nearest, u.Sets
	return refused
}

// mostRetryAfter keeps a caller from coming back tomorrow because of an estimate.
const mostRetryAfter = 60

// stillExplaining is the answer while explanations are behind the log, to a caller who asked for more.
func (s *Server) stillExplaining() *refusal {
	later := refuse(http.StatusServiceUnavailable, "catching-up", "transient", "the explanations are still catching up with the log",
		"ask again later, see /v1/explanations/status, or leave min_position out for what is explained already")
	later.retryAfter = 1
	if left := s.options.Explanations.Status().SecondsLeft; left != nil {
		later.retryAfter = int(min(max(*left, 1), mostRetryAfter))
	}
	return later
}
