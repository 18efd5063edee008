// Package pointer folds a patient's facts into a row and reads a row back at any later instant.
//
// When data arrives, Fold evaluates every rule that the data can change at the partition clock, each
// part with the instant until which it holds if nothing new comes. A part that holds for ever is
// settled: a constant. A part that only time will change is live: the row keeps its atoms, and for each
// term of a live atom a Pointer, which is either the term's settled value or the series in which its
// facts lie. Evaluate resolves the live atoms at a reader's instant, from the same facts, and says how
// long its answer holds.
//
// "Holds until" (a horizon) is the first instant at which a value could differ if nothing new arrived.
// It is exact for exists, last, first, the times, ages, active and a count compared with a constant, and
// for min and max as long as no fact carries a comparator; it may be early for the others, and it is
// never late.
//
// The package is pure: no clock, no I/O, no logs, no metrics. Chunk, Series, History, Row and Plan are
// immutable once built and may be shared by any number of goroutines.
package pointer
