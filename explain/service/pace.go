package service

import (
	"context"
	"sync"
	"time"
)

// pace keeps explaining from slowing anything else: batches take turns, so that it never uses more than
// one core; a rate may be set; and it pauses while the live rules of the process lag.
type pace struct {
	rate   int
	maxLag int64
	most   int
	lag    func() int64

	turn sync.Mutex // held while a batch is worked on

	mu       sync.Mutex
	size     int       // records of the next batch
	debt     time.Time // when the facts so far are paid for at the rate
	why      string
	pausedAt time.Duration // altogether
	marks    []mark        // of the last seconds
}

// mark is what had been done at a time.
type mark struct {
	at             time.Time
	records, facts int
}

const (
	// wanted is how long a batch should take: short enough for whoever waits for a core.
	wanted = 20 * time.Millisecond
	// look is how often a pause looks whether it may end.
	look = 20 * time.Millisecond
	// lately is the stretch of time over which the rate is shown.
	lately = 10 * time.Second
	least  = 16
)

func newPace(c Config, lag func() int64) *pace {
	return &pace{rate: c.Rate, maxLag: c.MaxLag, most: c.Batch, lag: lag, size: min(256, c.Batch)}
}

// batch is how many records to take together now.
func (p *pace) batch() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// wait returns when the next batch may begin; false when ctx ended first.
func (p *pace) wait(ctx context.Context) bool {
	began := time.Now()
	defer func() {
		p.mu.Lock()
		p.why = ""
		p.pausedAt += time.Since(began)
		p.mu.Unlock()
	}()
	for {
		p.mu.Lock()
		due := p.debt
		p.mu.Unlock()
		switch {
		case p.lag != nil && p.lag() > p.maxLag:
			p.pause("the live rules are behind the log")
		case p.rate > 0 && time.Until(due) > 0:
			p.pause("explain.rate is reached")
		default:
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(look):
		}
	}
}

func (p *pace) pause(why string) {
	p.mu.Lock()
	p.why = why
	p.mu.Unlock()
}

// did takes note of a batch.
func (p *pace) did(records, facts int, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
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

func (p *pace) paused() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

func (p *pace) pausedSeconds() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pausedAt.Seconds()
}
