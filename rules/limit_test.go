package rules

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

const (
	limitedInputs = "inputs:\n  k: {observation: any}\n"
	limitedRules  = "rules:\n- {id: r, title: t, severity: info, source: s, when: k.exists()}\n"
)

// lines writes n lines by number.
func lines(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i) + "\n")
	}
	return b.String()
}

func joined(n int, by string, item func(i int) string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item(i)
	}
	return strings.Join(items, by)
}

func ruleWhen(when string) string {
	return "pack: p\n" + limitedInputs + "rules:\n- {id: r, title: t, severity: info, source: s, when: " + when + "}\n"
}

// Each limit with a pack of the size given; at is the limit itself.
func TestEveryLimitTakesWhatIsAtItAndNamesThePlaceOfWhatIsAbove(t *testing.T) {
	asks := func(i int) string { return fmt.Sprintf("k.exists('%dh')", i+1) }
	for name, c := range map[string]struct {
		at    int
		pack  func(n int) string
		fault string // begins so, one above
	}{
		"bytes of a file": {MaxPack, func(n int) string {
			s := "pack: p\n" + limitedInputs + limitedRules + "#"
			return s + strings.Repeat("x", n-len(s))
		}, "p.yaml:1:1: the file is larger than 8 MB"},
		"marks of a file": {maxMarks, func(n int) string {
			s := "pack: p\n" + limitedInputs + limitedRules + "#"
			return s + strings.Repeat("-", n-marked(s))
		}, "p.yaml:1:1: the file has more than 1000000 line ends"},
		"levels of YAML": {maxYAMLNesting - 1, func(n int) string { // the pack itself is one
			return "pack: p\nrules: " + strings.Repeat("[", n) + strings.Repeat("]", n)
		}, "p.yaml:2:107: lists and keys are nested more than 100 deep"},
		"keys of a mapping": {maxKeys, func(n int) string {
			return "pack: p\nvaluesets:\n" + lines(n, func(i int) string { return fmt.Sprintf(`  v%d: ["a|%d"]`, i, i) })
		}, "p.yaml:4003:3: a mapping has more than 4000 keys"},
		"inputs of a pack": {MaxInputs, func(n int) string {
			return "pack: p\ninputs:\n" + lines(n, func(i int) string { return fmt.Sprintf("  i%d: {observation: any}", i) })
		}, "p.yaml:2003:3: the pack declares more than 2000 inputs"},
		"rules of a set": {MaxRules, func(n int) string {
			return "pack: p\n" + limitedInputs + "rules:\n" + lines(n, func(i int) string {
				return fmt.Sprintf("- {id: r%d, title: t, severity: info, source: s, when: k.exists()}", i)
			})
		}, "p.yaml:20005:8: the set has more than 20000 rules"},
		"inputs in a chain": {MaxChain, func(n int) string {
			return "pack: p\ninputs:\n  i0: {observation: any}\n" + lines(n-1, func(i int) string {
				return fmt.Sprintf("  i%d: {from: i%d, where: value > 1}", i+1, i)
			})
		}, "p.yaml:35:3: more than 32 inputs are made from each other in a chain that ends in \"i32\""},
		"inputs that ask each other in a chain": {MaxChain, func(n int) string {
			return "pack: p\ninputs:\n  i0: {observation: any}\n" + lines(n-1, func(i int) string {
				return fmt.Sprintf("  i%d: {observation: any, where: i%d.exists('1d')}", i+1, i)
			})
		}, "p.yaml:35:3: more than 32 inputs are made from each other in a chain that ends in \"i32\""},
		"conditions of an input": {MaxConditions, func(n int) string {
			return "pack: p\ninputs:\n  i: {observation: any, where: [" + joined(n, ", ", func(i int) string { return fmt.Sprintf("value > %d", i) }) + "]}\n"
		}, "p.yaml:3:3: a fact must meet 101 conditions to belong to the input \"i\", more than 100"},
		"questions of an input": {MaxTerms, func(n int) string {
			return "pack: p\n" + limitedInputs + "  i: {observation: any, where: " + joined(n, " or ", asks) + "}\n"
		}, "p.yaml:4:3: the input \"i\" asks 257 different questions, more than 256"},
		"questions of a rule": {MaxTerms, func(n int) string { return ruleWhen(joined(n, " or ", asks)) },
			"p.yaml:5:8: the rule asks 257 different questions, more than 256"},
		"questions of a message": {MaxTerms, func(n int) string {
			return ruleWhen("k.exists(), message: \"" + joined(n, "", func(i int) string { return "{{ " + asks(i) + " }}" }) + "\"")
		}, "p.yaml:5:75: the message asks 257 different questions, more than 256"},
		"facts that a read looks at": {MaxCost / 10_000, func(n int) string {
			return ruleWhen(joined(n, " or ", func(i int) string { return fmt.Sprintf("k.nth(%d) > 1", i+1) }))
		}, "p.yaml:5:8: a read of the rule may look at 1010000 facts, more than 1000000"},
		"bytes of a message": {MaxMessage, func(n int) string { return ruleWhen("k.exists(), message: " + strings.Repeat("x", n)) },
			"p.yaml:5:75: the message is longer than 16384 bytes"},
		"bytes of an expression": {MaxExpression, func(n int) string { return ruleWhen("k.exists()" + strings.Repeat(" ", n-17) + "or true") },
			"p.yaml:5:54: the expression is longer than 16384 bytes"},
		"nodes of an expression": {MaxNodes, func(n int) string { // k.last() > 1 has six
			return ruleWhen("k.last() > " + strings.Repeat("-", n-6) + "1")
		}, "p.yaml:5:2060: the expression has more than 2000 parts"},
		"intermediate values of an expression": {MaxStack, func(n int) string {
			return ruleWhen(strings.Repeat("k.last() + (", n-1) + "1" + strings.Repeat(")", n-1) + " > 1")
		}, "p.yaml:5:54: a part of the condition is nested too deeply"},
		"conditions in each other": {MaxNesting, func(n int) string {
			return ruleWhen(strings.Repeat("{all: [", n) + "k.exists()" + strings.Repeat("]}", n))
		}, "p.yaml:5:278: conditions are nested more than 32 deep"},
		"anchors and the like": {maxOddities, func(n int) string {
			return "pack: p\n" + limitedInputs + limitedRules + strings.Repeat("---\n", n)
		}, "p.yaml:106:1: the file has more than 100 anchors, aliases, tags and documents"},
	} {
		t.Run(name, func(t *testing.T) {
			compile := func(n int) error {
				_, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(c.pack(n))}}, CompileOptions{})
				return err
			}
			if err := compile(c.at); err != nil {
				_, problem, _ := strings.Cut(c.fault, ": ")
				require.NotContains(t, err.Error(), problem)
			}
			err := compile(c.at + 1)
			require.ErrorIs(t, err, ErrInvalid)
			require.Equal(t, c.fault, err.Error()[:min(len(c.fault), len(err.Error()))])
			var faults Faults
			require.ErrorAs(t, err, &faults)
			for _, f := range faults {
				require.NotEmpty(t, f.Hint, "%s does not say what to do", f)
			}
		})
	}
}

// The parsers call themselves for what is nested, and take time with the square of some of it. What nobody
// writes must be refused before they see it: these would take minutes, or the stack.
func TestHostileFilesAreRefusedAtOnce(t *testing.T) {
	const n = 50_000
	for name, pack := range map[string]string{
		"open lists":          strings.Repeat("[", n),
		"open mappings":       strings.Repeat("{", n),
		"nested lists":        strings.Repeat("[", n) + strings.Repeat("]", n),
		"nested mappings":     strings.Repeat("{a: ", n) + strings.Repeat("}", n),
		"lists in a line":     strings.Repeat("- ", n) + "a",
		"keys in a line":      strings.Repeat("a: ", n) + "a",
		"complex keys":        strings.Repeat("? ", n) + "a",
		"tags":                "a: " + strings.Repeat("! ", n) + "a",
		"anchors":             "a: " + strings.Repeat("&a ", n) + "a",
		"documents":           strings.Repeat("---\na\n", n),
		"keys":                lines(n, func(i int) string { return fmt.Sprintf("k%d: 1", i) }),
		"one key":             strings.Repeat("k: 1\n", n),
		"aliases of aliases":  "a0: &a0 [x, x]\n" + lines(200, func(i int) string { return fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d]", i+1, i+1, i, i, i) }),
		"deeper and deeper":   lines(300, func(i int) string { return strings.Repeat(" ", i) + "a:" }),
		"brackets":            ruleWhen(strings.Repeat("(", n) + "k.exists()" + strings.Repeat(")", n)),
		"nots":                ruleWhen(strings.Repeat("not ", 4000) + "k.exists()"),
		"lists in expression": ruleWhen("'" + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + "'"),
		"digits":              ruleWhen("k.last() > " + strings.Repeat("9", n)),
		"a key of a megabyte": strings.Repeat("k", 1<<20) + ": 1",
		"made from each other": "pack: p\ninputs:\n  i0: {observation: any}\n" +
			lines(1900, func(i int) string { return fmt.Sprintf("  i%d: {from: i%d, where: value > %d}", i+1, i, i) }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(pack)}}, CompileOptions{})
			var faults Faults
			require.ErrorAs(t, err, &faults)
			for _, f := range faults {
				require.Positive(t, f.Line)
				require.Positive(t, f.Col)
				require.LessOrEqual(t, utf8.RuneCountInString(f.Problem), 601)
			}
		})
	}
}

func TestNoMoreFaultsAreListedThanAnybodyReads(t *testing.T) {
	pack := "pack: p\ninputs:\n" + lines(MaxInputs, func(i int) string { return fmt.Sprintf("  i%d: {observation: any}", i) }) +
		"rules:\n" + lines(5000, func(i int) string {
		return fmt.Sprintf("- {id: r%d, title: t, severity: info, source: s, when: j%d.exists()}", i, i)
	})
	_, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(pack)}}, CompileOptions{})
	var faults Faults
	require.True(t, errors.As(err, &faults))
	require.Len(t, faults, MaxFaults+1)
	require.Equal(t, "p.yaml:3004:58: there are more than 1000 faults, of which the rest are not listed; mend those above and check again", faults[MaxFaults].Error())
}
