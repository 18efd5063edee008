package api

import "sync"

// recent remembers whose the resources are that this service wrote lately, so that a DELETE which comes
// before the store has seen its resource still finds the patient. It holds between perGeneration and
// twice as many.
type recent struct {
	mu       sync.Mutex
	now, old map[string]string // resource → patient
}

const perGeneration = 1 << 15

func (r *recent) put(resource, patient string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil || len(r.now) >= perGeneration {
		r.old, r.now = r.now, make(map[string]string, perGeneration/8)
	}
	r.now[resource] = patient
}

func (r *recent) get(resource string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	patient, ok := r.now[resource]
	if !ok {
		patient, ok = r.old[resource]
	}
	return patient, ok
}
