package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// PutRuleSet keeps a rule set's bytes under the hash of its content, for every partition.
func (s *Store) PutRuleSet(hash string, data []byte) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	if err := s.db.Set(ruleSetKey(hash), data, pebble.NoSync); err != nil {
		return fmt.Errorf("store: put rule set %s: %w", hash, pebbleError{err})
	}
	return nil
}

// RuleSet gives back what was put under the hash; ErrNoRuleSet when nothing was.
func (s *Store) RuleSet(hash string) ([]byte, error) {
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	data, err := s.get(ruleSetKey(hash), nil)
	if err != nil {
		return nil, fmt.Errorf("store: read rule set %s: %w", hash, pebbleError{err})
	}
	if data == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoRuleSet, hash)
	}
	return data, nil
}
