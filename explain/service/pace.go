package service

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// pace keeps explaining from slowing anything else. It never uses more than one core, since partitions
// take turns; of that it takes a share, in stretches of a few milliseconds; a rate may be set; and it
// pauses while the live rules of the process lag.
type pace struct {
	rate   int
	share  float64
	maxLag int64
	most   int
	lag    func() int64

	mu       sync.Mutex
	free     sync.Cond     // L is mu
	busy     bool          // a partition has its turn
	kept     int32         // the partition whose turn comes next, if it wants it soon; -1
	keptFrom time.Time     // since when it has had one turn after the other
	keptTill time.Time     // when the next turn is anybody's
	size     int           // records of the next batch
	debt     time.Time     // when the facts so far are paid for at the rate
	why      string        // of the pause
	pausing  int           // partitions that wait
	since    time.Time     // when the first of them began to
	paused   time.Duration // altogether, before that
	marks    []mark        // of the last seconds

	// Of who has the turn: since when there was no rest, and how much there was in this turn.
	worked time.Time
	rested time.Duration
}

// mark is what had been done at a time.
type mark struct {
	at             time.Time
	records, facts int
}

const (
	// wanted is how long a batch should take without the rests. Longer ones read and write each patient for more records;
	// shorter ones make explanations sooner.
	wanted = 200 * time.Millisecond
	// stretch is how long is worked between two rests.
	stretch = time.Millisecond
	// polite is how many milliseconds longer it rests when live rules have a record in hand: whoever waits
	// for that one would notice.
	polite = 4
	// look is how often a pause looks whether it may end.
	look = 20 * time.Millisecond
	// keep is how long a partition that is behind may have one turn after the other, since its patients are
	// in memory then, and soon how long others wait for it to take the next.
	keep = 10 * time.Second
	soon = 100 * time.Millisecond
	// lately is the stretch of time over which the rate is shown.
	lately = 10 * time.Second
	least  = 64
)

func newPace(c Config, lag func() int64) *pace {
	p := &pace{rate: c.Rate, share: c.Share, maxLag: c.MaxLag, most: c.Batch, lag: lag, size: min(512, c.Batch), kept: -1}
	p.free.L = &p.mu
	if lag == nil || p.share <= 0 {
		p.share = 1
	}
	return p
}

// batch is how many records to take together now.
func (p *pace) batch() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// begin waits for the turn, which who gets it must end; false when ctx ended first.
func (p *pace) begin(ctx context.Context, partition int32) bool {
	stop := context.AfterFunc(ctx, p.wake)
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for ctx.Err() == nil && (p.busy || p.kept >= 0 && p.kept != partition && time.Now().Before(p.keptTill)) {
		p.free.Wait()
	}
	if ctx.Err() != nil {
		return false
	}
	if p.kept != partition {
		p.kept, p.keptFrom = partition, time.Now()
	}
	p.busy, p.worked, p.rested = true, time.Now(), 0
	return true
}

// wake lets those who wait look again.
func (p *pace) wake() {
	p.mu.Lock()
	p.free.Broadcast()
	p.mu.Unlock()
}

// aside waits for a turn of which nobody thinks afterwards, for what else the role does; whoever gets it
// must call done. It is false when ctx ended first.
func (p *pace) aside(ctx context.Context) bool {
	stop := context.AfterFunc(ctx, p.wake)
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for ctx.Err() == nil && p.busy {
		p.free.Wait()
	}
	if ctx.Err() != nil {
		return false
	}
	p.busy, p.worked = true, time.Now()
	return true
}

// done gives such a turn up.
func (p *pace) done() {
	p.mu.Lock()
	p.busy = false
	p.free.Broadcast()
	p.mu.Unlock()
}

// end gives the turn up; a partition that is behind has the next one, too, for a while.
func (p *pace) end(behind bool) {
	p.mu.Lock()
	p.busy = false
	if behind && time.Since(p.keptFrom) < keep {
		p.keptTill = time.Now().Add(soon)
		time.AfterFunc(soon, p.wake)
	} else {
		p.kept = -1
	}
	p.free.Broadcast()
	p.mu.Unlock()
}

// yield lets others have the core, and rests when it is time to. It is for who has the turn.
func (p *pace) yield(ctx context.Context) {
	before := time.Now()
	runtime.Gosched()
	now := time.Now()
	p.worked = p.worked.Add(now.Sub(before)) // while others had the core nothing was worked
	p.rested += now.Sub(before)
	worked := now.Sub(p.worked)
	if worked < stretch {
		return
	}
	p.halt(ctx)
	if p.share < 1 {
		time.Sleep(time.Duration(float64(worked) * (1/p.share - 1)))
	}
	for range polite {
		if p.lag == nil || p.lag() == 0 || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	p.worked = time.Now()
	p.rested += p.worked.Sub(now)
}

// halt waits while the live rules are behind.
func (p *pace) halt(ctx context.Context) {
	if p.lag == nil || p.lag() <= p.maxLag {
		return
	}
	p.pause("the live rules are behind the log")
	for p.lag() > p.maxLag && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(look):
		}
	}
	p.resume()
}

// wait returns when the next batch may begin; false when ctx ended first.
func (p *pace) wait(ctx context.Context) bool {
	p.halt(ctx)
	p.mu.Lock()
	rest := time.Until(p.debt)
	p.mu.Unlock()
	if p.rate > 0 && rest > 0 {
		p.pause("explain.rate is reached")
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
		p.resume()
	}
	return ctx.Err() == nil
}

// pause and resume enclose a wait. Time in which several partitions wait counts once.
func (p *pace) pause(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pausing == 0 {
		p.since = time.Now()
	}
	p.pausing++
	p.why = why
}

func (p *pace) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pausing--; p.pausing == 0 {
		p.paused += time.Since(p.since)
		p.why = ""
	}
}

// did takes note of a batch of the turn, of which no time is counted that was rested.
func (p *pace) did(records, facts int, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	took -= p.rested
	now := time.Now()
	if p.rate > 0 {
		if p.debt.Before(now) {
			p.debt = now
		}
		p.debt = p.debt.Add(time.Duration(float64(facts) / float64(p.rate) * float64(time.Second)))
	}
	switch {
	case took > 2*wanted:
		p.size = max(least, p.size/2)
	case took < wanted/2 && records >= p.size:
		p.size = min(p.most, p.size*2)
	}
	p.marks = append(p.marks, mark{now, records, facts})
	p.forget(now)
}

func (p *pace) forget(now time.Time) {
	for len(p.marks) > 0 && now.Sub(p.marks[0].at) > lately {
		p.marks = p.marks[1:]
	}
}

func (p *pace) lately() (records, facts float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.forget(now)
	if len(p.marks) == 0 {
		return 0, 0
	}
	for _, m := range p.marks {
		records, facts = records+float64(m.records), facts+float64(m.facts)
	}
	span := max(now.Sub(p.marks[0].at), time.Second).Seconds()
	return records / span, facts / span
}

func (p *pace) perSecond() float64 {
	_, facts := p.lately()
	return facts
}

func (p *pace) recordsPerSecond() float64 {
	records, _ := p.lately()
	return records
}

// reason is why it waits now; "" when it does not.
func (p *pace) reason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

func (p *pace) pausedSeconds() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pausing > 0 {
		return (p.paused + time.Since(p.since)).Seconds()
	}
	return p.paused.Seconds()
}
