// Package source reads the changes of a hospital's database from Kafka and writes what they state to the events
// log, each transaction at once.
//
// Read it in this order: source.go, the loop; reading.go, how far the partitions are read, and so what is known;
// work.go, what one fetch brings about; progress.go, what of the log was taken; state.go, the database in which
// progress and rows are kept together; balancer.go, which gives all partitions to one instance, because the parts of
// a transaction can be in several.
//
// What is promised: of the changes that are in the topics each transaction is stated once it is complete, after
// those before it, in one record of the events log for each patient, or it is in the dead-letter topic with the
// reason. After a crash the last transactions are written once more, from the same rows and so the same; a
// resource that comes again in the version that is held changes nothing.
package source
