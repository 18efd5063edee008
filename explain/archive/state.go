package archive

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// State is where a partition stands. Everything in it moves in one batch with what it stands for.
type State struct {
	Facts       int64            // offset of the last facts record followed; -1 before the first
	Events      int64            // offset of the last events record answered by one of them; -1 before the first
	Clock       clinical.Instant // partition clock there; clinical.Never before the first
	Activations []Activation     // of rule sets, in order of the log; not to be changed
	Sweep       string           // patients up to this id have been brought past the last activation; meaningful while Sweeping
	Sweeping    bool
	Followed    clinical.Instant // every patient has been followed at least to here; clinical.Never at first
	Missing     []clinical.Gap   // events before Events whose facts record has not come (see clinical.Answered)
	Explained   int64            // transitions explained so far
	Outbox      uint64           // number that the next outgoing explanation gets; kept by Batch.Explain

	Alerts  int64 // offset of the next record of the alerts partition to read; the auditor's
	Matched int64 // transitions explained that were matched with an alert; the auditor's
}

// Activation is a rule set becoming the one in force.
type Activation struct {
	Offset int64            // of its record
	At     clinical.Instant // partition clock there
	Hash   string           // of the set
}

func initialState() *State {
	return &State{Facts: -1, Events: -1, Clock: clinical.Never, Followed: clinical.Never}
}

// appendMachine appends the machine's half.
func (s *State) appendMachine(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, s.Facts)
	b = binary.AppendVarint(b, s.Events)
	b = binary.AppendVarint(b, int64(s.Clock))
	b = binary.AppendUvarint(b, uint64(len(s.Activations)))
	for _, a := range s.Activations {
		b = binary.AppendVarint(b, a.Offset)
		b = binary.AppendVarint(b, int64(a.At))
		b = appendString(b, a.Hash)
	}
	b = appendString(b, s.Sweep)
	sweeping := byte(0)
	if s.Sweeping {
		sweeping = 1
	}
	b = append(b, sweeping)
	b = binary.AppendVarint(b, int64(s.Followed))
	b = binary.AppendVarint(b, s.Explained)
	b = binary.AppendUvarint(b, s.Outbox)
	for _, g := range s.Missing { // hardly ever any
		b = binary.AppendVarint(b, g.First)
		b = binary.AppendVarint(b, g.Last)
	}
	return b
}

// decodeMachine sets the machine's half.
func (s *State) decodeMachine(b []byte) bool {
	d := decode(b)
	s.Facts, s.Events, s.Clock = d.varint(), d.varint(), d.instant()
	if n := d.count(); n > 0 {
		s.Activations = make([]Activation, n)
		for i := range s.Activations {
			s.Activations[i] = Activation{Offset: d.varint(), At: d.instant(), Hash: d.string()}
		}
	}
	s.Sweep, s.Sweeping = d.string(), d.byte() != 0
	s.Followed, s.Explained, s.Outbox = d.instant(), d.varint(), d.uvarint()
	s.Missing = nil
	for len(d.b) > 0 && !d.bad {
		s.Missing = append(s.Missing, clinical.Gap{First: d.varint(), Last: d.varint()})
	}
	return d.done()
}

// appendAuditor appends the auditor's half.
func (s *State) appendAuditor(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, s.Alerts)
	return binary.AppendVarint(b, s.Matched)
}

// decodeAuditor sets the auditor's half.
func (s *State) decodeAuditor(b []byte) bool {
	d := decode(b)
	s.Alerts, s.Matched = d.varint(), d.varint()
	return d.done()
}

// State is the state as of the last commit.
func (p *Partition) State() State { return *p.state.Load() }

// Wait returns when State().Facts is at least this offset. When ctx ends first it returns ErrNotReached
// with the cause of that; when the archive is closed first, ErrClosed.
func (p *Partition) Wait(ctx context.Context, facts int64) error {
	for p.state.Load().Facts < facts {
		moved := p.nextMove()
		if p.state.Load().Facts >= facts {
			return nil
		}
		select {
		case <-moved:
		case <-p.archive.closing:
			return ErrClosed
		case <-ctx.Done():
			if at := p.state.Load().Facts; at < facts {
				return fmt.Errorf("%w: partition %d is at facts record %d: %w", ErrNotReached, p.number, at, context.Cause(ctx))
			}
			return nil
		}
	}
	return nil
}

// nextMove is closed when the state changes next.
func (p *Partition) nextMove() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moved == nil {
		p.moved = make(chan struct{})
	}
	return p.moved
}

// publish changes the state that readers see, and wakes those who wait for it.
func (p *Partition) publish(change func(*State)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := *p.state.Load()
	change(&next)
	p.state.Store(&next)
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}
