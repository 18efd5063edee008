package render

import (
	"strings"
	"time"

	"github.com/vigil-cds/vigil/explain/record"
)

// view is an explanation as one reader sees it. It is only read.
type view struct {
	*record.Explanation
	calendar
	enough map[int]bool // the places in Facts of those that suffice
}

func viewOf(e *record.Explanation, zone *time.Location) *view {
	v := &view{Explanation: e, calendar: calendarOf(e, zone), enough: make(map[int]bool, len(e.Suffices))}
	for _, i := range e.Suffices {
		v.enough[i] = true
	}
	return v
}

// term is the term that a node asks; nil for every other node.
func (v *view) term(n *record.Node) *record.Term {
	if n.Op != "term" || n.Term < 0 || n.Term >= len(v.Terms) {
		return nil
	}
	return &v.Terms[n.Term]
}

// headline says what happened, or what was asked, and when.
func (v *view) headline() string {
	at := v.inFull(v.At)
	switch v.Kind {
	case record.Fired:
		return "Fired " + at
	case record.Cleared:
		if v.Truth == record.Unknown {
			return "Cleared " + at + ", now unknown"
		}
		return "Cleared " + at
	}
	return capital(string(v.Truth)) + " at " + at
}

// cause says what made a transition happen; "" for an answer.
func (v *view) cause() string {
	if v.Cause == nil {
		return ""
	}
	switch c := v.Cause; {
	case c.Kind == record.CauseTime:
		return "by the passing of time alone"
	case c.Kind == record.CauseActivation:
		return "by the change of the rules at " + plain(c.Position)
	case len(c.Gone) > 0 && len(c.Facts) == 0:
		return "by a retraction at " + plain(c.Position)
	case len(c.Gone) > 0:
		return "by a correction at " + plain(c.Position)
	default:
		return "by new data at " + plain(c.Position)
	}
}

// identity names the rule: "aki-kdigo-1 version 3 of renal, warning, KDIGO 2012, 2.1".
func (v *view) identity() string {
	r := v.Rule
	parts := []string{r.ID + " version " + figure(float64(r.Version)) + " of " + r.Pack, r.Severity}
	if r.Source != "" {
		parts = append(parts, r.Source)
	}
	return plain(strings.Join(parts, ", "))
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
