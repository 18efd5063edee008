// Package archive keeps what explanations are made of and what came of them: of every patient every
// record of the facts log as it came, so that what was known at any position can be read again; the
// explained transitions, chained by their hashes; and what the audit of the engine has yet to match.
//
// # Keys
//
// All of a partition lies together and can be dropped with one DeleteRange. Integers in keys are
// big-endian; instants have their sign bit flipped, so that keys sort by time.
//
//	partition(2) 'a'                         the auditor's state
//	partition(2) 'd' due(8) patient          when time alone may change something for a patient
//	partition(2) 'e' patient 0x00 number(8)  an explained transition
//	partition(2) 'h' patient 0x00 offset(8)  a record of the facts log, with the partition clock at it
//	partition(2) 'i' id hash(16)             where the explanation of a transition's id lies
//	partition(2) 'o' number(8)               an explanation that is not yet published
//	partition(2) 'p' patient                 the patient: rules that stand, due instant, head of the chain
//	partition(2) 's'                         the machine's state: position, clock, activations, sweep
//	partition(2) 'v' number(8)               a divergence of the engine
//	partition(2) 'x' id                      an explained transition whose alert has not been seen
//	partition(2) 'y' id                      an alert whose explanation has not been seen
//	0xffff       'r' hash                    rule set
//	0xffff       'v'                         version of this grammar
//
// # Durability
//
// What a batch of the log changes is one Pebble batch together with the position, committed without
// waiting for the disk. After a crash some of the last batches may be gone, always whole ones and always
// the latest; the log is followed again from the position that is left. All of the archive can be made
// again from the log.
//
// # Concurrency
//
// Two goroutines write to a partition: the machine, which follows the facts log, and the auditor, which
// follows the alerts. Their batches may be open at the same time; what belongs to whom is said at the
// methods of Batch. Reads may come from any goroutine at any time and see whole batches only.
package archive
