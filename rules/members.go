package rules

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// members is a value set made ready to be asked for a fact's codings.
type members struct {
	codes  []clinical.Code // ascending
	tokens []string        // the same without their systems, ascending
}

// membersOf makes a set ready once, however many conditions ask it.
func (c *compiler) membersOf(s *ValueSet) *members {
	if m := c.members[s]; m != nil {
		return m
	}
	m := &members{codes: s.Codes, tokens: make([]string, len(s.Codes))}
	for i, code := range s.Codes {
		m.tokens[i] = code.Value()
	}
	slices.Sort(m.tokens)
	if c.members == nil {
		c.members = map[*ValueSet]*members{}
	}
	c.members[s] = m
	return m
}

// has reports whether a coding is in the set: system and code are those of a member. A coding without a
// system, as facts keep the tokens whose system FHIR fixes (a status, a class), is in a set that has its
// code in any system.
func (m *members) has(c clinical.Code) bool {
	if c.System() == "" {
		_, in := slices.BinarySearch(m.tokens, c.Value())
		return in
	}
	_, in := slices.BinarySearch(m.codes, c)
	return in
}
