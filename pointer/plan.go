package pointer

import (
	"sync"
	"sync/atomic"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Plan is a program made ready to fold and to read: it knows which inputs each stream feeds and what
// every rule is for a patient without facts. It is safe for any number of goroutines.
type Plan struct {
	Program *rules.Program

	baseline     []rules.Truth
	baselineTrue []int32
	baselineRest []int32 // unknown at the baseline
	forEach      bool    // some rule holds for each period of an input

	mu      sync.Mutex
	matches atomic.Pointer[map[clinical.StreamID]fed]
	scratch sync.Pool // *evaluation
}

// maxMatches bounds the memory of which stream feeds which inputs; a feed has thousands of code sets at most.
const maxMatches = 1 << 16

// NewPlan prepares a program.
func NewPlan(p *rules.Program) *Plan {
	plan := &Plan{Program: p}
	plan.matches.Store(&map[clinical.StreamID]fed{})
	plan.scratch.New = func() any { return newEvaluation(plan) }
	e := plan.begin(clinical.Never)
	defer plan.end(e)
	plan.baseline = make([]rules.Truth, len(p.Rules))
	for i, r := range p.Rules {
		truth := rules.False // of one that is for each period: there is none
		if plan.forEach = plan.forEach || r.Each != 0; r.Each == 0 {
			truth, _ = e.rule(r)
		}
		plan.baseline[i] = truth
		switch truth {
		case rules.True:
			plan.baselineTrue = append(plan.baselineTrue, int32(i))
		case rules.Unknown:
			plan.baselineRest = append(plan.baselineRest, int32(i))
		}
	}
	return plan
}

// Baseline is what a rule is for a patient without any fact; it holds for ever. One that holds for each period
// of an input is false there, and of any instant that begins no period.
func (p *Plan) Baseline(rule int32) rules.Truth { return p.baseline[rule] }

// BaselineTrue lists the rules that are true of a patient without any fact, ascending.
func (p *Plan) BaselineTrue() []int32 { return p.baselineTrue }

// BaselineUnknown lists the rules that are unknown for a patient without any fact, ascending.
func (p *Plan) BaselineUnknown() []int32 { return p.baselineRest }

// fed is the inputs to which facts of a stream may belong: as they are, or once that has been settled.
type fed struct{ inputs, candidates []int32 }

// inputsOf lists the inputs whose facts lie in the stream.
func (p *Plan) inputsOf(id clinical.StreamID, s clinical.Stream) []int32 {
	return p.fedBy(id, s).inputs
}

// fedBy remembers Program.Match and Program.Candidates for each stream, since the same few thousand occur in
// every patient.
func (p *Plan) fedBy(id clinical.StreamID, s clinical.Stream) fed {
	if found, ok := (*p.matches.Load())[id]; ok {
		return found
	}
	found := fed{inputs: p.Program.Match(s), candidates: p.Program.Candidates(s)}
	p.mu.Lock()
	defer p.mu.Unlock()
	held := *p.matches.Load()
	next := make(map[clinical.StreamID]fed, len(held)+1)
	if len(held) < maxMatches {
		for k, v := range held {
			next[k] = v
		}
	}
	next[id] = found
	p.matches.Store(&next)
	return found
}

func (p *Plan) begin(now clinical.Instant) *evaluation {
	e := p.scratch.Get().(*evaluation)
	e.start(now)
	return e
}

func (p *Plan) end(e *evaluation) {
	e.release()
	p.scratch.Put(e)
}
