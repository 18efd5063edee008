package replay

import (
	"errors"
	"fmt"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Question asks why a rule is as it is of a patient.
type Question struct {
	Patient string
	Rule    string

	// Period is when the one begins that is asked about, of a rule that holds for each period of an input; nil: the
	// latest that has begun.
	Period *clinical.Instant

	At          clinical.Instant // the instant that is asked about; used when HasAt is set, else Desk's own now
	HasAt       bool
	Known       Known  // as known when; the zero Known is everything that the archive has
	Set         string // hash of a rule set that was active at some time, or its first 8 or more digits; "": the one active at Known
	Facts       int    // most facts shown of one term's window; 0 is DefaultFacts
	MinPosition int64  // wait until the archive has this offset of the patient's partition, plus 1; 0 waits for nothing
}

// DefaultFacts is how many facts of one term's window an explanation shows when nobody says.
const DefaultFacts = 1000

// Known says what of the log an answer may know. At most one of the fields is set.
type Known struct {
	Time   *clinical.Instant // every record of the patient's partition up to this instant of the partition clock
	Facts  *int64            // every record up to this offset of the facts log
	Events *int64            // every record up to the one that answers this offset of the events log
}

// What a Desk returns when a question has no answer. Each is wrapped with what was asked; none names the
// patient.
var (
	ErrUnknownPatient = errors.New("the log has said nothing about this patient")
	ErrUnknownRule    = errors.New("the rule set has no such rule")
	ErrBeforeBirth    = errors.New("the instant is before the patient's birth")
	ErrNotYetKnown    = errors.New("that position of the log, or time, is not reached")
	ErrNoRuleSet      = errors.New("no rule set was active then")
	ErrUnknownRuleSet = errors.New("no such rule set was ever active")
	ErrUnknownPeriod  = errors.New("the patient has no such period")
	ErrNotReached     = errors.New("the position was not reached in time")
)

// UnknownRule is the error for a rule that the set does not have. It is ErrUnknownRule.
type UnknownRule struct {
	Rule    string
	Nearest string   // the id that it may have been meant to be; "" when none is near
	Sets    []string // hashes of other rule sets, active at other times, that have the rule
}

// UnknownPeriod is the error for a period that does not begin when the question says. It is ErrUnknownPeriod.
type UnknownPeriod struct {
	Input string // whose periods the rule holds for; "" where it holds for the patient
}

// Error says what there is instead.
func (e *UnknownPeriod) Error() string {
	if e.Input == "" {
		return ErrUnknownPeriod.Error() + ": the rule holds for the patient; ask without a period"
	}
	return fmt.Sprintf("%s: no %s begins at that instant", ErrUnknownPeriod, e.Input)
}

// Unwrap implements errors.Is.
func (e *UnknownPeriod) Unwrap() error { return ErrUnknownPeriod }

// Progress is how far the explanations of one partition have come.
type Progress struct {
	Partition int32      `json:"partition"`
	Facts     int64      `json:"facts"`           // offset up to which the log is explained; -1: nothing yet
	End       int64      `json:"end"`             // offset of the log's last record as far as is known; -1: none
	Clock     *time.Time `json:"clock,omitempty"` // the partition clock there
	Pending   int64      `json:"pending"`         // transitions not yet matched with alerts, either way round
}

// Error says what is wrong and what may have been meant.
func (e *UnknownRule) Error() string {
	text := ErrUnknownRule.Error() + ": " + e.Rule
	if e.Nearest != "" {
		text += "; did you mean " + e.Nearest + "?"
	}
	return text
}

// Unwrap implements errors.Is.
func (e *UnknownRule) Unwrap() error { return ErrUnknownRule }
