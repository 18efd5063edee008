package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
)

// Load reads a patient as of the last commit. One that is not in memory is read with the series that its
// row needs and no others: then History is a part, and Patient.Complete is false. Any goroutine may call it.
func (p *Partition) Load(patient string) (*Patient, error) { return p.load(patient, false) }

// LoadAll is Load with the whole history.
func (p *Partition) LoadAll(patient string) (*Patient, error) { return p.load(patient, true) }

func (p *Partition) load(id string, complete bool) (*Patient, error) {
	if !legalPatient(id) {
		return unknown(id), nil
	}
	key := cacheKey{p.number, id}
	pt, commits := p.store.cache.get(key)
	if pt != nil && (pt.Complete() || !complete) {
		p.store.metrics.hits.Add(1)
		return pt, nil
	}
	if err := p.store.gate.enter(); err != nil {
		return nil, err
	}
	defer p.store.gate.leave()
	p.store.metrics.misses.Add(1)
	pt, err := p.scan(id, complete)
	if err != nil {
		return nil, err
	}
	// Whoever asks for ids that do not exist must not push out those that do.
	if pt.Known && !p.store.cache.put(key, pt, commits) {
		p.store.metrics.refused.Add(1)
	}
	return pt, nil
}

// scan reads a patient with one iterator, which sees one state of the database throughout.
func (p *Partition) scan(id string, complete bool) (pt *Patient, err error) {
	prefix := appendPatientPrefix(make([]byte, 0, len(id)+32), p.number, id)
	lower := append(prefix, partMeta)
	upper := append(append(make([]byte, 0, len(prefix)+1), prefix...), partResource)
	it, err := p.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, fault("read", p.number, familyPatient, err)
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			pt, err = nil, fault("read", p.number, familyPatient, e)
		}
	}()
	pt = unknown(id)
	valid := it.First()
	if valid && it.Key()[len(prefix)] == partMeta {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, fault("read", p.number, partMeta, err)
		}
		meta, ok := decodeMeta(value)
		if !ok {
			return nil, corrupt(p.number, partMeta, nil)
		}
		pt.Known, pt.Meta = true, meta
		valid = it.Next()
	}
	if valid && it.Key()[len(prefix)] == partRow {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, fault("read", p.number, partRow, err)
		}
		if pt.Row, err = pointer.DecodeRow(value); err != nil {
			return nil, corrupt(p.number, partRow, err)
		}
		valid = it.Next()
	}
	r := chunkReader{p: p, it: it, prefix: len(prefix) + 1, valid: valid}
	switch {
	case complete:
		r.all()
	default:
		pt.partial = true
		if pt.Row != nil {
			seek := append(append(make([]byte, 0, len(prefix)+9), prefix...), partFacts)
			r.some(pt.Row.Streams(), seek)
		}
	}
	if r.err == nil {
		r.err = it.Error()
	}
	if r.err != nil {
		if errors.Is(r.err, ErrCorrupt) {
			return nil, r.err
		}
		return nil, fault("read", p.number, partFacts, r.err)
	}
	if len(r.series) > 0 {
		pt.History = pointer.NewHistory(r.series...)
	}
	return pt, nil
}

// chunkReader reads the series of a patient off an iterator.
type chunkReader struct {
	p      *Partition
	it     *pebble.Iterator
	prefix int // the length of a key up to and with partFacts
	valid  bool
	series []*pointer.Series
	err    error
}

func (r *chunkReader) all() {
	for r.valid && r.err == nil {
		r.one()
	}
}

// some reads only the series named, ascending. The iterator walks on to a series that is adjacent and
// seeks otherwise. seek is the key of the patient's facts, with room for a stream.
func (r *chunkReader) some(ids []clinical.StreamID, seek []byte) {
	for _, id := range ids {
		if r.err != nil || !r.valid {
			return
		}
		at, _, ok := r.key()
		if !ok {
			return
		}
		if at < id {
			r.valid = r.it.SeekGE(binary.BigEndian.AppendUint64(seek, uint64(id)))
			if !r.valid {
				return
			}
			if at, _, ok = r.key(); !ok {
				return
			}
		}
		if at == id {
			r.one()
		}
	}
}

// key reads the iterator's present key.
func (r *chunkReader) key() (clinical.StreamID, pointer.Fence, bool) {
	k := r.it.Key()
	if len(k) > r.prefix && k[r.prefix-1] == partFacts {
		if id, f, ok := chunkOf(k[r.prefix:]); ok {
			return id, f, true
		}
	}
	r.err = corrupt(r.p.number, partFacts, nil)
	return 0, pointer.Fence{}, false
}

// one reads the series that the iterator is at, and leaves it at the next.
func (r *chunkReader) one() {
	id, fence, ok := r.key()
	if !ok {
		return
	}
	stream, known := r.p.stream(id)
	if !known {
		r.err = corrupt(r.p.number, familyDictionary, fmt.Errorf("stream %x is missing", uint64(id)))
		return
	}
	s := &pointer.Series{ID: id, Stream: stream}
	for {
		value, err := r.it.ValueAndErr()
		if err != nil {
			r.err = err
			return
		}
		c, err := pointer.DecodeChunk(fence, value, r.p.store.details)
		if err != nil {
			r.err = corrupt(r.p.number, partFacts, err)
			return
		}
		s.Chunks = append(s.Chunks, c)
		if r.valid = r.it.Next(); !r.valid {
			break
		}
		var next clinical.StreamID
		if next, fence, ok = r.key(); !ok {
			return
		}
		if next != id {
			break
		}
	}
	r.series = append(r.series, s)
}
