package archive

import "fmt"

// Outgoing calls f with the first explanations that are not yet sent, in the order in which they were
// explained and with their numbers, which have no gaps; at most limit of them. data is valid during the
// call only.
func (p *Partition) Outgoing(limit int, f func(number uint64, patient string, data []byte) error) error {
	if limit <= 0 {
		return p.archive.gate.open()
	}
	// Not those of a batch that is on disk and not yet in the state: Sent takes the state's word for how many there are.
	published := p.state.Load().Outbox
	lower := appendNumberKey(nil, p.number, familyOutbox, p.unsent.Load())
	_, upper := familyRange(p.number, familyOutbox)
	var key []byte
	return p.scan(familyOutbox, lower, upper, func(at, value []byte) (bool, error) {
		number, ok := numberOf(at[head:])
		d := decode(value)
		sequence, patient := d.uvarint(), d.string()
		if !ok || !d.done() {
			return false, corrupt(p.number, familyOutbox)
		}
		if number >= published {
			return false, nil
		}
		key = appendExplanationKey(key[:0], p.number, patient, int64(sequence))
		var refused error
		found, err := p.peek(partExplanation, key, func(value []byte) bool {
			d := decode(value)
			d.instant()
			d.bytes()
			if d.bad {
				return false
			}
			refused = f(number, patient, d.rest())
			return true
		})
		switch {
		case err != nil:
			return false, err
		case !found:
			return false, fmt.Errorf("%w: an outgoing explanation is not there", corrupt(p.number, familyOutbox))
		}
		limit--
		return limit > 0, refused
	})
}

// deletesOneByOne is how many keys are deleted one by one; a tombstone over a range makes every read of
// its memtable look for it, and is worth that only for many.
const deletesOneByOne = 1024

// Sent stages the removal of the outgoing explanations up to and with this number, which have been
// published. One goroutine at a time may have a batch open in which it calls this.
func (b *Batch) Sent(through uint64) {
	if b.err != nil {
		return
	}
	outbox := b.p.state.Load().Outbox
	first, end := max(b.p.unsent.Load(), b.unsent), outbox
	if through < outbox {
		end = through + 1
	}
	if end <= first {
		return
	}
	n := b.p.number
	r := b.room
	if end-first > deletesOneByOne {
		r.key = appendNumberKey(r.key[:0], n, familyOutbox, first)
		r.value = appendNumberKey(r.value[:0], n, familyOutbox, end)
		if err := b.pebble.DeleteRange(r.key, r.value, nil); err != nil {
			b.fail(fault("stage a change of", n, familyOutbox, err))
		}
	} else {
		for number := first; number < end; number++ {
			r.key = appendNumberKey(r.key[:0], n, familyOutbox, number)
			b.delete(r.key)
		}
	}
	b.unsent = end
}
