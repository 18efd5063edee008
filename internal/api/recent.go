package api

import (
	"sync"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// recent remembers whose the resources are that this service wrote lately, so that a DELETE or another
// patient's version which comes before the store has seen its resource still finds the patient. It holds
// between perGeneration and twice as many.
type recent struct {
	mu       sync.Mutex
	now, old map[string]owned // by resource
}

type owned struct {
	patient string
	version clinical.Version
}

const perGeneration = 1 << 15

// put takes note of a version. One older than that known says nothing of whose the resource is now.
func (r *recent) put(resource, patient string, version clinical.Version) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if held, ok := r.find(resource); ok && version.Compare(held.version) == clinical.Older {
		return
	}
	if r.now == nil || len(r.now) >= perGeneration {
		r.old, r.now = r.now, make(map[string]owned, perGeneration/8)
	}
	r.now[resource] = owned{patient, version}
}

func (r *recent) get(resource string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held, ok := r.find(resource)
	return held.patient, ok
}

func (r *recent) find(resource string) (owned, bool) {
	held, ok := r.now[resource]
	if !ok {
		held, ok = r.old[resource]
	}
	return held, ok
}
