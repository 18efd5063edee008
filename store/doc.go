// Package store keeps the state of every partition in one Pebble database: facts in chunks by stream,
// the row and meta of each patient, timers, the alerts outbox, the worklist index, and the position in
// the log that all of it stands for.
//
// # Keys
//
// All of a partition lies together and can be dropped with one DeleteRange; all of a patient lies
// together and can be read with one iterator. Integers in keys are big-endian. Instants have their sign
// bit flipped, so that keys sort by time.
//
//	partition(2) 's'                                     state: position, clock, rule set, sweep, next outbox number
//	partition(2) 'd' stream(8)                           dictionary: the stream of this id
//	partition(2) 'g'                                     goka's offset in the group table's changelog
//	partition(2) 'i' resource hash(16)                   patient for whom this resource states facts
//	partition(2) 'o' number(8)                           one alert record that is not yet sent
//	partition(2) 'p' patient 0x00 'a'                    meta: position, clock, timer, standing rules
//	partition(2) 'p' patient 0x00 'b'                    row
//	partition(2) 'p' patient 0x00 'f' stream(8) fence(16)  a chunk of facts; the fence is time(8) seq(8)
//	partition(2) 'p' patient 0x00 'x' resource hash(8)   version held of a resource, and where its facts lie
//	partition(2) 't' due(8) patient                      timer
//	partition(2) 'w' severity(1) rule 0x00 patient       a rule that is true now; the most severe sort first
//	0xffff       'l'                                     identity of the log of which all this is made
//	0xffff       'r' hash                                rule set
//	0xffff       'v'                                     version of this grammar
//
// A patient's id and a rule's id hold no 0x00. A reader of a row stops before 'x', which only the writer
// reads.
//
// # Durability
//
// Everything that one record of the log changes is one Pebble batch, together with the position of that
// record, committed without waiting for the disk. After a crash some of the last batches may be gone,
// always whole ones and always the latest: the state then is exactly what it was at an earlier position,
// which it names, and applying the log from there on gives the same state again. An alert is in the
// outbox exactly when the state that caused it is in the store.
//
// # Concurrency
//
// A partition has one owner, a goroutine that begins, fills and commits one Batch at a time. Everything
// else may be called from any goroutine at any time. A Patient is an immutable snapshot; whoever gets one
// may keep it. A read that starts after a commit was published (State, Wait) sees at least that commit.
package store
