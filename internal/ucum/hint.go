package ucum

import "strings"

// hint returns a code that reads and that the refused one may have stood for, or
// "". It is a suggestion to a person: nothing is ever converted by it.
func hint(code string, fault *ParseError) string {
	if len(code) > maxCodeLength {
		return ""
	}
	if alias := Canonical(code); alias != code && reads(alias) {
		return alias
	}
	if fault.Kind != ErrUnknownUnit {
		return ""
	}
	p := parser{code: code, pos: fault.Pos}
	symbol := p.symbol()
	near := nearestSymbol(symbol)
	if near == "" {
		return ""
	}
	candidate := Canonical(code[:fault.Pos] + near + code[fault.Pos+len(symbol):])
	if !reads(candidate) {
		return ""
	}
	return candidate
}

func reads(code string) bool {
	_, err := parse(code, standard())
	return err == nil
}

// nearestSymbol returns the unit symbol, with its prefix, that differs from the
// given one in letter case or in missing square brackets only; of several the
// one that agrees in most letters. A sender of capitals only writes MMOL for
// mmol, hardly ever for Mmol.
func nearestSymbol(symbol string) string {
	best, bestScore := "", -1
	capitals := symbol == strings.ToUpper(symbol)
	consider := func(prefix, rest, atom string) {
		bare := strings.Trim(atom, "[]")
		if !strings.EqualFold(rest, atom) && !strings.EqualFold(rest, bare) {
			return
		}
		head := symbol[:len(prefix)]
		if capitals {
			head = strings.ToLower(head)
		}
		if score := sameBytes(head, prefix) + sameBytes(rest, bare); score > bestScore {
			best, bestScore = prefix+atom, score
		}
	}
	considerAll := func(prefix, rest string) {
		for _, code := range baseTable {
			consider(prefix, rest, code)
		}
		for _, e := range unitTable {
			if prefix == "" || e.metric {
				consider(prefix, rest, e.code)
			}
		}
	}
	considerAll("", symbol)
	for _, p := range prefixTable {
		if rest, ok := cutPrefixFold(symbol, p.code); ok {
			considerAll(p.code, rest)
		}
	}
	return best
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// sameBytes counts the places at which two strings agree.
func sameBytes(a, b string) int {
	n := 0
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			n++
		}
	}
	return n
}
