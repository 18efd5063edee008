// Package bench measures an engine on the ward workload: what it takes in a second until it can be
// read, how long a read takes, and what it keeps. No figure counts unless every answer is the one that
// the rules written by hand give.
package bench
