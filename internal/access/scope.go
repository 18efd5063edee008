package access

import "strings"

// Scope is a set of what a caller may do.
type Scope uint8

// What a caller may do. One does not include another.
const (
	Write   Scope = 1 << iota // state facts: FHIR resources and observations
	Read                      // ask what is active, for a patient or across patients
	Explain                   // ask why: explanations show the facts behind an answer
	Admin                     // change rules, take backups
)

// Open needs nothing.
const Open Scope = 0

// scopes are Vigil's own words for them.
var scopes = []struct {
	name  string
	scope Scope
}{{"vigil.write", Write}, {"vigil.read", Read}, {"vigil.explain", Explain}, {"vigil.admin", Admin}}

// String names the scopes as a token does.
func (s Scope) String() string {
	var names []string
	for _, known := range scopes {
		if s&known.scope != 0 {
			names = append(names, known.name)
		}
	}
	return strings.Join(names, " ")
}

// Grants is what a caller was given.
type Grants struct {
	Scope
	types map[string]deeds // by FHIR type, or anyType: what may be done besides what Write allows, which is all
}

// deeds is what may be done to resources of a type.
type deeds uint8

const (
	putting deeds = 1 << iota // create and update: it is not known before which a write will be
	deleting
)

const anyType = "*"

// May says whether the grants include all of the need.
func (g Grants) May(need Scope) bool { return g.Scope&need == need }

// MayWrite says whether resources of the FHIR type may be created and updated.
func (g Grants) MayWrite(typ string) bool { return g.mayDo(typ, putting) }

// MayDelete says whether resources of the FHIR type may be deleted.
func (g Grants) MayDelete(typ string) bool { return g.mayDo(typ, deleting) }

func (g Grants) mayDo(typ string, d deeds) bool {
	return g.May(Write) || (g.types[typ]|g.types[anyType])&d != 0
}

// MayWriteSome says whether resources of some type may be written or deleted.
func (g Grants) MayWriteSome() bool { return g.May(Write) || len(g.types) > 0 }

// ParseScopes reads Vigil's own scopes and the system scopes of SMART App Launch, 1.0 (system/*.read) and 2.0
// (system/*.rs); others say nothing here and are passed over.
//
// An answer is computed from resources of all types, so that system/*.read grants Read and Explain, and
// system/Observation.read nothing. system/*.write and .cud grant Write; with .cu nothing may be deleted, and
// limited to a type each is about that type. A Bundle may have anything in it, and needs Write. A scope that
// SMART 2.0 narrows by a query grants nothing: it cannot be held to it.
func ParseScopes(words []string) Grants {
	var g Grants
	for _, word := range words {
		for _, known := range scopes {
			if word == known.name {
				g.Scope |= known.scope
			}
		}
		typ, permissions, ok := strings.Cut(strings.TrimPrefix(word, "system/"), ".")
		if !ok || !strings.HasPrefix(word, "system/") || typ == "" || strings.Contains(permissions, "?") {
			continue
		}
		read, may := permissionsOf(permissions)
		if typ == anyType && read {
			g.Scope |= Read | Explain
		}
		switch {
		case typ == anyType && may == putting|deleting:
			g.Scope |= Write
		case may != 0:
			if g.types == nil {
				g.types = make(map[string]deeds)
			}
			g.types[typ] |= may
		}
	}
	return g
}

// permissionsOf reads what follows the dot: SMART 1.0's words, or 2.0's letters in their order.
func permissionsOf(text string) (read bool, may deeds) {
	switch text {
	case "read":
		return true, 0
	case "write":
		return false, putting | deleting
	case "*":
		return true, putting | deleting
	}
	rest := "cruds"
	has := make(map[rune]bool)
	for _, letter := range text {
		i := strings.IndexRune(rest, letter)
		if i < 0 {
			return false, 0
		}
		rest = rest[i+1:]
		has[letter] = true
	}
	if has['c'] && has['u'] {
		may |= putting
	}
	if has['d'] {
		may |= deleting
	}
	return has['r'] && has['s'], may
}
