package ward

import (
	"container/heap"
	"encoding/json"
	"iter"
	"math/rand/v2"
	"time"
)

// Options say what to simulate. The zero value is 200 patients for 24 hours from DefaultStart.
type Options struct {
	Patients int           // beds; a patient who is discharged is followed by another one; default 200
	Seed     uint64        // every seed is another ward
	Start    time.Time     // the first instant, simulated; default DefaultStart
	Length   time.Duration // simulated; default 24 hours
}

// DefaultStart is when a ward begins if Options do not say: a Sunday morning.
var DefaultStart = time.Date(2026, time.March, 1, 6, 0, 0, 0, time.UTC)

// Event is one resource reaching the feed.
type Event struct {
	At       time.Time       // when it reaches the feed, simulated; equal to its meta.lastUpdated
	Patient  string          // the patient's id, as in Patient/{id}
	Resource json.RawMessage // one FHIR R4 resource; the consumer owns it
}

// Stream plays a ward: its events in order of At. It is deterministic, and its memory grows with the
// number of beds, not with the length. The sequence may be ranged over again, from the start; each
// range is independent of the others, so several goroutines may each range over it.
func Stream(o Options) iter.Seq[Event] {
	if o.Patients <= 0 {
		o.Patients = 200
	}
	if o.Start.IsZero() {
		o.Start = DefaultStart
	}
	if o.Length <= 0 {
		o.Length = 24 * time.Hour
	}
	return func(yield func(Event) bool) {
		w := &ward{
			start: o.Start.UTC().Truncate(time.Second),
			seed:  o.Seed,
			yield: yield,
		}
		w.now, w.end = w.start, w.start.Add(o.Length)
		for bed := range o.Patients {
			w.open(bed)
		}
		w.run()
	}
}

// ward is one run of a simulation: an agenda of what happens next.
type ward struct {
	start, now, end time.Time
	seed            uint64
	agenda          agenda
	added           uint64
	admitted        int
	yield           func(Event) bool
	stopped         bool
}

// task is something that happens at an instant. Of two at one instant the one planned first is first.
type task struct {
	at    time.Time
	order uint64
	do    func()
}

func (w *ward) run() {
	for !w.stopped && len(w.agenda) > 0 {
		next := heap.Pop(&w.agenda).(task)
		if !next.at.Before(w.end) {
			return
		}
		w.now = next.at
		next.do()
	}
}

// plan puts something on the agenda, at once if its time is past. Instants are whole seconds, as they
// are written in the resources.
func (w *ward) plan(at time.Time, do func()) {
	at = at.Truncate(time.Second)
	if at.Before(w.now) {
		at = w.now
	}
	if !at.Before(w.end) {
		return
	}
	w.added++
	heap.Push(&w.agenda, task{at: at, order: w.added, do: do})
}

// send puts a resource on the feed now.
func (w *ward) send(p *patient, r resource) {
	if w.stopped {
		return
	}
	r.stamp(w.now)
	data, err := json.Marshal(r)
	if err != nil {
		panic("ward: encoding a resource of our own: " + err.Error())
	}
	w.stopped = !w.yield(Event{At: w.now, Patient: p.id, Resource: data})
}

// open fills a bed: most have somebody in them from the start, whose record is sent in the first
// minutes; the others are filled in the hours that follow.
func (w *ward) open(bed int) {
	p := w.newPatient(arcOfBed(w.seed, bed))
	if p.rng.IntN(100) < 8 && p.arc == stable {
		at := w.start.Add(p.between(20*time.Minute, 8*time.Hour))
		w.plan(at, func() { w.admit(p, at) })
		return
	}
	since := w.start.Add(-p.between(3*time.Hour, 72*time.Hour))
	w.plan(w.start.Add(p.between(0, 10*time.Minute)), func() { w.admit(p, since) })
}

// refill brings the next patient into a bed that fell free.
func (w *ward) refill(previous *patient) {
	at := w.now.Add(previous.between(time.Hour, 5*time.Hour))
	w.plan(at, func() {
		arc := stable
		if previous.rng.IntN(5) == 0 {
			arc = arcs[previous.rng.IntN(len(arcs))]
		}
		w.admit(w.newPatient(arc), at)
	})
}

// block is how many beds share one set of arcs: every arc occurs once in every block, in a bed that
// the seed chooses.
const block = 40

// arcOfBed says which arc the first patient of a bed follows.
func arcOfBed(seed uint64, bed int) arc {
	beds := rand.New(rand.NewPCG(seed, 1<<40+uint64(bed/block))).Perm(block)
	if i := beds[bed%block]; i < len(arcs) {
		return arcs[i]
	}
	return stable
}

type agenda []task

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(task)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	t := (*a)[last]
	(*a)[last] = task{}
	*a = (*a)[:last]
	return t
}
