// Package clinical is the vocabulary that every other package shares: instants, codes, facts,
// assertions and the records of the facts log.
//
// A resource (FHIR, or a compact observation) becomes an Assertion: "resource X, version V, now
// states exactly these facts". A Record is what one entry of the facts log holds: the assertions of
// one event about one patient, or a control record (a tick, a rule-set activation). The values here
// are plain data: nothing in this package reads a clock, does I/O or logs. Values may be shared by any
// number of goroutines as long as nobody changes them; by convention nobody does once they are built.
package clinical
