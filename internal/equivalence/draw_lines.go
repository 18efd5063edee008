package equivalence

import (
	"bytes"
	"errors"
	"slices"

	"github.com/vigil-cds/vigil/rules"
)

// admitted draws n things that stand on a line each of a pack, and draws those anew that the language does not
// admit until it admits them all. To compile them together costs far less than to compile them one by one.
// The pack has the first of them behind so many lines.
func admitted(n, behind int, draw func(i int) string, pack func(lines []string) *Case) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = draw(i)
	}
	for {
		refused := pack(lines).refused(n, behind)
		if len(refused) == 0 {
			return lines
		}
		for _, i := range refused {
			lines[i] = draw(i)
		}
	}
}

// refused is which of n lines of the case's pack the language does not admit; all of them where the fault is
// no line's own.
func (c *Case) refused(n, behind int) []int {
	_, err := rules.Compile(c.files(c.Inputs, c.Rules, ""), rules.CompileOptions{})
	var faults rules.Faults
	if !errors.As(err, &faults) {
		return nil
	}
	var refused, all []int
	for i := range n {
		if all = append(all, i); slices.ContainsFunc(faults, func(f rules.Fault) bool { return f.Line == behind+1+i }) {
			refused = append(refused, i)
		}
	}
	if len(refused) == 0 {
		return all
	}
	return refused
}

// head is how many lines stand before the inputs that a pack adds to those it begins with.
func head(inputs string) int {
	const rules = 1 // the line that begins the rules
	return bytes.Count(new(Case).pack(inputs, nil), []byte("\n")) - rules
}
