// Package endtoend drives the built vigil binary as a user does: it starts servers on loopback, feeds
// them real files, kills them, starts them again, and compares what they answer. It holds tests only.
package endtoend
