package crash

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// ErrDiffers is what every difference to the undisturbed run is.
var ErrDiffers = errors.New("a crash made a difference")

// Tally counts what runs have been through.
type Tally struct {
	Crashes int // power cuts
	Opening int // of them while the partition was being opened
	Lost    int // records that were applied, and were not on the disk after a cut
	Repeats int // alerts that were sent once more
	Alerts  int // that the logs bring about
}

// Power plays the log with so many power cuts, at instants and with losses that random decides, and
// returns the first difference to the undisturbed run.
func (c *Calm) Power(random *rand.Rand, crashes int, t *Tally) error {
	r := &run{calm: c, random: random, tally: t}
	disk := vfs.NewCrashableMem()
	for left := crashes; ; left-- {
		var err error
		if disk, err = r.session(disk, left); err != nil {
			return fmt.Errorf("after %d of %d power cuts: %w", crashes-left, crashes, err)
		}
		if left == 0 {
			break
		}
		t.Crashes++
	}
	return r.compareAlerts()
}

// run is one log that is played with power cuts. The logs, of facts and of alerts, survive them.
type run struct {
	calm   *Calm
	random *rand.Rand
	tally  *Tally

	end   int64                // of the facts log: what was applied once
	topic []store.OutboxRecord // the alerts
}

// opening is about how many writes the opening of a store takes.
const opening = 50

// session is the time from one opening to the next cut. It returns the disk that is left. The last one,
// which leaves no cuts to come, goes to the end of the log.
func (r *run) session(on *vfs.MemFS, cuts int) (left *vfs.MemFS, err error) {
	d := newDisk(on, r.random, int(^uint(0)>>1))
	records := int64(len(r.calm.log)) - r.end
	if cuts > 0 {
		records = min(records, int64(r.random.IntN(2*len(r.calm.log)/cuts+2)))
		if d.writes = r.random.IntN(opening); r.random.IntN(4) > 0 {
			d.writes = opening + r.random.IntN(2*int(records)+10)
		}
	}
	s, err := store.Open("store", store.Options{FS: d.FS, Memory: memory})
	if err != nil {
		return nil, err
	}
	defer func() {
		if cuts > 0 {
			left = d.cut()
		}
		err = errors.Join(err, s.Close())
	}()
	if d.off() {
		r.tally.Opening++
		return nil, nil
	}
	p, err := s.Partition(0)
	if err != nil {
		return nil, err
	}
	o := &opened{run: r, disk: d, part: p}
	if err := o.resume(s); err != nil || d.off() {
		return nil, err
	}
	for range records {
		if err := o.next(); err != nil || d.off() {
			return nil, err
		}
	}
	if cuts > 0 {
		return nil, nil
	}
	for sent := 1; sent > 0; {
		if sent, err = o.send(); err != nil {
			return nil, err
		}
	}
	return nil, o.compare("at the end")
}

// opened is the partition in one session, and does what its owner in package processor does.
type opened struct {
	*run
	disk    *disk
	part    *store.Partition
	machine *processor.Machine
}

// resume brings the partition to the end of the log and takes out of the outbox what the topic has.
func (o *opened) resume(s *store.Store) error {
	state := o.part.State()
	o.tally.Lost += int(o.end - 1 - state.Facts)
	if state.Facts < 0 || !o.calm.after[state.Facts].sweeping {
		if err := o.compare("as the cut left it"); err != nil {
			return err
		}
	} // else patients may have been moved to another rule set, which comes before the next record
	sets := o.calm.sets
	if o.random.IntN(8) == 0 { // of a new process, which knows none
		sets = processor.NewRuleSets(rules.CompileOptions{}, s.RuleSet)
	} else if state.RuleSet != "" {
		if _, err := s.RuleSet(state.RuleSet); err != nil {
			return err
		}
	}
	var err error
	if o.machine, err = processor.NewMachine(0, o.part, sets, processor.Observer{}); err != nil {
		return err
	}
	for at := state.Facts + 1; at < o.end; at++ {
		if err := o.machine.Apply(&o.calm.log[at], at, nil); err != nil {
			return fmt.Errorf("replaying record %d: %w", at, err)
		}
		if o.disk.off() {
			return nil
		}
	}
	if err := o.compare("after the replay"); err != nil {
		return err
	}
	if n := len(o.topic); n > 0 {
		return o.part.Sent(o.topic[n-1].Number)
	}
	return nil
}

// next applies the next record of the log, after some that are delivered again, and sends some alerts.
func (o *opened) next() error {
	set := func([]byte) error { return nil }
	for at := max(0, o.end-int64(o.random.IntN(4))); at < o.end; at++ {
		if err := o.machine.Apply(&o.calm.log[at], at, set); err != nil {
			return fmt.Errorf("applying record %d again: %w", at, err)
		}
	}
	if err := o.machine.Apply(&o.calm.log[o.end], o.end, set); err != nil {
		return fmt.Errorf("applying record %d: %w", o.end, err)
	}
	o.end++
	if o.random.IntN(3) > 0 {
		return nil
	}
	_, err := o.send()
	return err
}

// send gives some of what is pending to the topic and takes it out of the outbox.
func (o *opened) send() (sent int, err error) {
	pending, err := o.part.Pending(1 + o.random.IntN(4))
	if err != nil || len(pending) == 0 {
		return 0, err
	}
	o.disk.whilePowered(func() {
		o.topic = append(o.topic, pending...)
		sent = len(pending)
	})
	if sent == 0 {
		return 0, nil
	}
	if o.random.IntN(4) == 0 {
		return sent, nil // and sent again: the answer of the topic did not come
	}
	return sent, o.part.Sent(pending[sent-1].Number)
}

// compare holds what the partition has to what it has undisturbed, at its position.
func (o *opened) compare(when string) error {
	held, err := contentsOf(o.part)
	if err != nil {
		return err
	}
	var want contents
	at := o.part.State().Facts
	if at >= 0 {
		want = o.calm.after[at].contents
	}
	if d := held.differs(want); d != "" {
		return fmt.Errorf("%w: %s, after record %d: %s", ErrDiffers, when, at, d)
	}
	return nil
}

// compareAlerts holds the topic to the alerts of the undisturbed run. Repeats are told by their id.
func (r *run) compareAlerts() error {
	want := r.calm.alerts
	r.tally.Alerts += len(want)
	seen := make(map[string]store.OutboxRecord, len(want))
	for _, a := range r.topic {
		if first, repeated := seen[a.ID]; repeated {
			r.tally.Repeats++
			if !same(a, first) {
				return fmt.Errorf("%w: alert %d, sent again, is not what it was", ErrDiffers, a.Number)
			}
			continue
		}
		if len(want) == len(seen) || !same(a, want[len(seen)]) {
			return fmt.Errorf("%w: alert %d was sent as the %dth", ErrDiffers, a.Number, len(seen))
		}
		seen[a.ID] = a
	}
	if len(seen) < len(want) {
		return fmt.Errorf("%w: %d of %d alerts were sent", ErrDiffers, len(seen), len(want))
	}
	return nil
}

func same(a, b store.OutboxRecord) bool {
	return a.Number == b.Number && a.ID == b.ID && a.Patient == b.Patient && bytes.Equal(a.Body, b.Body)
}
