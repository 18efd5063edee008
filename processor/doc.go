// Package processor moves clinical data from the log to the state, through Kafka and goka.
//
//	Writer ─▶ events ─▶ intake ─▶ facts ─▶ rules (Machine) ─▶ store
//	                    │ │                  │         └─▶ outbox ─▶ alerts
//	        medications ◀─┘ └─▶ dead-letter ◀┘
//
// Read it in this order: topics.go, where every name stands; partition.go, which decides where a patient
// is; writer.go and producer.go, the way in; intake.go, events to facts, and medications.go, the one thing
// that it knows of earlier events; rules.go and owner.go, which give a Machine (machine.go) each record of
// its partition's log; recovery.go, which brings a partition to the end of its log; standby.go and package group,
// which share the partitions among instances and keep copies; processor.go, which puts it together.
//
// A resource's facts belong to the patient of its key. When a version names another patient, whoever
// writes it also writes a DELETE under the key of the one before, limited to that version; the HTTP
// service does so, intake does not.
//
// # What is promised
//
// Every event whose write was acknowledged is processed, whatever is killed and whenever. Every events
// record gives exactly one facts record, in the same partition; one written before a crash is not written
// again after it (resume.go). A facts record changes the state once. Every alert is sent at least once, in
// order, under an id by which repeats can be told.
//
// Three things keep the promise. Offsets are committed only as a contiguous prefix of what is done
// (commit.go). The store's position, written with the state, says what was applied, and a partition is
// brought to the end of its log before it is processed (recovery.go), beside others that go on. Whatever fails
// is started again from there (supervisor.go); bad data never makes anything fail, it goes to dead-letter.
//
// # Several instances
//
// Each partition has one owner, which processes it, sends its alerts and appends its ticks. Other instances can
// keep copies of it, by the same machine from the same log: they send nothing, answer while the owner is gone,
// and go on where they are when they become the owner. Nobody takes a partition over from one that goes on
// before it is warm, except in the moments in which several instances come at once.
package processor
