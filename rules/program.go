package rules

import (
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/ucum"
)

// Program is a compiled rule set. It is immutable: any number of goroutines may use one at the same
// time, and nothing it returns may be changed.
type Program struct {
	Hash   string // of the set's content, value sets included, hex; names it in the log, in rows and in answers
	Zone   *time.Location
	Units  map[string]string // the site's unit spellings, as given to Compile
	Inputs []*Input          // Inputs[0] is always the patient's own stream
	Terms  []*Term
	Atoms  []*Atom
	Rules  []*Rule
	// Parameters is what the packs let a site set, by pack and as they stand there, with what is in force.
	Parameters []*Parameter
	// ValueSets are those of the packs and of the files, used or not, by name, url and version.
	ValueSets []*ValueSet

	rulesOfInput [][]int32 // input → rules that a fact of it can change
	index        inputIndex
	candidates   inputIndex // of derived inputs
	derived      []int32
	packs        []string
	named        map[string]map[string]*Input // pack → name of the pack's own → input
}

// Input is a named filter over facts.
type Input struct {
	ID    int
	Pack  string
	Name  string
	Kind  clinical.Kind
	Codes map[clinical.Code]struct{} // nil: every code of the kind
	Type  clinical.ValueType         // what its value terms speak of: Number (the usual), Coded, Boolean, Text
	Unit  string                     // UCUM; "" takes numbers as they are
	// Substance is what the input declares of the substance it measures (`molar_mass`, `valence`), by which
	// numbers in a mass, an amount or equivalents are converted to Unit.
	Substance ucum.Substance
	ValueSets []*ValueSet // that Codes were taken from by name, in the order written; none where the input lists all itself
	Where     []Expr      // all must be true of the fact; from the outermost input inwards

	// Filter is the condition with which a term picks from the facts of the input of this Name, as in
	// `creatinine.last('48h', value >= 1.5)`: then this is the input of those. "" for one that a pack names.
	Filter string

	// Terms are what Where asks of other inputs and of the patient, at the time of the fact: with any, the
	// input is derived. Which facts belong to it depends on other facts, and is settled when data arrives.
	// The engine keeps the facts that do in streams of clinical.KindDerived, with the code Settled: see SettledIn.
	Terms   []*Term
	Settled clinical.Code

	accept accept // Where and the unit, compiled
}

// Atom is a boolean expression over terms that and, or, not and at-least do not split further.
// Equal atoms are shared by all rules of a program.
type Atom struct {
	ID     int
	Terms  []int // indices into Program.Terms, ascending, unique
	Each   int   // the input of whose periods it is asked, where it has a term that is; else 0
	Expr   Expr  // as written: what the reference evaluator reads
	Source string

	// Elapsed is the index of the one term of this atom that changes with every millisecond
	// (hours_since, days_since), or -1. The compiler admits such a term only as one side of < <= > or >=
	// (perhaps under ??), so that between two events the atom turns over at most once.
	Elapsed int
	// Threshold is set when the atom is a comparison of one Count term with a constant, so that its
	// horizon can be exact.
	Threshold *Threshold

	code code
}

// Threshold says that an atom is `term op constant`.
type Threshold struct {
	Term     int
	Op       string // < <= > >= == !=
	Constant float64
}

// NodeKind says how a tree node combines its children.
type NodeKind uint8

const (
	NodeAtom NodeKind = iota
	NodeAnd
	NodeOr
	NodeNot
	NodeAtLeast
	NodeConst
)

// Node is one node of a rule's tree.
type Node struct {
	Kind  NodeKind
	Atom  int   // NodeAtom: index into Program.Atoms
	N     int   // NodeAtLeast
	Const Truth // NodeConst
	Kids  []*Node
}

// Severity orders alerts.
type Severity uint8

const (
	Info Severity = iota
	Warning
	Critical
)

// String is the word that packs use.
func (s Severity) String() string { return [...]string{"info", "warning", "critical"}[s] }

// Rule is one compiled rule.
type Rule struct {
	Index    int // its place in Program.Rules, which are sorted by ID
	ID       string
	Pack     string
	Version  int
	Title    string
	Severity Severity
	Source   string // the guideline
	Tags     []string
	// Each is the input for each of whose periods the rule holds by itself: an index into Program.Inputs. 0, the
	// patient's own stream, is a rule that holds for the patient. See Period.
	Each    int
	When    Expr  // the whole condition as written: what the reference evaluator reads
	Tree    *Node // the same, split at and/or/not/at-least into shared atoms
	Atoms   []int // every atom of Tree, ascending, unique
	Terms   []int // every term of When, ascending, unique: the values an alert shows
	Message *Message
	File    string // where it is written
	Line    int
	// Parameters is those that the rule uses, itself or through an input, a score or another rule, each once.
	Parameters []*Parameter
}

// Message is a rule's text with terms in {{ }}.
type Message struct {
	Source string
	Terms  []int // ascending, unique
	parts  []messagePart
	zone   *time.Location
}
