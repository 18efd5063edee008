package render

import (
	"fmt"
	"math"
	"slices"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/rules"
)

// computed is an expression over terms that is compared with a number.
func (v *view) computed(x *record.Node, op string, holds bool, k record.Value) clause {
	a, b := v.pair(x)
	switch {
	case a == nil:
	case x.Op == "-":
		return v.difference(a, b, op, holds, k.Num)
	case x.Op == "/" && alike(a, b) && b.Value.Num > 0:
		return v.ratio(a, op, holds, k.Num, b)
	case x.Op == "/":
		return clause{text: v.mention(a) + " divided by " + v.mention(b) + " is " + times(x.Value.Num, k.Num) + ", " + off(op, holds, x.Value, k), rank: measured}
	}
	return v.sum(x, op, holds, k)
}

// pair is the two terms that an expression combines, where it is that simple and both are exact numbers;
// nil otherwise.
func (v *view) pair(x *record.Node) (a, b *record.Term) {
	if len(x.Kids) != 2 {
		return nil, nil
	}
	left, _ := v.taken(&x.Kids[0])
	right, _ := v.taken(&x.Kids[1])
	if a, b = v.term(left), v.term(right); a == nil || b == nil || !isExact(a.Value) || !isExact(b.Value) {
		return nil, nil
	}
	return a, b
}

// alike says whether two terms ask the same input.
func alike(x, y *record.Term) bool { return x.Input == y.Input && x.Pack == y.Pack }

// difference is one term less another, compared with a number.
func (v *view) difference(a, b *record.Term, op string, holds bool, k float64) clause {
	same := alike(a, b)
	d := a.Value.Num - b.Value.Num
	if same && b.Op == "last" && a.Op != "last" {
		a, b, d, op, k = b, a, -d, mirrored[op], -k
	}
	if same && a.Op == "last" {
		if x, y := v.witness(a), v.witness(b); x != nil && y != nil && x.Fact == y.Fact {
			return clause{text: v.mention(a) + " is itself " + v.comparedWith(b, a), rank: measured}
		}
		moved := "has not changed from"
		if by := short(math.Abs(d), math.Abs(k)); rules.Compare(d, 0) > 0 {
			moved = "has risen by " + by + " from"
		} else if rules.Compare(d, 0) < 0 {
			moved = "has fallen by " + by + " from"
		}
		return clause{text: v.mention(a) + " " + moved + " " + v.beside(b, a) + shortfall("risen", "fallen", op, holds, d, k), rank: measured}
	}
	stands := "is the same as"
	if by := short(math.Abs(d), math.Abs(k)); rules.Compare(d, 0) > 0 {
		stands = "is " + by + " above"
	} else if rules.Compare(d, 0) < 0 {
		stands = "is " + by + " below"
	}
	return clause{text: v.mention(a) + " " + stands + " " + v.beside(b, a) + shortfall("above", "below", op, holds, d, k), rank: measured}
}

// beside is a term's answer beside another term: "the lowest in 7 days, 1.2 (3 May)".
func (v *view) beside(t, other *record.Term) string {
	if !alike(t, other) {
		return v.mention(t)
	}
	return v.comparedWith(t, other) + ", " + v.dated(v.amount(t, ""), t)
}

// delta is the change within one window.
func (v *view) delta(t *record.Term, op string, holds bool, k float64) clause {
	d := t.Value.Num
	moved := "has not changed"
	if by := with(short(math.Abs(d), math.Abs(k)), t.Unit); d > 0 {
		moved = "has risen by " + by
	} else if d < 0 {
		moved = "has fallen by " + by
	}
	text := joined(named(t.Input), moved, scope(t))
	first, last := -1, -1
	for i, u := range t.Uses {
		if isNumber(u.Value) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first >= 0 && first != last {
		text += ", from " + v.point(t, first) + " to " + v.point(t, last)
	}
	return clause{text: text + shortfall("risen", "fallen", op, holds, d, k), rank: measured}
}

// point is one value that a term saw, with its time.
func (v *view) point(t *record.Term, use int) string {
	u := t.Uses[use]
	f := &v.Facts[u.Fact]
	text := u.Value.String()
	if isExact(u.Value) && u.Value != f.Value {
		text = short(u.Value.Num)
	}
	if f.Time == nil {
		return text
	}
	return text + " (" + v.said(*f.Time, f.Precision) + ")"
}

// shortfall says by how much a change should have been, where it is not as large as is asked about; up and
// down are the words for its direction. A comparison such as `< 0.3` asks whether it is smaller, which is
// told in the same way: not by 0.3 or more.
func shortfall(up, down, op string, holds bool, d, k float64) string {
	if op == "==" || op == "!=" {
		return ", " + ranking(holdWords, op, holds, d, k)
	}
	if outward := (op == ">" || op == ">=") == (k >= 0); !outward {
		op = map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[op]
		holds = !holds
	}
	if holds {
		return ""
	}
	amount := figure(math.Abs(k)) + " or more"
	if op == ">" || op == "<" {
		amount = "more than " + figure(math.Abs(k))
	}
	wanted := up
	if k < 0 {
		wanted = down
	}
	if rules.Compare(d, 0) == 0 || (d > 0) != (k >= 0) {
		return ", not " + wanted + " by " + amount
	}
	return ", not by " + amount
}

// ratio is a term compared with a multiple of another.
func (v *view) ratio(a *record.Term, op string, holds bool, factor float64, b *record.Term) clause {
	if a.Value.Kind == rules.Time && b.Value.Kind == rules.Time {
		return v.instants(a, b)
	}
	if !isNumber(a.Value) || !isNumber(b.Value) {
		return v.words(a, op, holds, b)
	}
	if x, y := v.witness(a), v.witness(b); alike(a, b) && x != nil && y != nil && x.Fact == y.Fact && a.Op == "last" {
		return clause{text: v.mention(a) + " is itself " + v.comparedWith(b, a), rank: measured}
	}
	if factor != 1 && isExact(a.Value) && isExact(b.Value) && a.Value.Num > 0 && b.Value.Num > 0 {
		r := a.Value.Num / b.Value.Num
		text := v.mention(a) + " is " + times(r, factor, 1) + " times " + v.beside(b, a)
		if !holds {
			text += ", " + ranking(holdWords, op, false, r, factor) + " times"
		}
		return clause{text: text, rank: measured}
	}
	multiple := ""
	if factor != 1 {
		multiple = figure(factor) + " times "
	}
	relation, by := holdWords[op], ""
	if product := factor * b.Value.Num; isExact(a.Value) && isExact(b.Value) {
		relation = [...]string{"below", "the same as", "above"}[rules.Compare(a.Value.Num, product)+1]
		if relation != "the same as" {
			by = ", by " + short(math.Abs(a.Value.Num-product))
		}
	} else if !holds {
		relation = "not " + relation
	}
	return clause{text: v.mention(a) + " is " + relation + " " + multiple + v.beside(b, a) + by, rank: measured}
}

// words compares two terms whose answers are texts or truths.
func (v *view) words(a *record.Term, op string, holds bool, b *record.Term) clause {
	relation := " is not the same as "
	if (op == "==") == holds {
		relation = " is the same as "
	}
	return clause{text: v.mention(a) + relation + v.mention(b), rank: measured}
}

// sum is any other number that was worked out: a score with the parts that gave points, or an expression
// with what it was worked out from.
func (v *view) sum(x *record.Node, op string, holds bool, k record.Value) clause {
	if c, ok := v.aged(x, op, holds, k.Num); ok {
		return c
	}
	words, value := off(op, holds, x.Value, k), short(x.Value.Num, k.Num)
	parts := []*record.Node{x}
	if x.Op == "+" {
		parts = operands(x)
	}
	if !slices.ContainsFunc(parts, func(n *record.Node) bool { return n.Op == "?:" }) {
		var from []string
		for t := range v.termsIn(x) {
			if m := v.mention(t, k.Num); !slices.Contains(from, m) {
				from = append(from, m)
			}
		}
		if over := len(from) - most; over > 0 {
			from = append(from[:most], fmt.Sprintf("%d more", over))
		}
		return clause{text: "the value worked out from " + enumerated(from) + " is " + value + ", " + words, rank: measured}
	}
	var points []string
	slices.SortStableFunc(parts, func(x, y *record.Node) int { return int(math.Abs(y.Value.Num)) - int(math.Abs(x.Value.Num)) })
	for _, p := range parts {
		if p.Value.Num == 0 {
			continue
		}
		point := figure(p.Value.Num)
		for t := range v.termsIn(p) {
			point += " for " + v.mention(t)
			break
		}
		points = append(points, point)
	}
	const shown = 4
	if over := len(points) - shown; over > 0 {
		points = append(points[:shown], fmt.Sprintf("%d more", over))
	}
	text := "the points add up to " + value + ", " + words
	if len(points) > 0 {
		text += " (" + enumerated(points) + ")"
	}
	return clause{text: text, rank: measured}
}
