package rulesrun

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Mutant is one small change of a pack.
type Mutant struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Rule   string `json:"rule,omitempty"`  // whose condition it changes,
	Owner  string `json:"owner,omitempty"` // or which input's `where`, or score
	Change string `json:"change"`          // in words: "0.3 becomes 0.2"

	from, to string
}

// String is one line: where, whose, and what.
func (m Mutant) String() string {
	whose := m.Rule
	if whose == "" {
		whose = m.Owner
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", m.File, m.Line, m.Column, whose, m.Change)
}

// token matches what an expression is made of, as far as changes are concerned: a text in quotes, a
// number, a name with the digits in it, or a comparison.
var token = regexp.MustCompile(`'[^']*'|"[^"]*"|[A-Za-z_][A-Za-z0-9_]*|[0-9]+(?:\.[0-9]+)?|<=|>=|<|>`)

// length matches one number with a unit of time, window a whole text made of them.
var (
	length = regexp.MustCompile(`([0-9]+)(ms|mo|[smhdwy])`)
	window = regexp.MustCompile(`^(?:after +)?(?:[0-9]+(?:ms|mo|[smhdwy]))+(?:\.\.(?:[0-9]+(?:ms|mo|[smhdwy]))+)?$`)
)

// swaps are the words and signs that change into each other.
var swaps = map[string]string{"<": "<=", "<=": "<", ">": ">=", ">=": ">", "and": "or", "or": "and", "all": "any", "any": "all"}

// mutants lists the small changes of a pack, in the order of the file: each number a step of its last
// digit up and down, each window's ends one unit longer and shorter, < and <=, > and >=, and and or, all
// and any each for the other, n of at_least and points of a score one more and one less.
func mutants(file clinical.File) []Mutant {
	var all []Mutant
	for _, part := range rules.Parts(file) {
		add := func(offset int, from, to, change string) {
			line, column := part.At(offset)
			all = append(all, Mutant{File: file.Name, Line: line, Column: column, Rule: part.Rule, Owner: part.Owner, Change: change, from: from, to: to})
		}
		becomes := func(offset int, from, to string) { add(offset, from, to, from+" becomes "+to) }
		switch part.Kind {
		case rules.JunctionPart:
			becomes(0, part.Text, swaps[part.Text])
		case rules.CountPart:
			for _, n := range steps(part.Text) {
				add(0, part.Text, n, "at_least "+part.Text+" becomes "+n)
			}
		case rules.PointsPart:
			for _, n := range steps(part.Text) {
				add(0, part.Text, n, "points "+part.Text+" becomes "+n)
			}
		case rules.ExpressionPart:
			for _, at := range token.FindAllStringIndex(part.Text, -1) {
				word, offset := part.Text[at[0]:at[1]], len([]rune(part.Text[:at[0]]))
				switch c := word[0]; {
				case c == '\'' || c == '"':
					windows(word, func(within int, from, to, change string) { add(offset+within, from, to, change) })
				case c >= '0' && c <= '9':
					for _, n := range steps(word) {
						becomes(offset, word, n)
					}
				case swaps[word] != "":
					becomes(offset, word, swaps[word])
				}
			}
		}
	}
	return all
}

// steps is a number one step of its last digit lower and higher, written with as many digits.
func steps(s string) []string {
	x, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil
	}
	digits := 0
	if i := strings.IndexByte(s, '.'); i >= 0 {
		digits = len(s) - i - 1
	}
	step := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
	var list []string
	if x.Cmp(step) >= 0 {
		list = append(list, new(big.Rat).Sub(x, step).FloatString(digits))
	}
	return append(list, new(big.Rat).Add(x, step).FloatString(digits))
}

// shorter is what one unit of time becomes, lest nothing is left of it.
var shorter = map[string]string{"s": "999ms", "m": "59s", "h": "59m", "d": "23h", "w": "6d", "mo": "27d", "y": "11mo"}

// windows changes each length of time in a quoted window.
func windows(quoted string, add func(offset int, from, to, change string)) {
	inside := quoted[1 : len(quoted)-1]
	if !window.MatchString(inside) {
		return
	}
	for _, at := range length.FindAllStringSubmatchIndex(inside, -1) {
		from, unit := inside[at[0]:at[1]], inside[at[4]:at[5]]
		n, err := strconv.Atoi(inside[at[2]:at[3]])
		if err != nil {
			continue // longer than any window that compiles
		}
		var to []string
		switch {
		case n > 1:
			to = append(to, strconv.Itoa(n-1)+unit)
		case n == 1 && shorter[unit] != "":
			to = append(to, shorter[unit])
		}
		for _, other := range append(to, strconv.Itoa(n+1)+unit) {
			changed := inside[:at[0]] + other + inside[at[1]:]
			add(1+at[0], from, other, fmt.Sprintf("'%s' becomes '%s'", inside, changed))
		}
	}
}

// apply is the file with the change made.
func (m Mutant) apply(file clinical.File) clinical.File {
	text := strings.ReplaceAll(strings.TrimPrefix(string(file.Data), "\ufeff"), "\r\n", "\n")
	lines := strings.Split(text, "\n")
	line := []rune(lines[m.Line-1])
	lines[m.Line-1] = string(slices.Concat(line[:m.Column-1], []rune(m.to), line[m.Column-1+len([]rune(m.from)):]))
	return clinical.File{Name: file.Name, Data: []byte(strings.Join(lines, "\n"))}
}
