package equivalence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Whether one fact belongs is asked of the engine's filter and of the reference evaluator directly, so that
// many more conditions and facts meet than in whole cases.
func TestAFactBelongsWhereTheReferenceSaysSo(t *testing.T) {
	belonging := 0
	for seed := range uint64(150) {
		d := drawer{Rand: rand.New(rand.NewPCG(seed, 0xfac7))}
		drawn := inputs + d.stated()
		var conditions []string
		for _, k := range kinds {
			conditions = append(conditions, k.name+".exists()")
		}
		p, err := rules.Compile([]clinical.File{{Name: "case.yaml", Data: (&Case{}).pack(drawn, conditions)}}, rules.CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		reference := explain.NewReference(p)
		for range 200 {
			f := d.fact(start)
			if f.Stream.Kind == clinical.KindPatient {
				continue
			}
			taken := p.Match(f.Stream)
			for _, rule := range p.Rules {
				in := p.Inputs[p.Terms[rule.Terms[0]].Input]
				_, got := in.Accept(&f)
				got = got && slices.Contains(taken, int32(in.ID))
				want := reference.Truth(rule, explain.History{{Fact: f}}, f.Time) == rules.True
				if got != want {
					t.Fatalf("seed %d: %v of %s where %s: the engine says %t, the reference %t\n%s", seed, f, in.Name, in.Where, got, want, describeDetail(f.Detail))
				}
				if got {
					belonging++
				}
			}
		}
	}
	if belonging < 1000 {
		t.Errorf("only %d facts belonged anywhere", belonging)
	}
}

func describeDetail(d *clinical.Detail) string { return fmt.Sprintf("%+v", *d) }
