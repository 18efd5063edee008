// Package equivalence holds the engine to the reference evaluator. It draws a random rule pack and a
// random history of assertions, plays it through the state machine into a store, and compares every
// answer of the read path with the oracle's: the truth of each rule, the value of each term, the
// instant until which the answer holds, and the transitions that the machine staged. A case that
// differs is shrunk to the smallest that still does and written as a file that can be run again.
package equivalence
