package archive

import "github.com/vigil-cds/vigil/internal/clinical"

// State is where a partition stands. What stands in it moves in one batch with what it stands for. It is
// only to be read.
type State struct {
	// The machine's part.
	Facts       int64            // offset of the last facts record that was followed; -1 before the first
	Events      int64            // offset of the last events record that one of them answers; -1 before the first
	Clock       clinical.Instant // the partition clock there; Never before the first
	Activations []Activation     // of rule sets, in the order of the log
	Sweeping    bool             // patients are being brought past the last activation
	Sweep       string           // those up to this id have been
	Followed    clinical.Instant // every patient has been followed at least to here
	Outbox      uint64           // number of the next explanation to be published
	Explained   int64            // transitions explained

	// The auditor's part.
	Alerts  int64 // offset of the next record of the alerts topic to read
	Matched int64 // transitions that the engine and the machine agree on
}

// Activation is a rule set becoming active.
type Activation struct {
	Offset int64
	At     clinical.Instant // the partition clock
	Hash   string
}

// Patient is what is kept of a patient besides the history and the explanations.
type Patient struct {
	ID       string
	Facts    int64            // offset of the last own record, or activation, that the patient is past; -1
	Clock    clinical.Instant // the patient is followed to here
	RuleSet  string           // under which the standing rules stand; "" before the first
	Standing []Standing       // the rules that are true, by rule
	Due      clinical.Instant // when time alone may change something; Forever: never
	Sequence int64            // of the last explanation; 0 before the first
	Head     [32]byte         // its hash
	Records  int64            // how many records of the facts log are about the patient
}

// Standing is a rule that is true.
type Standing struct {
	Rule     string
	Since    clinical.Instant
	Severity uint8
	Sequence int64 // of the explanation that says why
}

// Entry is an explained transition. Data is its stored form, valid during the call that gives it.
type Entry struct {
	Sequence int64
	At       clinical.Instant
	ID       string
	Data     []byte
}

// Mark is one side of a transition that the audit has yet to match: explained and no alert seen, or an
// alert and no explanation seen.
type Mark struct {
	ID      string
	Patient string
	Facts   int64            // offset up to which the facts log was followed when it was marked
	At      clinical.Instant // of the transition
	Data    []byte           // the alert as it came; nil for an explanation, which is found by its ID
}

// Divergence is a transition on which the engine and the machine disagree.
type Divergence struct {
	Number uint64
	Rule   string
	Data   []byte
}
