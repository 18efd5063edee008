package render

import (
	"strconv"
	"strings"
	"unicode"
)

// spellings are the words of inputs' names that people do not write in small letters.
var spellings = map[string]string{
	"abg": "ABG", "ace": "ACE", "adt": "ADT", "aki": "AKI", "alp": "ALP", "alt": "ALT", "anc": "ANC", "aptt": "aPTT",
	"arb": "ARB", "ast": "AST", "bmi": "BMI", "bnp": "BNP", "bun": "BUN", "ckd": "CKD", "copd": "COPD", "cpap": "CPAP",
	"crp": "CRP", "ct": "CT", "dbp": "DBP", "doac": "DOAC", "ecg": "ECG", "egfr": "eGFR", "esr": "ESR", "etco2": "EtCO2",
	"fev1": "FEV1", "fio2": "FiO2", "gcs": "GCS", "gfr": "GFR", "ggt": "GGT", "hba1c": "HbA1c", "hcg": "hCG", "hco3": "HCO3",
	"hdl": "HDL", "hiv": "HIV", "icd": "ICD", "icu": "ICU", "inr": "INR", "iv": "IV", "ldh": "LDH",
	"ldl": "LDL", "map": "MAP", "maoi": "MAOI", "mri": "MRI", "news": "NEWS", "news2": "NEWS2", "nsaid": "NSAID", "paco2": "PaCO2",
	"pao2": "PaO2", "pco2": "pCO2", "pct": "PCT", "peep": "PEEP", "ph": "pH", "po2": "pO2", "ppi": "PPI", "psa": "PSA",
	"ptt": "PTT", "qt": "QT", "qtc": "QTc", "raas": "RAAS", "rbc": "RBC", "sao2": "SaO2", "sbp": "SBP",
	"sofa": "SOFA", "spo2": "SpO2", "ssri": "SSRI", "tsh": "TSH", "uti": "UTI", "vte": "VTE", "wbc": "WBC",
}

// named is an input's name as people write it: "heart rate", "eGFR", "NSAIDs".
func named(input string) string {
	words := strings.Split(input, "_")
	for i, w := range words {
		if s, ok := spellings[w]; ok {
			words[i] = s
		} else if s, ok := spellings[strings.TrimSuffix(w, "s")]; ok && strings.HasSuffix(w, "s") {
			words[i] = s + "s"
		}
	}
	return plain(strings.Join(words, " "))
}

// respelled is a text in which the input's name stands as people write it.
func respelled(text, input string) string {
	words := strings.ReplaceAll(input, "_", " ")
	isWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	i := strings.Index(text, words)
	if words == "" || i < 0 || strings.IndexFunc(text[i+len(words):]+" ", isWord) == 0 || i > 0 && isWord(rune(text[i-1])) {
		return text
	}
	return text[:i] + named(input) + text[i+len(words):]
}

// plain is a text on one line in which nothing but what can be seen is left: no line breaks, no control
// sequences of a terminal, no marks that turn the direction of writing.
func plain(s string) string {
	const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == zeroWidthNonJoiner || r == zeroWidthJoiner {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// brief is a text that is cut where it is too long for a sentence.
func brief(s string) string {
	const most = 60
	runes := []rune(plain(s))
	if len(runes) <= most {
		return string(runes)
	}
	return strings.TrimSpace(string(runes[:most-1])) + "…"
}

// and lists clauses, which may have commas of their own.
func and(clauses []string) string {
	switch n := len(clauses); n {
	case 0:
		return ""
	case 1:
		return clauses[0]
	case 2:
		return clauses[0] + ", and " + clauses[1]
	default:
		return strings.Join(clauses[:n-1], "; ") + "; and " + clauses[n-1]
	}
}

// enumerated lists things that are short: "a, b and c".
func enumerated(things []string) string {
	if len(things) < 2 {
		return strings.Join(things, "")
	}
	last := len(things) - 1
	return strings.Join(things[:last], ", ") + " and " + things[last]
}

// counted is a number of things: "1 result", "3 results".
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}
