// Package service is the explain role: it follows the facts log in a consumer group of its own, publishes
// what it finds to the explanations topic, and audits the engine by matching that with the alerts topic.
//
//	facts ─▶ follower ─▶ replay.Machine ─▶ archive ─▶ publisher ─▶ explanations
//	                                          ▲ └────▶ auditor ◀── alerts
//
// Read it in this order: service.go, which puts it together; follower.go, the log to the archive;
// pace.go, which keeps it from slowing anything; publisher.go; auditor.go and divergence.go.
//
// The follower is no goka processor: it takes records in batches, so that a patient is read and written
// once a batch, and the position is the archive's, which has it in one batch with what it stands for. The
// group's offsets only show other tools how far it is. A process that is given a partition of which its
// archive has nothing starts it from the beginning of the log.
package service
