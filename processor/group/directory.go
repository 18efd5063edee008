package group

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// ErrUnreadable is returned by Describe when the group cannot be asked.
var ErrUnreadable = errors.New("the consumer group cannot be asked who has which partition")

// Directory knows the newest roster of a group, whether or not this process is in it. Its methods may be
// called from any goroutine.
type Directory struct {
	group  string
	client sarama.Client
	every  time.Duration
	roster atomic.Pointer[Roster]
	asked  chan struct{}
	reach  atomic.Pointer[reach] // nil: not asked yet

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the roster changes
}

// reach is how it stands since an instant: every question to the group was answered, or none.
type reach struct {
	answers bool
	since   time.Time
}

// NewDirectory makes a directory that has asked nothing yet. The client stays the caller's. every is how
// often Run asks the group.
func NewDirectory(client sarama.Client, group string, every time.Duration) *Directory {
	return &Directory{group: group, client: client, every: every, asked: make(chan struct{}, 1), changed: make(chan struct{})}
}

// Every is how often Run asks the group.
func (d *Directory) Every() time.Duration { return d.every }

// Roster is the newest one known; nil before there is one.
func (d *Directory) Roster() *Roster { return d.roster.Load() }

// Changed is closed when there is another roster than the one that Roster returned before the call.
func (d *Directory) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// Reached says whether the group's coordinator answered when it was last asked, and since when it does, or does
// not, each time. Before the first question it does.
func (d *Directory) Reached() (answers bool, since time.Time) {
	if r := d.reach.Load(); r != nil {
		return r.answers, r.since
	}
	return true, time.Time{}
}

func (d *Directory) reached(answers bool) {
	if r := d.reach.Load(); r == nil || r.answers != answers {
		d.reach.Store(&reach{answers, time.Now()})
	}
}

// Ask makes Run look at the group soon: somebody found it changed.
func (d *Directory) Ask() {
	select {
	case d.asked <- struct{}{}:
	default:
	}
}

// Run keeps the directory up to date until ctx ends.
func (d *Directory) Run(ctx context.Context) {
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		// A group that cannot be asked is asked again; what was known stays the best guess.
		_, _ = d.Describe()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.asked:
			// While the group makes a new plan there is nothing to read; it takes a moment.
			select {
			case <-ctx.Done():
				return
			case <-time.After(min(d.every, 50*time.Millisecond)):
			}
		}
	}
}

// Describe asks the group once and says how many members it has. A group that is making a new plan keeps the
// roster that was known.
func (d *Directory) Describe() (members int, err error) {
	defer func() { d.reached(err == nil) }()
	coordinator, err := d.client.Coordinator(d.group)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	answer, err := coordinator.DescribeGroups(&sarama.DescribeGroupsRequest{Groups: []string{d.group}})
	if err == nil && len(answer.Groups) == 1 {
		switch answer.Groups[0].Err {
		case sarama.ErrNoError:
			return d.read(answer.Groups[0])
		default:
			err = answer.Groups[0].Err
		}
	}
	return 0, fmt.Errorf("%w: %w", ErrUnreadable, errors.Join(err, d.client.RefreshCoordinator(d.group)))
}

func (d *Directory) read(g *sarama.GroupDescription) (members int, err error) {
	var newest *Roster
	for _, m := range g.Members {
		assignment, err := m.GetMemberAssignment()
		if err != nil || assignment == nil {
			continue // while a plan is made nobody has one
		}
		c, err := unmarshalCard(assignment.UserData)
		if err == nil && c.Roster != nil && (newest == nil || c.Roster.Generation > newest.Generation) {
			newest = c.Roster
		}
	}
	if newest != nil {
		d.learn(newest)
	}
	return len(g.Members), nil
}

func (d *Directory) learn(r *Roster) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if before := d.roster.Load(); before != nil && before.Generation == r.Generation {
		return
	}
	d.roster.Store(r)
	close(d.changed)
	d.changed = make(chan struct{})
}
