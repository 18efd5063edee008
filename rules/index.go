package rules

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// inputIndex finds inputs by what a stream carries.
type inputIndex struct {
	byCode map[indexKey][]int32
	every  [clinical.KindDevice + 1][]int32 // inputs without codes, by kind
}

type indexKey struct {
	kind clinical.Kind
	code clinical.Code
}

func newInputIndex(inputs []*Input) inputIndex {
	x := inputIndex{byCode: map[indexKey][]int32{}}
	for _, in := range inputs {
		if in.Codes == nil {
			x.every[in.Kind] = append(x.every[in.Kind], int32(in.ID))
			continue
		}
		for code := range in.Codes {
			key := indexKey{in.Kind, code}
			x.byCode[key] = append(x.byCode[key], int32(in.ID))
		}
	}
	return x
}

// Packs are the names of the program's packs, ascending.
func (p *Program) Packs() []string { return p.packs }

// Match finds the inputs whose kind and codes take the stream, ascending. Whether one of its facts
// belongs to one of them is for Input.Accept to say. The caller may keep the answer by StreamID.
func (p *Program) Match(s clinical.Stream) []int32 {
	if int(s.Kind) >= len(p.index.every) {
		return nil
	}
	out := slices.Clone(p.index.every[s.Kind])
	for _, code := range s.Codes {
		out = append(out, p.index.byCode[indexKey{s.Kind, code}]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// RulesOf lists the rules, by Rule.Index ascending, whose truth or message a fact of this input can change.
func (p *Program) RulesOf(input int32) []int32 { return p.rulesOfInput[input] }

// Rule finds a rule by id.
func (p *Program) Rule(id string) (*Rule, bool) {
	i, ok := slices.BinarySearchFunc(p.Rules, id, func(r *Rule, id string) int { return cmp.Compare(r.ID, id) })
	if !ok {
		return nil, false
	}
	return p.Rules[i], true
}
