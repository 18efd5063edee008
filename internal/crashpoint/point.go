// Package crashpoint names the instants of a record's life at which a process is killed in tests.
//
// In a build with the tag crashpoints, Pass kills the process when it comes through the point that the
// environment names, for the n-th time:
//
//	CRASHPOINT=after-batch:3
//
// In every other build Pass is empty, and the compiler leaves nothing of it.
package crashpoint

// Point is one instant of a record's life.
type Point string

// The points, in the order in which a record comes through them.
const (
	AfterLogWrite Point = "after-log-write" // the events log has it, who wrote it does not know yet
	BeforeBatch   Point = "before-batch"    // what it changes is worked out and nothing of it is stored
	AfterBatch    Point = "after-batch"     // the state has it, the group table does not
	BeforeSend    Point = "before-send"     // its alerts are in the outbox
	AfterSend     Point = "after-send"      // the alerts topic has them, the outbox still does
	BeforeCommit  Point = "before-commit"   // it is done, and its offset is not marked
)

// Variable names the environment's variable.
const Variable = "CRASHPOINT"

// Points lists them all.
func Points() []Point {
	return []Point{AfterLogWrite, BeforeBatch, AfterBatch, BeforeSend, AfterSend, BeforeCommit}
}
