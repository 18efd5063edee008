package replay

import (
	"fmt"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Alone explains rules from records that lie in no archive: what files state, numbered from 0. It is safe
// for concurrent use.
type Alone struct {
	set     Set
	records []clinical.Record
}

// NewAlone compiles the set. The error lists every fault of it. The records are only read.
func NewAlone(set *rules.Set, o rules.CompileOptions, records []clinical.Record) (*Alone, error) {
	program, err := rules.Compile(set.Files, o)
	if err != nil {
		return nil, fmt.Errorf("explaining: %w", err)
	}
	return &Alone{set: Set{Hash: set.Hash(), Program: program, Reference: explain.NewReference(program)}, records: records}, nil
}

// Rules are those of the set, by id.
func (a *Alone) Rules() []*rules.Rule { return a.set.Program.Rules }

// Explain answers why the rule is as it is of the patient at an instant, everything in the records being
// known.
func (a *Alone) Explain(patient string, rule *rules.Rule, at clinical.Instant, facts int) *record.Explanation {
	var ledger explain.Ledger
	clock, last := clinical.Never, int64(-1)
	for i := range a.records {
		clock = max(clock, a.records[i].Recorded)
		if a.records[i].Patient == patient {
			ledger.Apply(&a.records[i], int64(i))
			last = int64(i)
		}
	}
	return a.set.Reference.Answer(rule, ledger.History(), at, at+ahead, explain.Frame{Patient: patient, Topic: "files", Facts: facts,
		RuleSet: record.RuleSet{Hash: a.set.Hash, Zone: a.set.Program.Zone.String()},
		Known:   record.Known{Position: position(0, last), Clock: record.Instant(clock)}})
}
