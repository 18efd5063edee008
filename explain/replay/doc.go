// Package replay follows the facts log with the reference evaluator: it finds every transition by
// itself, explains it, and answers why, and why not, of any instant as known at any position.
package replay
