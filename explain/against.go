package explain

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// unmet says what it is about a fact that keeps it out of an input: for each condition of which it is not
// true what the fact says instead, in words where the condition is about what it says for itself.
func (r *reading) unmet(in *rules.Input, s Statement, value rules.Value) string {
	o := objection{reading: r, input: in, statement: s, scope: r.about(in, s, value)}
	var words, rest []string
	for _, condition := range in.Where {
		if truth(condition, o.scope) == rules.True {
			continue
		}
		if w := o.words(condition); w != "" {
			words = append(words, w)
		} else {
			rest = append(rest, condition.String())
		}
	}
	if len(rest) > 0 {
		words = append(words, "it is not one of which "+strings.Join(rest, " and ")+" is true")
	}
	return strings.Join(words, ", and ")
}

// objection puts into words why a condition is not true of a fact.
type objection struct {
	*reading
	input     *rules.Input
	statement Statement
	scope     scope
}

// words is "" for a condition that is better shown as it is written.
func (o *objection) words(e rules.Expr) string {
	switch e := e.(type) {
	case *rules.Has:
		return "it does not say its " + named(e.X)
	case *rules.Unary:
		if has, ok := e.X.(*rules.Has); ok && e.Op == "not" {
			return "it says its " + named(has.X)
		}
	case *rules.In:
		if a, ok := coded(e.X); ok {
			return o.codes(a, " is not "+among(e))
		}
	case *rules.Binary:
		return o.binary(e)
	}
	return ""
}

func (o *objection) binary(e *rules.Binary) string {
	if e.Op == "and" {
		var words []string
		for _, part := range []rules.Expr{e.X, e.Y} {
			if truth(part, o.scope) == rules.True {
				continue
			}
			w := o.words(part)
			if w == "" {
				return ""
			}
			words = append(words, w)
		}
		return strings.Join(words, ", and ")
	}
	x, y, op := e.X, e.Y, e.Op
	if _, ok := x.(*rules.Literal); ok {
		x, y, op = y, x, mirrored[op]
	}
	a, ok := x.(*rules.AttributeRef)
	if !ok || !slices.Contains(comparisons, e.Op) {
		return ""
	}
	if l, constant := y.(*rules.Literal); a.Coded && constant {
		if codes := o.scope.attribute(a).codes; op == "!=" && len(codes) > 0 {
			return "its " + named(a) + " is " + l.Value.Str
		}
		return o.codes(a, " is not "+l.Value.Str)
	}
	var other string
	switch y := y.(type) {
	case *rules.Literal:
		other = o.said(a, y.Value)
	case *rules.AttributeRef:
		v := o.scope.attribute(y).value
		if v.Kind == rules.Missing {
			return o.silent(y)
		}
		other = "its " + named(y) + " " + o.said(y, v)
	default:
		return ""
	}
	v := o.scope.attribute(a).value
	if v.Kind == rules.Missing {
		return o.silent(a)
	}
	if truth(e, o.scope) == rules.Unknown {
		return "its " + named(a) + " " + o.said(a, v) + " does not tell how it compares with " + other
	}
	relation := relations[op]
	if v.Kind == rules.Time {
		relation = timeRelations[op]
	}
	return "its " + named(a) + " " + o.said(a, v) + " is not " + relation + other
}

var (
	mirrored      = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
	relations     = map[string]string{"==": "", "!=": "other than ", "<": "less than ", "<=": "at most ", ">": "more than ", ">=": "at least "}
	timeRelations = map[string]string{"==": "", "!=": "other than ", "<": "before ", "<=": "at or before ", ">": "after ", ">=": "at or after "}
)

// codes says what the fact's codings of a property are, and what they should be or not be.
func (o *objection) codes(a *rules.AttributeRef, against string) string {
	codes := o.scope.attribute(a).codes
	if len(codes) == 0 {
		return o.silent(a)
	}
	short := make([]string, len(codes))
	for i, c := range codes {
		short[i] = c.Value()
		if strings.Contains(against, "|") || strings.Contains(against, "value set") {
			short[i] = string(c)
		}
	}
	return "its " + named(a) + " " + strings.Join(short, ", ") + against
}

// silent says that the fact does not have a property, or has it in a unit that does not help.
func (o *objection) silent(a *rules.AttributeRef) string {
	d := detailOf(o.statement.Fact)
	switch {
	case a.Unit != "" && d.Attribute(a.Name) != nil:
		if sent := sentUnit(d, a.Name+"_unit"); sent != "" {
			return "its " + named(a) + " is in " + strconv.Quote(sent) + ", which cannot be converted to " + a.Unit
		}
		return "its " + named(a) + " has no unit"
	case a.Name == clinical.AttrLength && o.statement.Fact.End == clinical.Forever:
		return "it goes on, so that its length is not known"
	}
	return "it does not say its " + named(a)
}

// said is a value of the property as people write it.
func (o *objection) said(a *rules.AttributeRef, v rules.Value) string {
	switch {
	case v.Kind == rules.Time && v == rules.TimeOf(clinical.Forever):
		return "(not yet)"
	case v.Kind == rules.Length && v.Num >= 0:
		return length(rules.Duration{Millis: int64(v.Num)})
	case v.Kind != rules.Number:
		return v.String()
	}
	switch a.Name {
	case clinical.AttrDose, clinical.AttrRate:
		return amount(v, a.Unit)
	case clinical.AttrValue, clinical.AttrReferenceLow, clinical.AttrReferenceHigh, clinical.AttrValueLow, clinical.AttrValueHigh:
		return amount(v, o.input.Unit)
	}
	return v.String()
}

// named is the property in words: "reference high".
func named(a *rules.AttributeRef) string {
	if a.Name == clinical.AttrAuthored {
		return "author time"
	}
	return strings.ReplaceAll(a.Name, "_", " ")
}

// among is what a list or a value set asks for: "final or amended".
func among(e *rules.In) string {
	if e.Set != nil {
		text := "in the value set " + strconv.Quote(e.Set.Name)
		if e.Set.Version != "" {
			text += " (version " + e.Set.Version + ")"
		}
		return text
	}
	texts := make([]string, len(e.List))
	for i, v := range e.List {
		texts[i] = v.Str
	}
	if n := len(texts); n > 1 {
		return strings.Join(texts[:n-1], ", ") + " or " + texts[n-1]
	}
	return strings.Join(texts, "")
}
