package archive

import (
	"github.com/cockroachdb/pebble/v2"
)

// Divergence is a difference between the engine and what was explained. Divergences are kept for ever.
type Divergence struct {
	Number uint64 // from 0 in each partition, without gaps
	Rule   string
	Data   []byte // the caller's
}

// Divergences calls f with all divergences in the order in which they were found. Data is valid during the
// call only.
func (p *Partition) Divergences(f func(Divergence) error) error {
	lower, upper := familyRange(p.number, familyDivergence)
	return p.scan(familyDivergence, lower, upper, func(key, value []byte) (bool, error) {
		number, ok := numberOf(key[head:])
		d := decode(value)
		rule := d.string()
		if !ok || d.bad {
			return false, corrupt(p.number, familyDivergence)
		}
		return true, f(Divergence{Number: number, Rule: rule, Data: d.rest()})
	})
}

// DivergenceCount is how many divergences there are. It reads no disk.
func (p *Partition) DivergenceCount() int64 { return int64(p.divergences.Load()) }

// countDivergences looks at the last number, which is as good: they have no gaps.
func (p *Partition) countDivergences() (err error) {
	lower, upper := familyRange(p.number, familyDivergence)
	it, err := p.archive.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fault("count", p.number, familyDivergence, err)
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			err = fault("count", p.number, familyDivergence, e)
		}
	}()
	if it.Last() {
		number, ok := numberOf(it.Key()[head:])
		if !ok {
			return corrupt(p.number, familyDivergence)
		}
		p.divergences.Store(number + 1)
	}
	return nil
}

// Diverge stages a divergence about a rule. The auditor's.
func (b *Batch) Diverge(rule string, data []byte) {
	if b.err != nil {
		return
	}
	r := b.room
	r.key = appendNumberKey(r.key[:0], b.p.number, familyDivergence, b.p.divergences.Load()+b.diverged)
	r.value = appendString(append(r.value[:0], codecVersion), rule)
	r.value = append(r.value, data...)
	b.set(r.key, r.value)
	b.diverged++
}
