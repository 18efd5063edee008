package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// thousands is a set of n rules over n/10 inputs.
func thousands(n int) []clinical.File {
	var b strings.Builder
	b.WriteString("pack: many\ninputs:\n")
	for i := range n / 10 {
		fmt.Fprintf(&b, "  in%d: {observation: [\"loinc|%d-1\", \"local|%d\"], unit: mg/dL}\n", i, i, i)
	}
	b.WriteString("rules:\n")
	for i := range n {
		in := i % (n / 10)
		fmt.Fprintf(&b, "  - id: rule-%d\n    title: Rule %d\n    severity: warning\n    source: made up\n"+
			"    when: in%d.last('48h') - in%d.min('48h') >= 0.%d and not in%d.exists('%dd')\n    message: It is {{ in%d.last('48h') }}\n",
			i, i, in, in, i%10, (in+1)%(n/10), i%30+1, in)
	}
	return []clinical.File{{Name: "many.yaml", Data: []byte(b.String())}}
}

func TestTenThousandRulesCompileInSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long under the race detector, which -short goes with")
	}
	begin := time.Now()
	p, err := Compile(thousands(10_000), CompileOptions{})
	require.NoError(t, err)
	took := time.Since(begin)
	t.Logf("%d rules, %d atoms, %d terms in %v", len(p.Rules), len(p.Atoms), len(p.Terms), took)
	require.Len(t, p.Rules, 10_000)
	require.Less(t, took, 2*time.Minute, "far above what a busy machine needs, far below what a scan of all pairs takes")
}

// BenchmarkAtom compares an atom's own code, direct and flat, with the same condition as a program of
// expr's virtual machine, whose numbers are plain floats: it knows neither missing nor bounded values.
func BenchmarkAtom(b *testing.B) {
	p := ward(b, "a.last() > 1", "a.last() - b.last() >= 0.3", "a.last() >= 1.5 * b.last()")
	values := slots(p, map[string]Value{"a.last()": NumberOf(1.2), "b.last()": NumberOf(0.9)})
	for i, name := range []string{"direct", "flat", "flat-product"} {
		atom := p.Atoms[p.Rules[i].Tree.Atom]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if atom.Eval(values).Kind != Boolean {
					b.Fatal("no answer")
				}
			}
		})
	}
	for i, source := range []string{"a > 1", "a - b >= 0.3", "a >= 1.5 * b"} {
		env := map[string]any{"a": 1.2, "b": 0.9}
		program, err := expr.Compile(source, expr.Env(env), expr.AsBool())
		require.NoError(b, err)
		b.Run([]string{"expr-direct", "expr-flat", "expr-product"}[i], func(b *testing.B) {
			b.ReportAllocs()
			var machine vm.VM
			for b.Loop() {
				if _, err := machine.Run(program, env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAccept(b *testing.B) {
	_, in := inputsOf(b, "  same: {observation: any, unit: mg/dL}\n  fever: {observation: any, unit: Cel, where: value >= 38.3}\n", CompileOptions{})
	for name, unit := range map[string]string{"same": "mg/dL", "fever": "[degF]"} {
		detail := &clinical.Detail{Type: clinical.Number, Unit: unit}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				in[name].Accept(&clinical.Fact{Number: 104, Detail: detail})
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	p, err := Compile(thousands(10_000), CompileOptions{})
	require.NoError(b, err)
	s := clinical.NewStream(clinical.KindObservation, "loinc|77-1", "local|77", "local|other")
	for b.Loop() {
		if len(p.Match(s)) != 1 {
			b.Fatal("one input takes this")
		}
	}
}
