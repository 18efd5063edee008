// Package explain answers why a rule fired, or did not, independently of the engine.
//
// Its heart is the reference evaluator (Reference): the plainest reading of the language contract on
// package rules' page over all facts of one patient. It is meant to be checked against that page line
// by line, and it is what the engine is held to. It shares with the engine the parser (the rules.Expr
// tree, and a rules.Program's inputs and terms as plain data), the comparison of two values
// (rules.CompareValues) and the units of measure; nothing else. There is no folding, no pointer, no
// store, no cache and no calendar in common.
//
// Which sentence of the contract is read where:
//
//	facts and inputs    membership.go
//	windows and time    terms.go, calendar.go
//	terms               terms.go, person.go
//	expressions         expression.go
//	rules               reference.go, transitions.go
//
// What is said of a moment is an Explanation (package record), made in explanation.go: tree.go evaluates
// each part of the condition, suffices.go finds the fewest facts that are enough, and for who asks
// missing.go, miss.go, change.go and next.go say what is not known, what came nearest, what would change it,
// and when time will. A Course (course.go) follows one patient through the log from turn to turn.
//
// Around it: archive keeps what was known when, replay follows the log into it and answers questions,
// service is the role that does so beside the engine and audits it, render writes an explanation for people.
//
// What a patient's facts are, as known at some position of the log, is a History; a Ledger reads it off
// the log's assertions.
package explain
