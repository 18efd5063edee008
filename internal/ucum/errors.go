package ucum

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of this package; match them with errors.Is.
var (
	// ErrSyntax means that a code breaks UCUM's grammar or one of this package's
	// limits.
	ErrSyntax = errors.New("not a UCUM code")
	// ErrUnknownUnit means that a code is well formed but names a unit that the
	// table does not have.
	ErrUnknownUnit = errors.New("unknown unit")
	// ErrIncommensurable means that two units measure different things.
	ErrIncommensurable = errors.New("units are not commensurable")
	// ErrRange means that a unit's size, or the ratio of two, is beyond float64.
	ErrRange = errors.New("unit is out of range")
)

// ParseError says where and why a code was refused. It unwraps to ErrSyntax,
// ErrUnknownUnit or ErrRange.
type ParseError struct {
	Code   string // the code, empty when it was too long to repeat
	Pos    int    // byte offset in Code at which reading stopped
	Reason string // what was wrong there
	Hint   string // a code that reads and may be what was meant, or empty
	Kind   error  // ErrSyntax, ErrUnknownUnit or ErrRange
}

// Error implements error.
func (e *ParseError) Error() string {
	var b strings.Builder
	b.WriteString(e.Kind.Error())
	if e.Code != "" {
		fmt.Fprintf(&b, " %q at byte %d", e.Code, e.Pos)
	}
	b.WriteString(": ")
	b.WriteString(e.Reason)
	if e.Hint != "" {
		fmt.Fprintf(&b, " (did you mean %s?)", e.Hint)
	}
	return b.String()
}

// Unwrap returns the sentinel.
func (e *ParseError) Unwrap() error { return e.Kind }
