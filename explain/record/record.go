// Package record is what an explanation is: one value, complete in itself, that says why a rule was
// true, false or unknown of a patient at an instant, on which facts, as known at which position of the
// log. It needs neither the log nor the rules to be read again.
//
// Everything else is a function over it: its JSON (schema.json), its stored form in protobuf
// (explanation.proto), its hash in the patient's chain (chain.go), and in package render its text, its
// page and its sentence.
package record

import (
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Schema is the number of this form of explanations. It grows when a reader of the old one would
// misread the new one.
const Schema = 1

// Kind says what an explanation explains.
type Kind string

const (
	Fired   Kind = "fired"   // the rule became true
	Cleared Kind = "cleared" // it ceased to be true
	Answer  Kind = "answer"  // somebody asked
)

// Explanation says why. It is a plain value: whoever holds one may change it, and none is shared.
type Explanation struct {
	Schema  int     `json:"schema"`
	Kind    Kind    `json:"kind"`
	ID      string  `json:"id,omitempty"` // of a transition: as in alerts
	Patient string  `json:"patient"`
	Rule    Rule    `json:"rule"`
	RuleSet RuleSet `json:"ruleSet"`

	At     Instant  `json:"at"`               // the instant that is explained
	Truth  Truth    `json:"truth"`            // of the rule at At
	Before Truth    `json:"before,omitempty"` // of a transition: just before it
	Since  *Instant `json:"since,omitempty"`  // of a transition: when the episode that it begins or ends began
	Cause  *Cause   `json:"cause,omitempty"`  // of a transition
	Known  Known    `json:"known"`            // what of the log was known

	Message  string `json:"message,omitempty"` // what the rule says to a clinician, when it is true
	Tree     *Node  `json:"tree"`              // the whole condition
	Terms    []Term `json:"terms"`             // every question that the condition and the message ask, once
	Facts    []Fact `json:"facts"`             // every fact that a term shows, once, in order of clinical time
	Suffices []int  `json:"suffices"`          // a smallest set of Facts on which alone the rule is as it is: none of them can be left out

	Missing []Missing `json:"missing,omitempty"` // of an answer that is unknown: what would be needed
	Miss    *Miss     `json:"miss,omitempty"`    // of an answer that is false: what kept the rule from being true
	Next    *Next     `json:"next,omitempty"`    // of an answer: when time alone changes it; nil: nothing but new data does

	Sequence int64   `json:"sequence,omitempty"` // of a transition: its number among the patient's, from 1
	Previous string  `json:"previous,omitempty"` // of a transition: the Hash of the patient's one before; of the first: Genesis
	Period   *Period `json:"period,omitempty"`   // that it is about, of a rule that holds for each period of an input
	Hash     string  `json:"hash,omitempty"`     // of a transition: SHA-256 in hex over everything else; see chain.go
}

// Rule names a rule in one version.
type Rule struct {
	ID       string `json:"id"`
	Pack     string `json:"pack"`
	Version  int    `json:"version"`
	Title    string `json:"title"`
	Severity string `json:"severity"` // info, warning, critical
	Source   string `json:"source,omitempty"`
	When     string `json:"when"` // the condition in its canonical form
}

// RuleSet names the rules in force, with everything besides the rules that decides what they mean.
type RuleSet struct {
	Hash      string     `json:"hash"`
	Activated *Instant   `json:"activated,omitempty"` // the partition clock at its activation
	Position  string     `json:"position,omitempty"`  // of its activation: "f3.0"
	Zone      string     `json:"zone"`                // in which days and months are counted
	ValueSets []ValueSet `json:"valueSets,omitempty"`
	// Parameters is those that the rule uses, with what was in force.
	Parameters []Parameter `json:"parameters,omitempty"`
}

// Parameter is a value of a pack that a site may set.
type Parameter struct {
	Name    string `json:"name"`
	Pack    string `json:"pack"`
	Title   string `json:"title,omitempty"`
	Value   Value  `json:"value,omitzero"` // in force; a length of time is a text such as "48h"
	Default Value  `json:"default,omitzero"`
	Unit    string `json:"unit,omitempty"`
	Site    bool   `json:"site,omitempty"` // whether the site set it
}

// ValueSet names a list of codes that an input of the rule was given by name, as it was then.
type ValueSet struct {
	Name    string `json:"name"`
	URL     string `json:"url,omitempty"`
	Version string `json:"version,omitempty"` // as its author numbers it; "" for a list in the pack itself
	Codes   int    `json:"codes"`             // how many
	Hash    string `json:"hash"`              // SHA-256, in hex, of its codes in order, each ended by a line feed
}

// CauseKind says what made a transition happen.
type CauseKind string

const (
	CauseFact       CauseKind = "fact"       // a record about the patient
	CauseTime       CauseKind = "time"       // nothing but the passing of time
	CauseActivation CauseKind = "activation" // a change of the rules
)

// Cause is what made a transition happen.
type Cause struct {
	Kind     CauseKind `json:"kind"`
	Position string    `json:"position,omitempty"` // of the record (fact, activation): "f3.812"
	Facts    []Fact    `json:"facts,omitempty"`    // of a fact: what the record newly states, as far as the rule asks for it
	Gone     []Fact    `json:"gone,omitempty"`     // and what it retracted or corrected
}

// Known says what of the log was known: every record of the patient's partition up to Position.
type Known struct {
	Position string  `json:"position"` // "f3.812"
	Clock    Instant `json:"clock"`    // the partition clock there
}

// Period is a stretch of time that a rule with `for_each` holds for by itself. It is known by its start.
type Period struct {
	Input string  `json:"input"`
	Pack  string  `json:"pack,omitempty"`
	Start Instant `json:"start"`
	End   Instant `json:"end"`   // the last instant of it; Ongoing while it goes on
	Facts []int   `json:"facts"` // those that make it, by their places in Explanation.Facts; none of a period that is no more
}

// Node is one part of the condition with what it came to. Its Kids are its operands in order.
type Node struct {
	Op      string `json:"op"`              // "and" "or" "not" "all" "any" "none" "at_least" "==" … ">=" "+" "-" "*" "/" "??" "?:" "in" "same_day" "age_at" "age_months_at", "term", "literal", "constant", "parameter", "table", "score", "points" (an item of a score), "rule"
	Source  string `json:"source"`          // as a pack would write it
	N       int    `json:"n,omitempty"`     // at_least
	Boolean bool   `json:"boolean"`         // whether it is a condition, so that Truth says something
	Truth   Truth  `json:"truth,omitempty"` // of a condition
	Value   Value  `json:"value,omitzero"`  // what it came to
	Term    int    `json:"term"`            // of a term: its place in Explanation.Terms; else -1
	Decides bool   `json:"decides"`         // whether it is on the path that made the whole what it is
	Kids    []Node `json:"kids,omitempty"`
	// Of a score and of its items: the fewest and the most points that are possible, as far as is known.
	Least    *float64 `json:"least,omitempty"`
	Greatest *float64 `json:"greatest,omitempty"`
}

// Term is one question, its answer, and what it saw.
type Term struct {
	Source string  `json:"source"`           // "creatinine.min('7d')"
	Op     string  `json:"op"`               // "min"
	Input  string  `json:"input"`            // "creatinine"; "patient" for the patient's own person
	Pack   string  `json:"pack,omitempty"`   // of the input
	Unit   string  `json:"unit,omitempty"`   // of Value and of the facts' values here
	Where  string  `json:"where,omitempty"`  // the input's own filter
	Window *Window `json:"window,omitempty"` // nil where there is none to speak of: active, patient
	Value  Value   `json:"value,omitzero"`
	Saw    int     `json:"saw"`              // how many facts the window held
	Uses   []Use   `json:"uses"`             // those facts, in order of time; at most the limit asked for, those that decide always among them
	Latest *Use    `json:"latest,omitempty"` // when the window held none: the last fact before it
}

// Window is the stretch of clinical time that a term saw, both ends inside.
type Window struct {
	Text string   `json:"text"`           // "7d", "365d..8d"; "" for all of the past
	From *Instant `json:"from,omitempty"` // nil without a lower end
	To   Instant  `json:"to"`
}

// Use is one fact as a term saw it.
type Use struct {
	Fact  int   `json:"fact"`           // its place in Explanation.Facts
	Value Value `json:"value,omitzero"` // in the term's unit
}

// Fact is one fact with where it came from.
type Fact struct {
	Kind      string   `json:"kind"`               // "observation"
	Codes     []string `json:"codes"`              // "loinc|2160-0"
	Value     Value    `json:"value,omitzero"`     // as sent
	Unit      string   `json:"unit,omitempty"`     // as sent
	Status    string   `json:"status,omitempty"`   // the resource's
	Time      *Instant `json:"time,omitempty"`     // clinical; the start of a period; nil when it is not known
	End       *Instant `json:"end,omitempty"`      // the last instant of a period, Ongoing while it goes on; nil for a fact at an instant
	Precision string   `json:"precision"`          // millisecond, second, minute, day, month, year: how finely Time was stated
	Recorded  Instant  `json:"recorded"`           // when the log learned of it
	Resource  string   `json:"resource,omitempty"` // "Observation/123"; "" for a monitor's
	Version   string   `json:"version,omitempty"`  // the resource's versionId, or else its lastUpdated
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Index     int      `json:"index"` // its place among the facts of that record
}

// Missing says what kept a rule from being decided.
type Missing struct {
	Term   int    `json:"term"`             // in Explanation.Terms
	Reason string `json:"reason"`           // for a person: "no creatinine in 7d; the last is 9 days old"
	Latest *Fact  `json:"latest,omitempty"` // the last fact of the input before the window
}

// Miss says how near a false rule was to being true.
type Miss struct {
	Blockers []Blocker `json:"blockers"`         // the fewest atoms that would all have had to be otherwise
	Change   *Change   `json:"change,omitempty"` // the smallest single change found that makes the rule true; nil: none was found
}

// Blocker is an atom that kept the rule from being true.
type Blocker struct {
	Source    string   `json:"source"`
	Truth     Truth    `json:"truth"`
	Wanted    Truth    `json:"wanted"`             // what the rule needs it to be
	Value     Value    `json:"value,omitzero"`     // of a comparison: its left side
	Op        string   `json:"op,omitempty"`       // of a comparison
	Threshold Value    `json:"threshold,omitzero"` // of a comparison: its right side
	Distance  *float64 `json:"distance,omitempty"` // of a comparison of numbers: how far Value is from Threshold
	Relative  *float64 `json:"relative,omitempty"` // the same as a part of Threshold
	Unit      string   `json:"unit,omitempty"`
	Terms     []int    `json:"terms"`
	Gains     []Gain   `json:"gains,omitempty"` // of a score that is too small: the items that could add to it, the most first
}

// Gain is an item of a score that could give more points than it does.
type Gain struct {
	Source string  `json:"source"`
	Points float64 `json:"points"` // how many more
}

// ChangeKind says what kind of change would make a false rule true.
type ChangeKind string

const (
	Add    ChangeKind = "add"    // one more fact, at the instant asked about
	Remove ChangeKind = "remove" // one fact fewer
)

// Change is a change of one fact that was tried on the patient's facts and made the rule true.
type Change struct {
	Kind  ChangeKind `json:"kind"`
	Input string     `json:"input"`
	Value Value      `json:"value,omitzero"` // of an added fact, in the input's unit
	Unit  string     `json:"unit,omitempty"`
	Fact  *Fact      `json:"fact,omitempty"` // the one removed
	Text  string     `json:"text"`           // for a person: "a creatinine of 1.8 mg/dL or more now"
}

// Next is when time alone changes a rule's truth.
type Next struct {
	At    Instant `json:"at"`
	Truth Truth   `json:"truth"`
}

// Difference is what changed between two instants, or two states of knowledge, of one rule and patient.
type Difference struct {
	Earlier Explanation `json:"earlier"`
	Later   Explanation `json:"later"`
	Changes []Delta     `json:"changes"` // in the order of the condition, then of time
}

// Delta is one thing that differs.
type Delta struct {
	What   string `json:"what"`             // "rule", "atom", "term": its truth or value; "entered", "left": a fact of a term's window; "added", "retracted": a fact newly known, or known no more
	Source string `json:"source,omitempty"` // of the atom or term
	Before Value  `json:"before,omitzero"`
	After  Value  `json:"after,omitzero"`
	Fact   *Fact  `json:"fact,omitempty"`
}

// Instant is an instant that JSON writes as RFC 3339, with milliseconds where there are any.
type Instant clinical.Instant

// Ongoing is the end of what has not ended. JSON writes it as "ongoing".
const Ongoing = Instant(clinical.Forever)

// Truth is three-valued.
type Truth string

const (
	True    Truth = "true"
	False   Truth = "false"
	Unknown Truth = "unknown"
)

// TruthOf writes a rules.Truth.
func TruthOf(t rules.Truth) Truth { return Truth(t.String()) }

// Value is a rules.Value. JSON writes a number, a text and a boolean as themselves, a bounded number as
// {"comparator":"<","number":5} and a time as {"time":"2026-03-01T10:00:00Z"}, so that it can be read
// again as what it was; a missing one is left out.
type Value rules.Value

// IsZero says that the value is missing.
func (v Value) IsZero() bool { return v.Kind == rules.Missing }

// String writes the value for a reader, as rules.Value does.
func (v Value) String() string { return rules.Value(v).String() }
