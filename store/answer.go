package store

import (
	"time"

	"github.com/vigil-cds/vigil/rules"
)

// Answer is what holds for one patient at one instant, as of one position of the log.
type Answer struct {
	Patient    string       `json:"patient"`
	Known      bool         `json:"known"`           // false: the log has said nothing about this patient
	Now        time.Time    `json:"now"`             // the instant asked about
	Position   string       `json:"position"`        // of the facts log: "f3.812" is partition 3, offset 812
	AsOf       *time.Time   `json:"asOf"`            // the partition clock at that position; null before the first record
	ValidUntil *time.Time   `json:"validUntil"`      // the first instant at which this could differ if nothing new came; null: never
	RuleSet    string       `json:"ruleSet"`         // hash of the active rule set, "" before the first activation
	Alerts     []Alert      `json:"alerts"`          // the rules that are true: most severe first, then by rule
	Unknown    []Unknown    `json:"unknown"`         // the rules that missing data leaves open, by rule
	Rules      []Standpoint `json:"rules,omitempty"` // with All: every rule's truth, by rule

	// Copy says that the answer comes from a copy of the patient's partition, because its owner could not be
	// asked; nil: from the owner. A Reader leaves it out; whoever knows who owns the partition sets it.
	Copy *Copy `json:"copy,omitempty"`
}

// Copy is how far behind its log a copy was when it last heard of the log's end.
type Copy struct {
	Behind int64     `json:"behind"` // records of the facts log
	Heard  time.Time `json:"heard"`
}

// Alert is a rule that is true of the patient, or of one of the patient's periods: then ForEach names the input
// and Period is when it begins.
type Alert struct {
	Rule     string                 `json:"rule"`
	Version  int                    `json:"version"`
	Title    string                 `json:"title"`
	Severity string                 `json:"severity"`
	Source   string                 `json:"source,omitempty"`
	Truth    string                 `json:"truth"`
	ForEach  string                 `json:"forEach,omitempty"`
	Period   *time.Time             `json:"period,omitempty"`
	Since    *time.Time             `json:"since"` // when the episode began; null when asked about a past that the store no longer orders
	Message  string                 `json:"message,omitempty"`
	Values   map[string]rules.Value `json:"values"`
}

// Unknown is a rule that cannot be decided, and the terms that had nothing to answer with.
type Unknown struct {
	Rule    string     `json:"rule"`
	Title   string     `json:"title"`
	Period  *time.Time `json:"period,omitempty"` // see Alert
	Missing []string   `json:"missing"`
}

// Standpoint is one rule's truth. A rule that holds for each period of an input has one for each period that has
// begun and that data has not settled as false, or one without a period where there is none such.
type Standpoint struct {
	Rule       string     `json:"rule"`
	Version    int        `json:"version"`
	Period     *time.Time `json:"period,omitempty"`
	Truth      string     `json:"truth"`
	ValidUntil *time.Time `json:"validUntil"`
}
