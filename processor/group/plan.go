package group

import (
	"cmp"
	"slices"
)

// candidate is a member as a plan sees it.
type candidate struct {
	Member
	warm  []int32 // partitions that it has followed on its own account
	likes []int32 // of those, the ones that it would rather have than others
	owned int     // partitions that it owns by the plan so far
	holds int     // partitions that it keeps a copy of by the plan so far
}

// plan shares n partitions among the members, after the roster before; nil when there was none. Every
// member makes the same of the same.
//
// Who owned a partition keeps it. One whose owner is gone goes to a member that is warm for it, and to
// any only when none is. Members with more than their share give of it to those with less, as far as
// these are warm. Then warm copies are placed: where they are already, where the owner was before, and
// where there are fewest. A member that is due more and is cold keeps a copy of that, too: once it
// is warm it asks for another plan, which gives it what it is due.
func plan(n int, members []candidate, before *Roster) *Roster {
	slices.SortFunc(members, func(a, b candidate) int { return cmp.Compare(a.Name, b.Name) })
	next := &Roster{Owners: make([]int, n), Standbys: make([][]int, n)}
	for _, m := range members {
		next.Members = append(next.Members, m.Member)
	}
	p := &planner{members: members, before: before, next: next}
	p.keep()
	p.settle()
	p.level()
	p.place()
	p.prepare()
	return next
}

type planner struct {
	members []candidate
	before  *Roster
	next    *Roster
}

// now is the place that a member of the roster before has in the next one.
func (p *planner) now(before int) int {
	if before == nobody {
		return nobody
	}
	return p.next.place(p.before.Members[before].Name)
}

func (p *planner) give(partition, member int) {
	if from := p.next.Owners[partition]; from != nobody {
		p.members[from].owned--
	}
	p.next.Owners[partition] = member
	if member != nobody {
		p.members[member].owned++
	}
}

// keep lets those who own a partition have it on.
func (p *planner) keep() {
	for i := range p.next.Owners {
		p.next.Owners[i] = nobody
		if p.before != nil && i < len(p.before.Owners) {
			p.give(i, p.now(p.before.Owners[i]))
		}
	}
}

// warm says whether the member could go on with the partition at once.
func (p *planner) warm(partition, member int) bool {
	if slices.Contains(p.members[member].warm, int32(partition)) {
		return true
	}
	if p.before == nil || partition >= len(p.before.Owners) {
		return false
	}
	had := func(m int) bool { return p.now(m) == member }
	return had(p.before.Owners[partition]) || slices.ContainsFunc(p.before.Standbys[partition], had)
}

// least is the member with the fewest of what count says, among those that may.
func (p *planner) least(count func(*candidate) int, may func(member int) bool) int {
	found := nobody
	for i := range p.members {
		if may(i) && (found == nobody || count(&p.members[i]) < count(&p.members[found])) {
			found = i
		}
	}
	return found
}

func owned(c *candidate) int { return c.owned }
func holds(c *candidate) int { return c.holds }

// settle gives an owner to what has none.
func (p *planner) settle() {
	for i, owner := range p.next.Owners {
		if owner != nobody {
			continue
		}
		to := p.least(owned, func(m int) bool { return p.warm(i, m) })
		if to == nobody {
			to = p.least(owned, func(int) bool { return true })
		}
		p.give(i, to)
	}
}

// level takes from those with more than their share.
func (p *planner) level() {
	for p.levelOne() {
	}
}

// levelOne moves one partition to a member that has at least two fewer than its owner.
func (p *planner) levelOne() bool {
	best, to := nobody, nobody
	worth := func(i, m int) int { // how level it makes things, and then how much it is liked
		w := 2 * (p.members[p.next.Owners[i]].owned - p.members[m].owned)
		if slices.Contains(p.members[m].likes, int32(i)) {
			w++
		}
		return w
	}
	for i, owner := range p.next.Owners {
		for m := range p.members {
			if p.members[owner].owned-p.members[m].owned < 2 || !p.warm(i, m) && p.warm(i, owner) {
				continue
			}
			if best == nobody || worth(i, m) > worth(best, to) {
				best, to = i, m
			}
		}
	}
	if best == nobody {
		return false
	}
	p.give(best, to)
	return true
}

// place says who keeps warm copies.
func (p *planner) place() {
	want := 0
	for _, m := range p.members {
		want = max(want, m.Standby)
	}
	want = min(want, len(p.members)-1)
	n := len(p.next.Owners)
	if want == 0 {
		for i := range p.next.Standbys {
			p.next.Standbys[i] = []int{}
		}
		return
	}
	most := (n*want + len(p.members) - 1) / len(p.members) // copies that one member keeps
	keep := func(i, m int) {
		if m != nobody && m != p.next.Owners[i] && len(p.next.Standbys[i]) < want && p.members[m].holds < most && !slices.Contains(p.next.Standbys[i], m) {
			p.next.Standbys[i] = append(p.next.Standbys[i], m)
			p.members[m].holds++
		}
	}
	for i := range p.next.Standbys {
		p.next.Standbys[i] = []int{}
		if p.before == nil || i >= len(p.before.Owners) {
			continue
		}
		keep(i, p.now(p.before.Owners[i])) // it has all of it
		for _, s := range p.before.Standbys[i] {
			keep(i, p.now(s))
		}
	}
	for i := range p.next.Standbys {
		for len(p.next.Standbys[i]) < want {
			p.hold(i, p.least(holds, func(m int) bool {
				return m != p.next.Owners[i] && !slices.Contains(p.next.Standbys[i], m)
			}))
		}
	}
}

// prepare lets members become warm for what they are due.
func (p *planner) prepare() {
	owners := slices.Clone(p.next.Owners)
	for i := range p.members {
		p.members[i].warm = nil
		for n := range owners {
			p.members[i].warm = append(p.members[i].warm, int32(n))
		}
	}
	p.level()
	due := p.next.Owners
	p.next.Owners = owners
	for i, m := range due {
		if m != owners[i] && !slices.Contains(p.next.Standbys[i], m) {
			p.hold(i, m)
		}
	}
}

func (p *planner) hold(partition, member int) {
	p.next.Standbys[partition] = append(p.next.Standbys[partition], member)
	p.members[member].holds++
}

// Joining lists the partitions that a member would own if it came to the group now and were warm for all:
// what it has to make warm before it comes. Of as many it would rather have those that it likes.
func (r *Roster) Joining(m Member, likes []int32) []int32 {
	if r == nil {
		return nil
	}
	n := len(r.Owners)
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	members := []candidate{{Member: m, warm: all, likes: likes}}
	for _, other := range r.Members {
		if other.Name != m.Name {
			members = append(members, candidate{Member: other})
		}
	}
	return plan(n, members, r).Owned(m.Name)
}
