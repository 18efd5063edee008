package replay

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Sets compiles each rule set that the log or the archive has, once, and shares it between machines and
// the desk. It is safe for concurrent use.
type Sets struct {
	archive *archive.Archive
	options rules.CompileOptions

	mu    sync.Mutex
	known map[string]*Set // by hash
}

// Set is one rule set, ready to be asked.
type Set struct {
	Hash      string
	Program   *rules.Program
	Reference *explain.Reference
}

// NewSets makes an empty collection. The options are those of the installation: its zone and its units.
func NewSets(a *archive.Archive, o rules.CompileOptions) *Sets {
	return &Sets{archive: a, options: o, known: make(map[string]*Set)}
}

// Add compiles what an activation brings, unless it is known. The error lists every fault of the set.
func (s *Sets) Add(a *clinical.Activation) (*Set, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set := s.known[a.Hash]; set != nil {
		return set, nil
	}
	program, err := rules.Compile(a.Files, s.options)
	if err != nil {
		return nil, fmt.Errorf("rule set %.12s: %w", a.Hash, err)
	}
	set := &Set{Hash: a.Hash, Program: program, Reference: explain.NewReference(program)}
	s.known[a.Hash] = set
	return set, nil
}

// Get finds a set by its hash.
func (s *Sets) Get(hash string) (*Set, error) {
	s.mu.Lock()
	set := s.known[hash]
	s.mu.Unlock()
	if set != nil {
		return set, nil
	}
	data, err := s.archive.RuleSet(hash)
	if err != nil {
		return nil, fmt.Errorf("rule set %.12s: %w", hash, err)
	}
	rec, err := clinical.UnmarshalRecord(data)
	if err != nil || rec.Activation == nil {
		return nil, fmt.Errorf("rule set %.12s: %w", hash, archive.ErrCorrupt)
	}
	return s.Add(rec.Activation)
}

// leastDigits is how many digits of a hash name a set.
const leastDigits = 8

// Find finds a set by its hash or the first digits of it.
func (s *Sets) Find(prefix string) (*Set, error) {
	hashes, err := s.archive.RuleSets()
	if err != nil {
		return nil, fmt.Errorf("finding a rule set: %w", err)
	}
	fits := slices.DeleteFunc(hashes, func(h string) bool { return !strings.HasPrefix(h, prefix) })
	switch {
	case len(prefix) < leastDigits:
		return nil, fmt.Errorf("%w: give at least %d digits of its hash", ErrUnknownRuleSet, leastDigits)
	case len(fits) == 0:
		return nil, ErrUnknownRuleSet
	case len(fits) > 1:
		return nil, fmt.Errorf("%w: %d sets begin with these digits, give more", ErrUnknownRuleSet, len(fits))
	}
	return s.Get(fits[0])
}
