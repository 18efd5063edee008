package rules

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// operatorHints say what to write instead of operators that the parser knows and the language does not.
var operatorHints = map[string]string{
	"matches": "compare with == or `in [...]`", "contains": "compare with == or `in [...]`",
	"startsWith": "compare with == or `in [...]`", "endsWith": "compare with == or `in [...]`",
	"**": "multiply: `x * x`", "^": "multiply: `x * x`", "%": "the language has + - * /",
	"..": "write two comparisons joined by `and`; a window is a text, as in '365d..8d'",
	"|":  "write the question as `input.question('window')`",
}

// builtinHints say what to write instead of the parser's own functions.
var builtinHints = map[string]string{
	"now":   "every rule is asked about now: use a window, or hours_since()",
	"date":  "every rule is asked about now: use a window, or hours_since()",
	"count": "ask the input: `input.count('48h')`", "sum": "ask the input: `input.sum('48h')`",
	"min":  "ask the input: `input.min('48h')`; of two numbers: `a < b ? a : b`",
	"max":  "ask the input: `input.max('48h')`; of two numbers: `a > b ? a : b`",
	"last": "ask the input: `input.last('48h')`", "first": "ask the input: `input.first('48h')`",
	"mean": "ask the input: `input.mean('48h')`", "median": "there are min, max and mean",
	"abs": "write `x < 0 ? -x : x`", "duration": "a window is a text, as in '48h'",
	"all": "use `and`, or the key `all:` of `when`", "any": "use `or`, or the key `any:` of `when`",
	"none": "use `not`, or the key `none:` of `when`", "one": "use the key `at_least:` of `when`",
	"len": "ask the input: `input.count()`",
}

// refusal says why a construct is not part of the language, and what to do instead.
func refusal(n ast.Node) (problem, hint string) {
	switch n := n.(type) {
	case *ast.BuiltinNode:
		hint = builtinHints[n.Name]
		if hint == "" {
			hint = "the language has no functions; ask an input, as in `potassium.last('24h')`"
		}
		return fmt.Sprintf("the function %q is not part of the language", n.Name), hint
	case *ast.NilNode:
		return "`nil` is not part of the language", "what is missing stays missing; give it a value with `??`"
	case *ast.ArrayNode:
		return "a list stands only after `in`", "as in `status in ['active', 'completed']`"
	case *ast.MapNode:
		return "braces are not part of the language", "a message holds {{ terms }}, an expression does not"
	case *ast.VariableDeclaratorNode:
		return "`let` is not part of the language", "write the term out where it is used: equal terms are worked out once"
	case *ast.SequenceNode:
		return "`;` is not part of the language", "join conditions with `and` or `or`"
	case *ast.PredicateNode, *ast.PointerNode:
		return "`#` is not part of the language", "ask an input, as in `potassium.last('24h')`"
	case *ast.ChainNode:
		return "`?.` is not part of the language", "write a plain dot: what is missing stays missing"
	case *ast.SliceNode:
		return "`[:]` is not part of the language", "use a window, as in `potassium.last('24h')`"
	case *ast.BytesNode:
		return "bytes are not part of the language", "drop the b before the quotes"
	}
	return "this is not part of the language", ""
}

// explainSyntax turns the parser's complaint into the author's terms.
func explainSyntax(problem, text string, offset int) (string, string) {
	runes := []rune(text)
	offset = min(offset, len(runes))
	before, rest := string(runes[:offset]), string(runes[offset:])
	next := ""
	if r := []rune(strings.TrimSpace(rest)); len(r) > 0 {
		next = string(r[0])
	}
	switch {
	case strings.Contains(problem, "maximum allowed nodes"):
		return fmt.Sprintf("the expression has more than %d parts", MaxNodes), "split the rule, or use all, any and at_least"
	case strings.Contains(problem, "cannot be mixed"):
		return "`??` beside another operator needs brackets", "write `(x ?? 0) > 5`"
	case strings.HasPrefix(rest, "=") && !strings.HasPrefix(rest, "=="):
		return "a single = is not a comparison", "write =="
	case strings.HasPrefix(rest, ">") && strings.HasSuffix(before, "<"):
		return "<> is not part of the language", "write !="
	case next == "≥":
		return "≥ is not part of the language", "write >="
	case next == "≤":
		return "≤ is not part of the language", "write <="
	case next == "≠":
		return "≠ is not part of the language", "write !="
	case strings.ContainsAny(next, "‘’“”"):
		return "curly quotes are not part of the language", "write straight ones: '48h'"
	case strings.Contains(problem, "EOF"), strings.Contains(problem, "end of expression"):
		return "the expression ends too soon", "a side of an operator or a closing bracket is missing"
	case strings.Contains(problem, "not terminated"):
		return "a quote is not closed", ""
	case strings.HasPrefix(problem, "unexpected token"):
		return fmt.Sprintf("%q is not expected here", firstWord(rest)), "perhaps `and`, `or`, a bracket or an operator is missing before it"
	}
	return problem, ""
}

func firstWord(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t\n()[]{}.,'\""); i > 0 {
		return s[:i]
	}
	if len(s) > 0 {
		return string([]rune(s)[:1])
	}
	return s
}
