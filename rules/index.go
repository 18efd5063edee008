package rules

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// inputIndex finds inputs by what a stream carries.
type inputIndex struct {
	byCode map[indexKey][]int32
	every  [clinical.KindDerived + 1][]int32 // inputs without codes, by kind
}

type indexKey struct {
	kind clinical.Kind
	code clinical.Code
}

// add makes an input one of those that are found.
func (x *inputIndex) add(in *Input) {
	if in.Codes == nil {
		x.every[in.Kind] = append(x.every[in.Kind], int32(in.ID))
		return
	}
	for code := range in.Codes {
		x.addCode(in.Kind, code, in)
	}
}

func (x *inputIndex) addCode(kind clinical.Kind, code clinical.Code, in *Input) {
	if x.byCode == nil {
		x.byCode = map[indexKey][]int32{}
	}
	key := indexKey{kind, code}
	x.byCode[key] = append(x.byCode[key], int32(in.ID))
}

// find lists the inputs whose kind and codes take the stream, ascending.
func (x *inputIndex) find(s clinical.Stream) []int32 {
	if int(s.Kind) >= len(x.every) {
		return nil
	}
	out := slices.Clone(x.every[s.Kind])
	for _, code := range s.Codes {
		out = append(out, x.byCode[indexKey{s.Kind, code}]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Packs are the names of the program's packs, ascending.
func (p *Program) Packs() []string { return p.packs }

// Match finds the inputs whose facts lie in the stream, ascending: of a derived input that is its own
// stream, of any other those that its kind and codes take. Whether one of the facts belongs to one of them
// is for Input.Accept to say. The caller may keep the answer by StreamID.
func (p *Program) Match(s clinical.Stream) []int32 { return p.index.find(s) }

// Candidates finds the derived inputs whose kind and codes take the stream, ascending. Whether one of its
// facts belongs to one of them is for Input.Candidate and Input.Admits to say.
func (p *Program) Candidates(s clinical.Stream) []int32 { return p.candidates.find(s) }

// Derived lists the derived inputs, ascending: an input comes after those that its Terms ask.
func (p *Program) Derived() []int32 { return p.derived }

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
