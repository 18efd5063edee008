// Package archive keeps what explaining needs, in one Pebble database: every facts record of every patient
// as the log had it, where each patient and each partition stands, every transition that was explained,
// and what the audit of the engine has found.
//
// The history is bitemporal. A record says when something was true of the patient; the offset under which
// it is kept, and the partition clock kept with it, say since when the log knew. What was known at any
// offset is the history up to there (Partition.History), corrections and all.
//
// # Keys
//
// All of a partition lies together and can be dropped with one DeleteRange. What is read of every patient
// at every turn, where it stands, lies dense in a family of its own; the long things of one patient lie
// together in another. Integers in keys are big-endian. Instants have their sign bit flipped, so that
// keys sort by time.
//
//	partition(2) 'd' due(8) patient             patient for whom time alone might change something then
//	partition(2) 'e' id                         audit: a transition explained, for which an alert is expected
//	partition(2) 'h' patient 0x00 'f' offset(8)   history: a facts record as it came, and the partition clock there
//	partition(2) 'h' patient 0x00 'i' hash(16)    number of the explanation of the transition with this id
//	partition(2) 'h' patient 0x00 'x' number(8)   explanation; the patient's are numbered from 1
//	partition(2) 'o' number(8)                  outbox: an explanation to be published, by patient and number
//	partition(2) 'p' patient                    where the patient stands
//	partition(2) 's' 'a'                        state: the auditor's half
//	partition(2) 's' 'm'                        state: the machine's half
//	partition(2) 'v' number(8)                  divergence
//	0xffff       'l'                            identity of the log of which all this is made
//	0xffff       'r' hash                       rule set
//	0xffff       'v'                            version of this grammar
//
// A patient's id is not empty and holds no 0x00. The hash is two 64-bit xxHashes of the id, with seeds 0
// and 1. An explanation is stored once: the outbox only names it.
//
// # Durability
//
// A Batch is written whole or not at all, with the state that stands for it, and is committed without
// waiting for the disk: the log is the truth. After a crash some of the last batches of the database may
// be gone, always whole ones and always the latest in the order in which they were committed, over all
// partitions. The state then names an earlier position, and following the log from there on gives the
// same again. An explanation is in the outbox, and expected by the audit, if and only if the transition
// was committed; it leaves the outbox when it is said to be sent, so that it is published at least once.
// Close makes everything durable.
//
// # Concurrency
//
// Everything that reads may be called from any goroutine at any time, also from within the callback of
// another read. Two goroutines write to a partition, each with one batch at a time, and their batches may
// be open together and be committed in any order:
//
//   - the machine, which follows the log: Batch.History, Put, Explain, RuleSet, SetState;
//   - the auditor, which compares with the engine: Batch.Settle, Diverge, SetAlerts.
//
// Batch.Sent may be in a batch of either, or of a third goroutine, one at a time. The two halves of the
// state lie under two keys, so that neither undoes what the other wrote. A read that starts after a
// commit returned, or after State or Wait showed it, sees at least that commit.
//
// A read that calls back holds its view of the database until it returns, and with it the memory of that
// view: a callback that takes long should collect and work afterwards. An error of a callback ends the
// read and is returned as it is.
package archive
