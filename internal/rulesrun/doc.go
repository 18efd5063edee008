// Package rulesrun runs the test cases of package rulestest: through the engine (package pointer), as data
// arrives and time passes, and through the reference evaluator (package explain). A case passes when both
// say what it expects. Where the two differ, the fault is the engine's or the reference's and not the
// pack's; it is reported as such.
//
// What both are given of a history is the same: an explain.Ledger turns the records, whose newer versions
// replace older ones, into what is known. All that follows from it, each works out by itself.
//
// The package also says how much the cases of a rule show of it: which of its atoms they saw true, false
// and unknown (Coverage), and which small changes of the pack none of them notices (Mutate).
package rulesrun
