package store

import (
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// OutboxRecord is one alert record that is committed and not yet sent.
type OutboxRecord struct {
	Number  uint64 // its place in the partition's order of alerts, without gaps
	Patient string
	ID      string
	Body    []byte // the caller's
}

// outbox keeps where a partition's unsent records begin, so that nothing walks over the tombstones of
// those that were.
type outbox struct {
	mu    sync.Mutex
	first uint64 // no record below it is left
	wake  chan struct{}
}

func (o *outbox) reset() {
	o.mu.Lock()
	o.first = 0
	o.mu.Unlock()
}

func (o *outbox) open(p *Partition) error {
	o.first = p.state.Load().Outbox
	lower, upper := familyRange(p.number, familyOutbox)
	return p.each(familyOutbox, lower, upper, func(rest, value []byte) (bool, error) {
		r, ok := decodeOutbox(rest, value)
		if !ok {
			return false, corrupt(p.number, familyOutbox, nil)
		}
		o.first = r.Number
		o.signal()
		return false, nil
	})
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// OutboxC receives after commits that added alert records, and after an opening that found some. One
// receive may stand for many records: read Pending until it is empty.
func (p *Partition) OutboxC() <-chan struct{} { return p.outbox.wake }

// Pending reads the first records that are not sent, in order, at most limit of them.
func (p *Partition) Pending(limit int) (records []OutboxRecord, err error) {
	if err := p.store.gate.enter(); err != nil {
		return nil, err
	}
	defer p.store.gate.leave()
	if limit <= 0 {
		return nil, nil
	}
	p.outbox.mu.Lock()
	first := p.outbox.first
	p.outbox.mu.Unlock()
	_, upper := familyRange(p.number, familyOutbox)
	err = p.each(familyOutbox, appendOutboxKey(nil, p.number, first), upper, func(rest, value []byte) (bool, error) {
		r, ok := decodeOutbox(rest, value)
		if !ok {
			return false, corrupt(p.number, familyOutbox, nil)
		}
		records = append(records, r)
		return len(records) < limit, nil
	})
	return records, err
}

// deletesOneByOne is how many keys are deleted one by one; a tombstone over a range makes every read of
// its memtable look for it, and is worth that only for many.
const deletesOneByOne = 1024

// Sent removes the records up to and with this number. Any one goroutine at a time may call it, also
// while batches are being committed.
func (p *Partition) Sent(upTo uint64) error {
	if err := p.store.gate.enter(); err != nil {
		return err
	}
	defer p.store.gate.leave()
	o := &p.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	end := min(upTo+1, p.state.Load().Outbox)
	if end <= o.first {
		return nil
	}
	b := p.store.db.NewBatch()
	defer b.Close()
	var err error
	if end-o.first > deletesOneByOne {
		err = b.DeleteRange(appendOutboxKey(nil, p.number, o.first), appendOutboxKey(nil, p.number, end), nil)
	} else {
		var key []byte
		for n := o.first; n < end && err == nil; n++ {
			key = appendOutboxKey(key[:0], p.number, n)
			err = b.Delete(key, nil)
		}
	}
	if err == nil {
		err = b.Commit(pebble.NoSync)
	}
	if err != nil {
		return fmt.Errorf("store: remove sent alerts of partition %d: %w", p.number, pebbleError{err})
	}
	o.first = end
	return nil
}

// Outbox stages one alert record about a patient; id and body are the caller's to define. Records get
// the next numbers in the order of the calls.
func (b *Batch) Outbox(patient, id string, body []byte) {
	if b.err != nil {
		return
	}
	w := b.work
	w.key = appendOutboxKey(w.key[:0], b.p.number, b.outbox)
	w.value = append(w.value[:0], codecVersion)
	w.value = appendString(w.value, patient)
	w.value = appendString(w.value, id)
	w.value = append(w.value, body...)
	b.set(w.key, w.value)
	b.outbox++
}

func decodeOutbox(rest, value []byte) (OutboxRecord, bool) {
	if len(rest) != 8 {
		return OutboxRecord{}, false
	}
	var number uint64
	for _, x := range rest {
		number = number<<8 | uint64(x)
	}
	d := decode(value)
	r := OutboxRecord{Number: number, Patient: d.string(), ID: d.string()}
	r.Body = append([]byte{}, d.b...)
	return r, !d.bad
}
