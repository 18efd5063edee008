package store

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// WorklistEntry is one rule that is true of one patient as of the last commit.
type WorklistEntry struct {
	Partition int32
	Patient   string
	Standing
}

// Cursor is the entry's place, to go on after it.
func (e *WorklistEntry) Cursor() Cursor { return Cursor{e.Severity, e.Rule, e.Patient, e.Period} }

// Filter says which entries a worklist is to have. The zero Filter takes all.
type Filter struct {
	Rule     string          // "" any
	Severity *rules.Severity // nil any
}

// Cursor is a place in a partition's worklist. The zero Cursor is before the first entry.
type Cursor struct {
	Severity rules.Severity
	Rule     string
	Patient  string
	Period   clinical.Instant // see Standing
}

// Worklist lists what is true of whom in one partition: the most severe first, then by rule, then by
// patient and period; from after the cursor on, and at most limit entries. It is as of the last commit: timers that
// are due but have not fired are not in it.
func (s *Store) Worklist(partition int32, f Filter, after Cursor, limit int) ([]WorklistEntry, error) {
	p, err := s.Partition(partition)
	if err != nil {
		return nil, err
	}
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	var entries []WorklistEntry
	var start []byte
	if after != (Cursor{}) {
		start = append(appendWorklistKey(nil, partition, after), 0)
	}
	for _, r := range f.ranges(partition) {
		lower, upper := r[0], r[1]
		if bytes.Compare(start, lower) > 0 {
			lower = start
		}
		if len(entries) >= limit {
			break
		}
		if bytes.Compare(lower, upper) >= 0 {
			continue
		}
		err := p.each(familyWorklist, lower, upper, func(rest, value []byte) (bool, error) {
			e := WorklistEntry{Partition: partition}
			d := decode(value)
			at, ok := worklistOf(rest)
			e.Severity, e.Rule, e.Patient, e.Period = at.Severity, at.Rule, at.Patient, at.Period
			if e.Since = d.instant(); !ok || !d.done() {
				return false, corrupt(partition, familyWorklist, nil)
			}
			entries = append(entries, e)
			return len(entries) < limit, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// ranges are the bounds of the keys that the filter takes, in order.
func (f Filter) ranges(partition int32) [][2][]byte {
	if f.Rule == "" && f.Severity == nil {
		lower, upper := familyRange(partition, familyWorklist)
		return [][2][]byte{{lower, upper}}
	}
	severities := []rules.Severity{rules.Critical, rules.Warning, rules.Info}
	if f.Severity != nil {
		severities = []rules.Severity{*f.Severity}
	}
	var all [][2][]byte
	for _, s := range severities {
		lower := append(appendFamily(nil, partition, familyWorklist), severityByte(s))
		upper := append(appendFamily(nil, partition, familyWorklist), severityByte(s))
		if f.Rule != "" {
			lower = append(append(lower, f.Rule...), 0)
			upper = append(append(upper, f.Rule...), 1)
		} else {
			upper = successor(upper) // after severity 0xff comes the next family
		}
		all = append(all, [2][]byte{lower, upper})
	}
	return all
}

// moveStanding stages what the worklist must change from one list of standing rules to the next, both
// in order.
func (b *Batch) moveStanding(patient string, from, to []Standing) {
	if slices.Equal(from, to) {
		return
	}
	for len(from) > 0 || len(to) > 0 {
		switch {
		case len(to) == 0 || len(from) > 0 && from[0].Compare(to[0].Rule, to[0].Period) < 0:
			b.dropStanding(patient, &from[0])
			from = from[1:]
		case len(from) == 0 || to[0].Compare(from[0].Rule, from[0].Period) < 0:
			b.setStanding(patient, &to[0])
			to = to[1:]
		default:
			if from[0] != to[0] {
				if from[0].Severity != to[0].Severity {
					b.dropStanding(patient, &from[0])
				}
				b.setStanding(patient, &to[0])
			}
			from, to = from[1:], to[1:]
		}
	}
}

func (b *Batch) dropStanding(patient string, s *Standing) {
	w := b.work
	w.key = appendWorklistKey(w.key[:0], b.p.number, Cursor{s.Severity, s.Rule, patient, s.Period})
	b.delete(w.key)
}

func (b *Batch) setStanding(patient string, s *Standing) {
	w := b.work
	w.key = appendWorklistKey(w.key[:0], b.p.number, Cursor{s.Severity, s.Rule, patient, s.Period})
	w.value = binary.AppendVarint(append(w.value[:0], codecVersion), int64(s.Since))
	b.set(w.key, w.value)
}
