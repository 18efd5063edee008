package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/rules"
)

// atom says how a condition stands that no and, or, not or the like takes apart.
func (v *view) atom(n *record.Node) []clause {
	if n.Truth == record.Unknown || n.Value.IsZero() {
		return v.undecided(n)
	}
	taken, missing := v.taken(n)
	if missing != nil {
		return []clause{v.assumed(missing, "taken as "+plain(n.Value.String()))}
	}
	n = taken
	switch {
	case n.Op == "term":
		if t := v.term(n); t != nil {
			return []clause{v.presence(t, n.Value)}
		}
	case n.Op == "in" && len(n.Kids) == 1:
		return []clause{v.membership(n)}
	case mirrored[n.Op] != "" && len(n.Kids) == 2:
		return []clause{v.comparison(n)}
	}
	return []clause{v.generic(n)}
}

// presence is a term that is a condition by itself.
func (v *view) presence(t *record.Term, value record.Value) clause {
	yes := value.Num != 0
	switch {
	case t.Op == "deceased" && yes:
		return clause{text: "the patient has died", rank: personal}
	case t.Op == "deceased":
		return clause{text: "the patient is not known to have died", rank: personal}
	case t.Op == "sex":
		return clause{text: "the patient is " + brief(value.String()), rank: personal}
	case t.Op == "exists" && yes:
		return clause{verb: "there was", text: v.dated(joined(named(t.Input), scope(t)), t), rank: present}
	case t.Op == "exists":
		return v.lacking(t)
	case t.Op == "ended" && yes:
		return clause{text: "the period has ended", rank: present}
	case t.Op == "ended":
		return clause{text: "the period goes on", rank: present}
	case t.Op == "overlaps" && yes:
		return clause{text: v.dated(named(t.Input)+" overlaps the period", t), rank: present}
	case t.Op == "overlaps":
		return clause{text: "no " + named(t.Input) + " overlaps the period", rank: absent}
	case t.Op == "active" && yes:
		text := joined(named(t.Input), picked(t)) + " is active"
		if u := v.witness(t); u != nil && v.Facts[u.Fact].Time != nil {
			text += " (since " + v.said(*v.Facts[u.Fact].Time, v.Facts[u.Fact].Precision) + ")"
		}
		return clause{text: text, rank: present}
	case t.Op == "active":
		return clause{text: joined(named(t.Input), picked(t)) + " is not active", last: v.ended(t), rank: absent}
	}
	return clause{text: v.dated(v.noun(t)+" is "+brief(value.String()), t), rank: measured}
}

// ended says when something that is not active was so last.
func (v *view) ended(t *record.Term) string {
	if t.Latest == nil {
		return ""
	}
	if end := v.Facts[t.Latest.Fact].End; end != nil && *end <= v.At {
		return "it ended " + v.on(*end, fineness(*end))
	}
	return ""
}

// lacking says that there is nothing for a term to answer with.
func (v *view) lacking(t *record.Term) clause {
	what := named(t.Input)
	switch t.Op {
	case "age", "age_months":
		return clause{text: "the age is not known", rank: absent}
	case "sex":
		return clause{text: "the sex is not known", rank: absent}
	case "deceased":
		return clause{text: "nothing is known of the patient's person", rank: absent}
	}
	if reason := v.reason(t); reason != "" && (t.Saw > 0 || t.Latest == nil) {
		text, last, _ := strings.Cut(respelled(reason, t.Input), "; ")
		return clause{text: text, last: last, rank: absent}
	}
	if t.Saw == 0 {
		return clause{verb: "there was", text: joined("no", what, scope(t)), last: v.latest(t), rank: absent}
	}
	if few := v.tooFew(t); few != "" {
		return clause{verb: "there was", text: few, rank: absent}
	}
	bounded := slices.IndexFunc(t.Uses, func(u record.Use) bool { return isNumber(u.Value) && !isExact(u.Value) })
	if bounded >= 0 {
		return clause{text: fmt.Sprintf("%s cannot be worked out from a result such as %s", v.noun(t), t.Uses[bounded].Value), rank: absent}
	}
	return clause{text: joined(what, scope(t), "has no value"), rank: absent}
}

// reason is why a term has no answer, where the explanation says it.
func (v *view) reason(t *record.Term) string {
	for _, m := range v.Missing {
		if 0 <= m.Term && m.Term < len(v.Terms) && &v.Terms[m.Term] == t {
			return strings.TrimSuffix(plain(m.Reason), ".")
		}
	}
	return ""
}

// latest says what the last fact before an empty window was.
func (v *view) latest(t *record.Term) string {
	if t.Latest == nil {
		return ""
	}
	f := &v.Facts[t.Latest.Fact]
	switch {
	case f.Time == nil:
		return ""
	case t.Latest.Value.IsZero():
		return "the last was " + v.on(*f.Time, f.Precision)
	}
	value := brief(v.stated(t.Latest.Value, t.Unit))
	if isExact(t.Latest.Value) && t.Latest.Value != f.Value {
		value = with(short(t.Latest.Value.Num), t.Unit)
	}
	return "the last was " + value + " (" + v.said(*f.Time, f.Precision) + ")"
}

// assumed says what was taken for something that is missing.
func (v *view) assumed(missing *record.Node, what string) clause {
	for t := range v.missingIn(missing) {
		c := v.lacking(t)
		c.text, c.last = c.text+", "+what, ""
		return c
	}
	return clause{text: "what is not known is " + what, rank: absent}
}

// undecided says what kept a condition from being decided, each missing term by itself.
func (v *view) undecided(n *record.Node) []clause {
	var clauses []clause
	for t := range v.missingIn(n) {
		clauses = append(clauses, v.lacking(t))
	}
	if len(clauses) > 0 {
		return clauses
	}
	for t := range v.termsIn(n) {
		if isNumber(t.Value) && !isExact(t.Value) {
			return []clause{{text: v.mention(t) + " does not tell " + v.question(n, t), rank: measured}}
		}
	}
	return []clause{v.generic(n)}
}

// question is what a bounded number does not tell.
func (v *view) question(n *record.Node, t *record.Term) string {
	if len(n.Kids) == 2 && mirrored[n.Op] != "" && n.Kids[0].Op == "term" && constant(&n.Kids[1]) && isExact(n.Kids[1].Value) {
		return "whether it is " + holdWords[n.Op] + " " + figure(n.Kids[1].Value.Num)
	}
	return "enough"
}

// missingIn goes through the terms in n that have no answer and no default, each once.
func (v *view) missingIn(n *record.Node) func(yield func(*record.Term) bool) {
	return func(yield func(*record.Term) bool) {
		var met []*record.Term
		for t := range v.termsIn(n) {
			if t.Value.IsZero() && !slices.Contains(met, t) {
				met = append(met, t)
				if !yield(t) {
					return
				}
			}
		}
	}
}

// membership is a value that is, or is not, one of a list.
func (v *view) membership(n *record.Node) clause {
	x, missing := v.taken(&n.Kids[0])
	_, list, _ := strings.Cut(n.Source, " in [")
	options := strings.Split(strings.TrimSuffix(list, "]"), ", ")
	const few = 3
	among := fmt.Sprintf("one of the %d listed", len(options))
	if len(options) <= few {
		for i, o := range options {
			options[i] = brief(strings.Trim(o, "'"))
		}
		among = strings.Join(options, " or ")
	}
	is := " is "
	if n.Truth == record.False {
		is = " is not "
	}
	if missing != nil {
		return v.assumed(missing, "taken as "+brief(x.Value.String())+", which"+is+among)
	}
	if t := v.term(x); t != nil {
		c := clause{text: v.mention(t) + is + among, rank: measured}
		if t.Op == "sex" {
			c = clause{text: "the patient is " + brief(t.Value.String()) + ", which" + is + among, rank: personal}
		}
		return c
	}
	return v.generic(n)
}

// generic says how any condition stands, by naming what it rests on.
func (v *view) generic(n *record.Node) clause {
	if c, ok := v.sameDay(n); ok {
		return c
	}
	var from []string
	for t := range v.termsIn(n) {
		if m := v.mention(t); !slices.Contains(from, m) {
			from = append(from, m)
		}
	}
	if over := len(from) - most; over > 0 {
		from = append(from[:most], fmt.Sprintf("%d more", over))
	}
	of := ""
	if len(from) > 0 {
		of = " on " + enumerated(from)
	}
	switch n.Truth {
	case record.True:
		return clause{text: "the condition" + of + " holds", rank: measured}
	case record.False:
		return clause{text: "the condition" + of + " does not hold", rank: measured}
	}
	return clause{text: "the condition" + of + " cannot be worked out", rank: measured}
}

// isText says that a value is a text or a code.
func isText(v record.Value) bool { return v.Kind == rules.Text }
