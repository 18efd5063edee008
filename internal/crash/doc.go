// Package crash holds the engine to its promise that a crash changes nothing.
//
// Power (power.go) plays a facts log through one partition's state machine on a disk in memory (disk.go)
// that loses its power again and again in the midst of a write, and keeps of what was not synced what
// chance leaves. After each cut the partition is opened over what is left and brought to the end of its
// log, as a process does that starts again. What it then holds must be what a partition holds that was
// never disturbed (calm.go), byte for byte, and the alerts that were sent must be the same, but for
// repeats.
//
// The tests also do so to the whole program: kill_test.go kills `vigil serve` at each point of a record's
// life (package crashpoint) and at any instant, starts it again, and left_test.go looks at what is left.
package crash
