package rules

// Truth is three-valued: missing data makes a question Unknown, never False.
type Truth uint8

const (
	False Truth = iota
	True
	Unknown
)

// String is "false", "true" or "unknown".
func (t Truth) String() string { return [...]string{"false", "true", "unknown"}[t] }

// Not is Kleene's negation.
//
//	x   | F T U
//	not | T F U
func Not(x Truth) Truth { return [...]Truth{True, False, Unknown}[x] }

// And is Kleene's conjunction.
//
//	and | F T U
//	----+------
//	 F  | F F F
//	 T  | F T U
//	 U  | F U U
func And(x, y Truth) Truth {
	switch {
	case x == False || y == False:
		return False
	case x == True && y == True:
		return True
	}
	return Unknown
}

// Or is Kleene's disjunction.
//
//	or | F T U
//	---+------
//	F  | F T U
//	T  | T T T
//	U  | U T U
func Or(x, y Truth) Truth {
	switch {
	case x == True || y == True:
		return True
	case x == False && y == False:
		return False
	}
	return Unknown
}

// AtLeast is true when at least n are true, false when so many are false that n cannot be reached,
// and unknown between: the three-valued counterpart of counting.
func AtLeast(n int, trues, unknowns int) Truth {
	switch {
	case trues >= n:
		return True
	case trues+unknowns < n:
		return False
	}
	return Unknown
}
