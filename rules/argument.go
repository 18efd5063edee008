package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// carryWord begins the text that says for how long a value stands at most.
const carryWord = "carry "

// said is a term's arguments as a pack writes them: what the op needs, the window, what it may be given.
func (a Argument) said(op Op, w Window) string {
	var parts []string
	switch op {
	case Nth, DurationAbove, DurationBelow:
		parts = append(parts, strconv.FormatFloat(a.Number, 'g', -1, 64))
	case EWMA:
		parts = append(parts, "'"+Duration{Millis: a.Millis}.String()+"'")
	}
	if !w.All && !w.During {
		parts = append(parts, "'"+w.String()+"'")
	}
	if (op == DurationAbove || op == DurationBelow) && a.Millis > 0 {
		parts = append(parts, "'"+carryWord+Duration{Millis: a.Millis}.String()+"'")
	}
	return strings.Join(parts, ", ")
}

// argument reads what the op takes besides its window, and leaves the call with the window alone.
func (k *checker) argument(n *ast.CallNode, op Op) (Argument, *ast.CallNode, bool) {
	rest := *n
	var arg Argument
	switch op {
	case Nth, DurationAbove, DurationBelow:
		x, ok := k.numberGiven(n, op)
		if !ok {
			return arg, nil, false
		}
		arg.Number = x
		rest.Arguments = n.Arguments[1:]
		if last := len(rest.Arguments) - 1; op != Nth && last >= 0 {
			s, text := rest.Arguments[last].(*ast.StringNode)
			if !text {
				break
			}
			if carried, carries := strings.CutPrefix(strings.TrimSpace(s.Value)+" ", carryWord); carries {
				if arg.Millis, ok = k.exactLength(s, strings.TrimSpace(carried)); !ok {
					return arg, nil, false
				}
				rest.Arguments = rest.Arguments[:last]
			}
		}
	case EWMA:
		var s *ast.StringNode
		if len(n.Arguments) > 0 {
			s, _ = n.Arguments[0].(*ast.StringNode)
		}
		if s == nil {
			k.fault(n, "`ewma` takes a half-life first", "as in `ewma('12h', '7d')`: a value 12 hours before the latest counts half as much")
			return arg, nil, false
		}
		var ok bool
		if arg.Millis, ok = k.exactLength(s, s.Value); !ok {
			return arg, nil, false
		}
		rest.Arguments = n.Arguments[1:]
	}
	return arg, &rest, true
}

// numberGiven is the number that nth, duration_above and duration_below take first.
func (k *checker) numberGiven(n *ast.CallNode, op Op) (float64, bool) {
	hint := fmt.Sprintf("as in `%s(180, '24h')`", op)
	if op == Nth {
		hint = "nth(1) is the earliest, nth(2) the one after it, nth(-1) the latest, nth(-2) the one before it"
	}
	if len(n.Arguments) == 0 {
		k.fault(n, fmt.Sprintf("`%s` takes a number first", op), hint)
		return 0, false
	}
	e, t := k.check(n.Arguments[0], inside)
	l, constant := literal(e).(*Literal)
	switch {
	case t == broken:
		return 0, false
	case !constant || t != number:
		k.fault(n.Arguments[0], fmt.Sprintf("`%s` takes a number that is written down first", op), hint)
		return 0, false
	}
	x := l.Value.Num
	if op == Nth && (x == 0 || x != float64(int32(x))) {
		k.fault(n.Arguments[0], "there is no such place: `nth` counts from 1, or from -1 backwards", hint)
		return 0, false
	}
	return x, true
}

func (k *checker) exactLength(s *ast.StringNode, text string) (int64, bool) {
	d, c := parseDuration(text)
	switch {
	case strings.HasPrefix(strings.TrimSpace(text), "-"):
		k.faultAt(s, fmt.Sprintf("the length of time '%s' is negative", text), "drop the minus sign")
	case c != nil:
		k.faultAt(s, c.problem, c.hint)
	case d.Months != 0:
		k.faultAt(s, fmt.Sprintf("'%s' is not always the same length of time", text), "write it in days or hours")
	case d.Millis == 0:
		k.faultAt(s, fmt.Sprintf("'%s' is no time at all", text), "write a length such as '4h'")
	default:
		return d.Millis, true
	}
	return 0, false
}
