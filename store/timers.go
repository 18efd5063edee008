package store

import (
	"cmp"
	"container/heap"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// timer is one patient's timer. Timers are in order of (due, patient), like their keys.
type timer struct {
	due     clinical.Instant
	patient string
}

var noTimer = timer{due: clinical.Forever}

func (t timer) before(o timer) bool {
	if t.due != o.due {
		return t.due < o.due
	}
	return cmp.Less(t.patient, o.patient)
}

// timerHeap has the earliest timer first. It implements heap.Interface.
type timerHeap []timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].before(h[j]) }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = timer{}
	*h = (*h)[:last]
	return t
}

// NextDue is when the earliest timer is due, and whether there is one. Any goroutine may call it.
func (p *Partition) NextDue() (clinical.Instant, bool) {
	due := clinical.Instant(p.due.Load())
	return due, due != clinical.Forever
}

func (p *Partition) setNext(t timer) {
	p.next = t
	p.due.Store(int64(t.due))
}

// firstTimer finds the earliest committed timer at or after from. Starting there, and not at the start
// of the family, it does not walk over the tombstones of timers that have fired.
func (p *Partition) firstTimer(from timer) (timer, error) {
	first := noTimer
	_, upper := familyRange(p.number, familyTimer)
	err := p.each(familyTimer, appendTimerKey(nil, p.number, from.due, from.patient), upper, func(rest, _ []byte) (bool, error) {
		due, patient, ok := timerOf(rest)
		if !ok {
			return false, corrupt(p.number, familyTimer, nil)
		}
		first = timer{due, string(patient)}
		return false, nil
	})
	if err != nil {
		// Too early a timer costs a look that finds nothing; none at all would never fire.
		return timer{due: from.due}, err
	}
	return first, nil
}

// Due calls f for every timer due at or before upTo, the earliest first and by patient where equal, with
// the instant it is due at. f puts the patient with another Meta.Due: one that is still at or before upTo
// comes again in its order. An error of f ends Due and is returned; what f staged stays staged, and the
// batch can still be committed. ErrTimerStuck says that f left a timer where it was.
func (b *Batch) Due(upTo clinical.Instant, f func(due clinical.Instant, patient string) error) (err error) {
	if b.err != nil {
		return b.err
	}
	p := b.p
	var it *pebble.Iterator // over the committed timers, unless all are later
	if p.next.due <= upTo && p.next.due != clinical.Forever {
		_, upper := familyRange(p.number, familyTimer)
		it, err = p.store.db.NewIter(&pebble.IterOptions{
			LowerBound: appendTimerKey(nil, p.number, p.next.due, p.next.patient), UpperBound: upper})
		if err != nil {
			return fault("read", p.number, familyTimer, err)
		}
		defer func() {
			if e := it.Close(); e != nil && err == nil {
				err = fault("read", p.number, familyTimer, e)
			}
		}()
		it.First()
	}
	for {
		next, err := b.committedTimer(it)
		if err != nil {
			return err
		}
		if staged := b.stagedTimer(); staged.before(next) {
			next = staged
		}
		if next.due > upTo || next.due == clinical.Forever {
			return nil
		}
		if err := f(next.due, next.patient); err != nil {
			return err
		}
		if s := b.work.patients[next.patient]; s == nil || s.cur.Meta.Due == next.due {
			return ErrTimerStuck
		}
	}
}

// committedTimer is the first committed timer from where the iterator is that the batch has not moved.
func (b *Batch) committedTimer(it *pebble.Iterator) (timer, error) {
	if it == nil {
		return noTimer, nil
	}
	for ; it.Valid(); it.Next() {
		due, patient, ok := timerOf(it.Key()[3:])
		if !ok {
			return noTimer, corrupt(b.p.number, familyTimer, nil)
		}
		if s := b.work.patients[string(patient)]; s == nil || s.cur.Meta.Due == due {
			return timer{due, string(patient)}, nil
		}
	}
	if err := it.Error(); err != nil {
		return noTimer, fault("read", b.p.number, familyTimer, err)
	}
	return noTimer, nil
}

// stagedTimer is the earliest timer that the batch has set and not moved since.
func (b *Batch) stagedTimer() timer {
	h := &b.work.timers
	for len(*h) > 0 {
		if first := (*h)[0]; b.work.patients[first.patient].cur.Meta.Due == first.due {
			return first
		}
		heap.Pop(h)
	}
	return noTimer
}

// nextTimer finds the earliest timer once the batch has been committed.
func (b *Batch) nextTimer() (timer, error) {
	next := b.p.next
	earliest := next
	gone := next.patient == "" && next.due != clinical.Forever // only a bound: see firstTimer
	for id, s := range b.work.patients {
		from, to := timer{s.base.Meta.Due, id}, timer{s.cur.Meta.Due, id}
		if from == to {
			continue
		}
		gone = gone || from == next
		if to.due != clinical.Forever && to.before(earliest) {
			earliest = to
		}
	}
	if gone {
		return b.p.firstTimer(earliest)
	}
	return earliest, nil
}
