package rules

import (
	"regexp"
	"strings"
)

// Code is the kind of fault in a few words, as in "unknown-input": the same for every fault of its kind, so
// that a tool can count, filter and document faults by it. What has no kind of its own is "invalid".
func (f Fault) Code() string {
	if m := unknownThing.FindStringSubmatch(f.Problem); m != nil {
		return "unknown-" + strings.ReplaceAll(m[1], " ", "-")
	}
	for _, kind := range faultKinds {
		if kind.problem.MatchString(f.Problem) {
			return kind.code
		}
	}
	return "invalid"
}

// unknownThing names what is not known: an input, a unit, a time zone.
var unknownThing = regexp.MustCompile(`^unknown ([a-z]+( [a-z]+)*) "`)

// faultKinds tell faults apart by the fixed words of their problem; the first that fits is the kind.
var faultKinds = []struct {
	code    string
	problem *regexp.Regexp
}{
	{"yaml-syntax", regexp.MustCompile(`^not YAML|^a quote is not closed`)},
	{"json-syntax", regexp.MustCompile(`^not a FHIR resource`)},
	{"unknown-key", regexp.MustCompile(` has no key "`)},
	{"unknown-property", regexp.MustCompile(`has no property "|never has the property "|^there is no patient\.`)},
	{"duplicate", regexp.MustCompile(` (is|are) here twice|is in the rule set twice|files of the set have this name`)},
	{"missing-key", regexp.MustCompile(` has no [a-z_]+$|does not say what facts`)},
	{"not-in-language", regexp.MustCompile(`part of the (language|pack format)|not part of`)},
	{"wrong-shape", regexp.MustCompile(` is written as .*, and here is |a second document|^a condition (is|has) `)},
	{"empty", regexp.MustCompile(`is empty|lists no |has no test cases|holds no codes`)},
	{"window", regexp.MustCompile(`window|length of time|longer than \d+ years`)},
	{"expression-syntax", regexp.MustCompile(`^the expression |is not expected here|is not closed|single = |brackets|without .\{\{|chain of comparisons`)},
	{"message", regexp.MustCompile(`\{\{`)},
	{"type-mismatch", regexp.MustCompile(`cannot be (compared|among|chosen)|no meaning for|needs the same|must be the same|joins conditions|` +
		` is for numbers|is said of|minus sign|not a condition|is compared with|cannot stand beside|in front of a number|a condition, and this is|is followed by|holds constants`)},
	{"elapsed-time", regexp.MustCompile(`elapsed time|every millisecond|may only be one side`)},
	{"misplaced", regexp.MustCompile(`alone says nothing|is an input, not a value|cannot be asked of|takes nothing|nothing more can be asked|stands (only )?after|what comes after|asks whether|names no inputs|looks at one fact alone`)},
	{"unit", regexp.MustCompile(`in a unit|in one unit|have no unit|do not measure|one side is in|not always as long`)},
	{"number", regexp.MustCompile(`is a whole number|asks for \d+ of`)},
	{"input", regexp.MustCompile(`made from another|more than one kind`)},
	{"zone", regexp.MustCompile(`^the pack's zone is`)},
	{"malformed-name", regexp.MustCompile(`is not small letters|cannot be called`)},
	{"malformed-code", regexp.MustCompile(`does not say its system`)},
	{"value-set", regexp.MustCompile(`value set|ValueSet|Bundle`)},
	{"circular", regexp.MustCompile(`made from itself|circle|in the making of itself`)},
	{"too-large", regexp.MustCompile(`larger than|longer than|more than \d|nested too deep`)},
}
