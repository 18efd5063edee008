package equivalence

import "fmt"

// inPeriod draws an atom that asks about the period for which the rule holds.
func (d drawer) inPeriod() string {
	compare := pick(d, "<", "<=", ">", ">=", "==", "!=")
	order := pick(d, "<", "<=", ">", ">=")
	any := pick(d, "crea", "temp", "high", "hot", "ckd", "drug", "stay", "said", "second", "spell", "molar")
	numbers := pick(d, "crea", "temp", "high", "hot", "said", "tied", "molar")
	scope := pick(d, ".during()", ".during()", ".at_start()", ".at_end()")
	window := ""
	if scope != ".during()" {
		window = pick(d, "", "'6h'", "'3d'", "'1mo'", "'3d..1h'", "'after 2h'", "'after 1h..1d'", "'after 1mo'")
	}
	switch d.IntN(16) {
	case 0:
		return "ended"
	case 1, 2:
		since := pick(d, "hours_since_start", "hours_since_start", "hours_since_end", any+".during().hours_since()", "crea.during().days_since()")
		if d.IntN(3) == 0 {
			since = fmt.Sprintf("(%s ?? %d)", since, pick(d, 0, 1000))
		}
		return fmt.Sprintf("%s %s %v", since, order, pick(d, 0.0, 1, 2, 24, 48, 720))
	case 3:
		return fmt.Sprintf("%s %s %s.%s(%s)", pick(d, "start", "end"), compare, pick(d, "temp", "crea", "drug"), pick(d, "last_time", "first_time"), d.window())
	case 4:
		return fmt.Sprintf("%s.during().%s() %s %s", any, pick(d, "last_time", "first_time"), compare, pick(d, "start", "end"))
	case 5:
		return fmt.Sprintf("%s.overlaps()", any)
	case 6:
		return fmt.Sprintf("%s%s.active(%s)", pick(d, "ckd", "drug", "stay", "visit"), scope, window)
	case 7, 8:
		return fmt.Sprintf("%s%s.exists(%s)", any, scope, d.filtered(window))
	case 9, 10:
		return fmt.Sprintf("%s%s.count(%s) %s %d", any, scope, d.filtered(window), compare, d.IntN(4))
	case 11:
		statistic := d.statistic
		if scope == ".during()" {
			return fmt.Sprintf("%s%s.%s() %s %v", numbers, scope, pick(d, "median", "rise", "fall", "slope", "distinct", "max_gap"), compare, d.number())
		}
		return fmt.Sprintf("%s%s%s %s %v", numbers, scope, statistic(), compare, d.number())
	}
	return fmt.Sprintf("%s%s.%s(%s) %s %v", numbers, scope, pick(d, "last", "first", "min", "max", "sum", "mean", "delta"), d.filtered(window), compare, d.number())
}
