package processor

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

// ErrUnknownRuleSet is returned for a hash that no activation in the log has brought.
var ErrUnknownRuleSet = errors.New("unknown rule set")

// RuleSets compiles each rule set once and shares its plan between all partitions and readers. It is
// safe for concurrent use.
type RuleSets struct {
	options rules.CompileOptions
	load    func(hash string) ([]byte, error)

	mu    sync.Mutex
	plans map[string]*pointer.Plan
}

// NewRuleSets makes an empty collection. load finds the stored form of a set that an earlier run
// activated (store.Store.RuleSet); nil when there is none to find.
func NewRuleSets(o rules.CompileOptions, load func(hash string) ([]byte, error)) *RuleSets {
	return &RuleSets{options: o, load: load, plans: make(map[string]*pointer.Plan)}
}

// Plan returns the plan of a set; nil for the empty hash, which means that no set is active yet.
func (s *RuleSets) Plan(hash string) (*pointer.Plan, error) {
	if hash == "" {
		return nil, nil
	}
	s.mu.Lock()
	plan := s.plans[hash]
	s.mu.Unlock()
	if plan != nil {
		return plan, nil
	}
	if s.load == nil {
		return nil, fmt.Errorf("%w %.12s", ErrUnknownRuleSet, hash)
	}
	data, err := s.load(hash)
	if err != nil {
		return nil, fmt.Errorf("%w %.12s: %w", ErrUnknownRuleSet, hash, err)
	}
	rec, err := clinical.UnmarshalRecord(data)
	if err != nil || rec.Activation == nil {
		return nil, fmt.Errorf("rule set %.12s: its stored form cannot be read: %w", hash, errors.Join(err, pointer.ErrMalformed))
	}
	return s.Add(rec.Activation)
}

// Add compiles the set of an activation, unless it is known. The error lists every fault of the set.
func (s *RuleSets) Add(a *clinical.Activation) (*pointer.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if plan := s.plans[a.Hash]; plan != nil {
		return plan, nil
	}
	program, err := rules.Compile(a.Files, s.options)
	if err != nil {
		return nil, fmt.Errorf("rule set %.12s: %w", a.Hash, err)
	}
	plan := pointer.NewPlan(program)
	s.plans[a.Hash] = plan
	return plan, nil
}

// encodeRuleSet is the stored form of a set: the activation record that brought it.
func encodeRuleSet(a *clinical.Activation) []byte {
	return (&clinical.Record{EventOffset: -1, Activation: a}).Marshal()
}
