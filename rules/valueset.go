package rules

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Limits of value sets.
const (
	// MaxValueSet is the size of a value set file in bytes.
	MaxValueSet = 64 << 20
	// MaxCodes is how many codes one value set may hold.
	MaxCodes = 500_000
	// MaxCodesInAll is how many codes the value sets of a rule set's files may hold together.
	MaxCodesInAll = 2_000_000
)

// ValueSet is a list of codes that has a name: one of a pack's own, or one of a FHIR file. The rule set's
// hash covers the file, and so the version and every code.
type ValueSet struct {
	Name    string
	URL     string          // canonical, of a FHIR file
	Version string          // of a FHIR file, as its author numbers it
	Codes   []clinical.Code // ascending, each once
	Digest  string          // SHA-256, in hex, of the codes in order, each ended by a line feed
	File    string          // where it is written
	Line    int
	UsedBy  []string // "pack/input" of each input that names it, and the names of value sets that include it; ascending
}

// settle derives the digest once the codes are known.
func (s *ValueSet) settle() *ValueSet {
	h := sha256.New()
	for _, c := range s.Codes {
		h.Write([]byte(c))
		h.Write([]byte{'\n'})
	}
	s.Digest = hex.EncodeToString(h.Sum(nil))
	return s
}

func (s *ValueSet) use(by string) {
	if i, found := slices.BinarySearch(s.UsedBy, by); !found {
		s.UsedBy = slices.Insert(s.UsedBy, i, by)
	}
}

// codeSystems are the short names that codes begin with, for hints.
var codeSystems = []string{"loinc", "snomed", "rxnorm", "icd10", "icd10cm", "icd10pcs", "icd9cm", "cvx", "ndc", "atc", "cpt", "hcpcs"}

// cutCode parts "system|code" at its last bar.
func cutCode(s string) (system, code string, ok bool) {
	i := strings.LastIndexByte(s, '|')
	if i < 0 {
		return "", s, false
	}
	return strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+1:]), true
}

// codes reads a list of codes (or a single one), sorted and each once.
func (r reader) codes(n *node, what string) []clinical.Code {
	items := []*node{n}
	if n.shape != scalar {
		if !r.is(n, list, what) {
			return nil
		}
		items = n.items
	}
	if len(items) == 0 {
		r.add(n.at(), what+" lists no codes", "list at least one, as in \"loinc|2160-0\"")
	}
	var out []clinical.Code
	for _, item := range items {
		s := r.word(item, "a code")
		if s == "" {
			continue
		}
		system, code, ok := cutCode(s)
		switch near := nearest(system, codeSystems); {
		case !ok || system == "" || code == "":
			r.add(item.at(), fmt.Sprintf("the code %q does not say its system", s), codeHint(code))
			continue
		case !slices.Contains(codeSystems, system) && near != "" && edits(strings.ToLower(system), near) <= 1 && len(system) > 3:
			r.add(item.at(), fmt.Sprintf("unknown code system %q", system), fmt.Sprintf("did you mean %q? a system of your own is better written as its URI", near))
			continue
		}
		out = append(out, clinical.NewCode(system, code))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// codeHint shows how a code is written, with the author's own where there is one.
func codeHint(code string) string {
	if code == "" {
		code = "2160-0"
	}
	return fmt.Sprintf("write system and code, as in %q", "loinc|"+code)
}

// valueSet finds the value set that a pack calls by this name at this place: the pack's own, or else one of
// the set's files, by its name, id, url or url|version. It returns nil after a fault. The user is who asks,
// as ValueSet.UsedBy names it.
func (c *compiler) valueSet(p *pack, name string, at position, user string) *ValueSet {
	if own, ok := p.valueSets[name]; ok {
		p.usedSets[own] = true
		own.use(user)
		return own
	}
	found := c.valueSets.byName[name]
	switch {
	case len(found) == 1:
		if found[0].set != nil {
			found[0].set.use(user)
		}
		c.valueSets.demand(found[0])
		return found[0].set
	case len(found) > 1:
		for _, s := range found {
			c.valueSets.demand(s)
		}
		c.add(at, fmt.Sprintf("%d value sets are called %q", len(found), name), "name one of them: "+candidates(found))
		return nil
	}
	names := c.valueSets.names()
	for own := range p.valueSets {
		names = append(names, own)
	}
	hint := "declare it under `valuesets:`, or add its FHIR file to the set"
	near := nearest(name, names)
	if strings.Contains(name, "://") {
		near = nearURL(name, names)
	}
	if near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	c.add(at, fmt.Sprintf("unknown value set %q", name), hint)
	return nil
}

// allValueSets are those of the packs and those of the files.
func (c *compiler) allValueSets(packs []*pack) []*ValueSet {
	var out []*ValueSet
	for _, p := range packs {
		for _, s := range p.valueSets {
			out = append(out, s)
		}
	}
	for _, s := range c.valueSets.sets {
		if !s.duplicate && s.set != nil {
			out = append(out, s.set)
		}
	}
	slices.SortFunc(out, func(x, y *ValueSet) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.URL, y.URL), cmp.Compare(x.Version, y.Version), cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line))
	})
	return out
}
