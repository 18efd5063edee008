package record

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// The transitions of a patient are chained: each explanation carries the hash of the one before, and a
// hash over all of itself with that. Whoever changes, drops, inserts or reorders one afterwards has to
// write every later one anew, and the head that was noted elsewhere no longer fits.

// Genesis stands as the Previous of a patient's first explanation: 64 zeros, which no content hashes to.
const Genesis = "0000000000000000000000000000000000000000000000000000000000000000"

var (
	// ErrAltered is returned by Explanation.Check, and wrapped by a Break of that Reason: the content is
	// not what was hashed.
	ErrAltered = errors.New("record: the explanation was altered: its hash does not fit its content")

	// ErrBroken is wrapped by a Break of any other Reason: one or more explanations are not those that
	// were chained.
	ErrBroken = errors.New("record: the chain of explanations is broken")
)

// Seal makes e the sequence-th of its patient's explanations, counted from 1, after the one whose Hash
// is previous (Genesis for the first), and computes its Hash. A change of e afterwards breaks the seal.
func (e *Explanation) Seal(sequence int64, previous string) {
	e.AppendSealed(nil, sequence, previous)
}

// AppendSealed is Seal, and appends to b what Marshal then returns.
func (e *Explanation) AppendSealed(b []byte, sequence int64, previous string) []byte {
	e.Sequence, e.Previous, e.Hash = sequence, previous, ""
	from := len(b)
	b = e.appendTo(b)
	e.Hash = digest(b[from:])
	return e.appendHash(b)
}

// Check computes the hash again: ErrAltered when it is another. It holds of an explanation by itself,
// read from its stored form or from JSON. Only its place in the chain needs a Verifier.
func (e *Explanation) Check() error {
	open := *e
	open.Hash = ""
	if e.Hash != digest(open.Marshal()) {
		return ErrAltered
	}
	return nil
}

// digest is the SHA-256, in hex, of the stored form without a hash.
func digest(open []byte) string {
	sum := sha256.Sum256(open)
	return hex.EncodeToString(sum[:])
}
