package record

import (
	"encoding/json"
	"fmt"
	"slices"
)

// BreakReason says in which way a chain does not hold at an explanation.
type BreakReason string

const (
	Altered   BreakReason = "altered"   // its hash does not fit its content, or it cannot be read at all
	Broken    BreakReason = "broken"    // its Previous is not the Hash of the one before; at the end: the last Hash is not the head
	Gap       BreakReason = "gap"       // its Sequence is not the one after that of the one before
	Truncated BreakReason = "truncated" // the chain ends before its head
)

// Break is one place at which a chain does not hold. ID and Position are as the explanation there has
// them, so that they are worth no more than it; for what is found at the end they are those of the last
// one, and for what cannot be read they are empty.
type Break struct {
	Patient  string      `json:"patient"`
	Sequence int64       `json:"sequence"` // of the explanation; at the end, of the head
	ID       string      `json:"id,omitempty"`
	Position string      `json:"position,omitempty"` // Known.Position
	Reason   BreakReason `json:"reason"`
}

// Error says where the chain breaks, without naming the patient.
func (b *Break) Error() string {
	what := map[BreakReason]string{
		Altered:   "it was altered: its hash does not fit its content",
		Broken:    "the hash before it is not the one that it was chained to",
		Gap:       "its number does not follow the one before it",
		Truncated: "the chain ends before it",
	}[b.Reason]
	if b.Position == "" {
		return fmt.Sprintf("explanation %d: %s", b.Sequence, what)
	}
	return fmt.Sprintf("explanation %d, position %s: %s", b.Sequence, b.Position, what)
}

// Unwrap is ErrAltered or ErrBroken.
func (b *Break) Unwrap() error {
	if b.Reason == Altered {
		return ErrAltered
	}
	return ErrBroken
}

// Verifier walks the chain of one patient's explanations, in order of Sequence, and notes every break
// in it. After one it goes on, comparing only what can still be relied on. The zero Verifier takes a
// chain from any explanation on, as in an export of a part, and takes the first one's Previous on trust.
// It is for one goroutine.
type Verifier struct {
	Patient string // whose chain it is; "": the first explanation says it
	Whole   bool   // the chain must begin with the patient's first explanation

	count  int64
	part   bool   // it did not begin with the first
	last   Break  // names the explanation before, without a reason
	hash   string // of the explanation before
	sound  bool   // whether hash can be relied on
	breaks []Break
}

// Next takes the next explanation. It returns a *Break when the chain does not hold at it, of the first
// reason that applies of altered, gap and broken. One of another patient is broken.
func (v *Verifier) Next(e *Explanation) error {
	if v.count == 0 && e.Sequence == 1 {
		v.hash, v.sound = Genesis, true
	}
	if v.Patient == "" {
		v.Patient = e.Patient
	}
	due, previous, sound := v.due(e.Sequence), v.hash, v.sound
	here := Break{Sequence: e.Sequence, ID: e.ID, Position: e.Known.Position}
	v.count++
	v.last, v.hash, v.sound = here, e.Hash, true
	switch {
	case e.Check() != nil:
		// What it says of its place and its hash is worth no more than its content.
		v.last.Sequence, v.sound = due, false
		return v.note(here, Altered)
	case e.Sequence != due:
		return v.note(here, Gap)
	case sound && e.Previous != previous, e.Patient != v.Patient:
		return v.note(here, Broken)
	}
	return nil
}

// Unreadable takes the place of Next for stored bytes that Unmarshal refuses. It returns the *Break, of
// Reason Altered, with the number under which they were kept; a gap before it is noted besides.
func (v *Verifier) Unreadable(sequence int64) error {
	due := v.due(sequence)
	v.count++
	v.last, v.sound = Break{Sequence: sequence}, false
	if sequence != due {
		v.note(v.last, Gap)
	}
	return v.note(v.last, Altered)
}

// due is the number that the next explanation has to have, where its own is given.
func (v *Verifier) due(sequence int64) int64 {
	if v.count > 0 || v.Whole {
		return v.last.Sequence + 1
	}
	v.part = sequence > 1
	return max(1, sequence)
}

// End compares the chain with its head, where that is known from elsewhere: the Sequence and Hash of
// the patient's last explanation, 0 and "" when there is none. It returns a *Break, of Reason Truncated
// when explanations are missing at the end, Broken when the last one is not the head.
func (v *Verifier) End(sequence int64, head string) error {
	here := v.last
	here.Sequence = sequence
	switch {
	case v.last.Sequence < sequence:
		return v.note(here, Truncated)
	case v.last.Sequence > sequence, v.sound && v.hash != head:
		return v.note(here, Broken)
	}
	return nil
}

// Breaks is every break so far, in the order of the chain. The caller owns it.
func (v *Verifier) Breaks() []Break { return slices.Clone(v.breaks) }

func (v *Verifier) note(b Break, reason BreakReason) *Break {
	b.Patient, b.Reason = v.Patient, reason
	v.breaks = append(v.breaks, b)
	return &b
}

// Verification sums up what verifiers found.
type Verification struct {
	Patients     int64   `json:"patients"`
	Explanations int64   `json:"explanations"`
	Parts        int64   `json:"parts"`  // patients whose chain began after their first explanation: what lies before is taken on trust
	Breaks       []Break `json:"breaks"` // those of a patient together, in order
}

// Add counts the verifier's chain in. One that saw nothing and found nothing is not a patient.
func (r *Verification) Add(v *Verifier) {
	if v.count == 0 && len(v.breaks) == 0 {
		return
	}
	r.Patients++
	r.Explanations += v.count
	if v.part {
		r.Parts++
	}
	r.Breaks = append(r.Breaks, v.breaks...)
}

// Intact says that every chain held.
func (r *Verification) Intact() bool { return len(r.Breaks) == 0 }

// MarshalJSON writes the breaks as [] when there are none.
func (r Verification) MarshalJSON() ([]byte, error) {
	type plain Verification
	r.Breaks = list(r.Breaks)
	return json.Marshal(plain(r))
}
