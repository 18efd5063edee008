package ucum

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"unicode/utf8"
)

// ParseLoose reads a unit as real feeds spell it: extra, a site's own table of
// spellings to UCUM codes that [CheckAlias] admits, comes first, then [Canonical],
// then [Parse]. extra may be nil; it is only read. The Unit's String is the
// UCUM code, and the errors are Parse's, about that code.
func ParseLoose(code string, extra map[string]string) (Unit, error) {
	if own, ok := extra[strings.TrimSpace(code)]; ok {
		return Parse(own)
	}
	return Parse(Canonical(code))
}

// Canonical returns the UCUM code for a spelling from real feeds: white space
// around it goes, the micro sign (U+00B5) and the Greek mu (U+03BC) become u,
// and what [Aliases] lists is replaced. Anything else is returned as it is,
// whether it reads or not.
func Canonical(code string) string {
	code = strings.TrimSpace(code)
	if strings.ContainsAny(code, "µμ") {
		code = strings.NewReplacer("µ", "u", "μ", "u").Replace(code)
	}
	if alias, ok := aliases()[code]; ok {
		return alias
	}
	return code
}

// Aliases returns a copy of the spellings that [Canonical] replaces, with the
// UCUM code that stands for each.
func Aliases() map[string]string { return maps.Clone(aliases()) }

// spellings is the list of them, as people read it; its head says what is in it.
//
//go:embed spellings.txt
var spellings string

// aliases is the list by spelling. It panics when the list has a spelling twice,
// which the tests exclude.
var aliases = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(spellings) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "# ") || line == "#" {
			continue
		}
		code, list, _ := strings.Cut(line, " ")
		for spelling := range strings.SplitSeq(list, "|") {
			spelling = strings.TrimSpace(spelling)
			if _, twice := out[spelling]; twice {
				panic(fmt.Sprintf("ucum: the spelling %q is listed twice", spelling))
			}
			out[spelling] = code
		}
	}
	return out
})

// Errors of [CheckAlias]; match them with errors.Is.
var (
	// ErrSpelling means that a text cannot be the spelling of a unit.
	ErrSpelling = errors.New("not the spelling of a unit")
	// ErrMeaning means that a spelling is a UCUM code that means something else.
	ErrMeaning = errors.New("the spelling is a UCUM code with a meaning of its own")
)

// CheckAlias says whether a site may have a spelling of its own read as the UCUM
// code. It may not when the code does not read (the errors of [Parse]), when
// white space or length keep the spelling from ever being met, and when the
// spelling is itself a UCUM code for something else: Cel for "C", which is the
// coulomb, would make two units of one. What [Aliases] has for a spelling, a site
// may change: IU/L may be its word for U/L.
func CheckAlias(spelling, code string) error {
	if spelling == "" || strings.TrimSpace(spelling) != spelling || len(spelling) > maxCodeLength || !utf8.ValidString(spelling) {
		return fmt.Errorf("%w: %q has from 1 to %d bytes and no white space around it", ErrSpelling, spelling, maxCodeLength)
	}
	meant, err := Parse(code)
	if err != nil {
		return err
	}
	own, err := Parse(spelling)
	if err != nil || aliases()[spelling] == code {
		return nil
	}
	if c, err := Between(own, meant); err != nil || !c.Identity() {
		return fmt.Errorf("%w: %q is not %q", ErrMeaning, spelling, code)
	}
	return nil
}
