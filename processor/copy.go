package processor

import "time"

// Copy is what a process has of a partition.
type Copy struct {
	Owned bool // it is the owner, and at the end of the log
	// Of a copy: how many records of the log it has not applied, of those that it knew of at an instant.
	Behind int64
	Heard  time.Time
}

// leave says that another goes on with the partition, and nobody keeps it up to date here; unless this
// process is just taking it over, which an older roster does not know.
func (o *owner) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.opened {
		o.rested.Store(nil)
	}
}

// rest says that until now this process kept the partition at its end.
func (o *owner) rest(behind int64) {
	o.rested.Store(&Copy{Behind: behind, Heard: time.Now()})
}

// restTime is how long what a process owned a moment ago counts as a copy: while the group shares its
// partitions anew nobody owns them. While the group's coordinator answers nobody, nobody can be given them: that
// time does not count.
const restTime = 30 * time.Second

// resting is what this process has of a partition that it owned and that nobody is known to go on with.
func (o *owner) resting() (Copy, bool) {
	rested := o.rested.Load()
	if rested == nil {
		return Copy{}, false
	}
	if answers, since := o.role.directory.Reached(); answers && time.Since(rested.Heard) > restTime && time.Since(since) > restTime {
		return Copy{}, false
	}
	return *rested, true
}

// Copy says from what this process would answer about the partition; false when it has nothing that is
// kept up to date. It needs RoleRules.
func (p *Processor) Copy(partition int32) (Copy, bool) {
	if p.rules == nil || partition < 0 || int(partition) >= len(p.rules.owners) {
		return Copy{}, false
	}
	o := p.rules.owners[partition]
	if o.ready() {
		p.rules.asked.note()
		return Copy{Owned: true}, true
	}
	if f := o.follower.Load(); f != nil {
		if heard := f.heard.Load(); heard != nil && f.caught.Load() {
			return Copy{Behind: f.behind(), Heard: *heard}, true
		}
	}
	return o.resting()
}
