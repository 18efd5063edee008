package pointer

import (
	"errors"
	"sync"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// ErrMalformed is returned for stored bytes that are no chunk, row or detail of this version.
var ErrMalformed = errors.New("pointer: malformed stored bytes")

// Entry is one stored fact. Entries of a series are in order of (Time, Seq).
type Entry struct {
	Time, End clinical.Instant
	Authored  clinical.Instant // 0 when the resource does not say when it was written down
	Seq       uint64           // place in the log: of two facts at one instant the one stated later is the later
	Number    float64
	Detail    *clinical.Detail
}

// Fence is a place in a series: it identifies an entry, and bounds a chunk from below.
type Fence struct {
	Time clinical.Instant
	Seq  uint64
}

// First is the fence before every entry, which every series' first chunk has.
var first = Fence{Time: clinical.Never}

// Less orders fences.
func (f Fence) Less(g Fence) bool {
	return f.Time < g.Time || f.Time == g.Time && f.Seq < g.Seq
}

// Fence is the entry's own place.
func (e *Entry) Fence() Fence { return Fence{e.Time, e.Seq} }

// Details interns details by their bytes, so that the facts of all patients share the few there are.
// It holds at most a fixed number and starts again when full; what it gave out stays valid. It is safe
// for concurrent use.
type Details struct {
	mu    sync.RWMutex
	most  int
	known map[string]*clinical.Detail
}

// NewDetails makes a table of at most the given number of details.
func NewDetails(most int) *Details {
	return &Details{most: max(most, 1), known: make(map[string]*clinical.Detail)}
}

// Decode returns the detail that these bytes (of clinical.Detail.AppendTo) encode. The bytes are not kept.
func (t *Details) Decode(b []byte) (*clinical.Detail, error) {
	t.mu.RLock()
	d := t.known[string(b)]
	t.mu.RUnlock()
	if d != nil {
		return d, nil
	}
	d, err := clinical.UnmarshalDetail(b)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if held := t.known[string(b)]; held != nil {
		return held, nil
	}
	if len(t.known) >= t.most {
		clear(t.known)
	}
	t.known[string(b)] = d
	return d, nil
}
