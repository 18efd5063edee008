// Package endtoend drives the built vigil binary as a user does: it starts servers on loopback, feeds
// them real files, kills them, starts them again, and compares what they answer. It holds tests only. With
// the build tag kafka the servers keep their log in a real Kafka, and else in the broker inside of them.
package endtoend
