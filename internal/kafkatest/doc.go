// Package kafkatest gives tests a real Apache Kafka: one node or three, in KRaft mode, on loopback.
//
// It is built with the tag kafka only, for it needs Java and, the first time, Maven, which fetches Kafka
// into a cache folder. With the tag set, a machine that lacks one of them fails the test with a sentence
// that says what to install; nothing passes in silence.
//
//	c := kafkatest.Start(t, kafkatest.Options{Nodes: 3})
//	client, err := sarama.NewClient(c.Brokers(), config)
//	...
//	err = c.Kill(1)    // SIGKILL: what a lost machine does
//	err = c.Restart(1) // with the data it had, on the ports it had
//	err = c.Pause(0)   // SIGSTOP: what a long stall does
//	err = c.Resume(0)
//
// A cluster of three keeps every topic that does not ask otherwise three times and takes a write when two
// copies have it. Nodes count from 0, in the order of Brokers. A node is one child process with a small
// heap; it ends with the test, and on Linux also when the test's process is killed. Its log and data are in
// the test's temporary folder, and the end of its log is printed when the test fails.
//
// The cache folder is that of the user, or the one that KAFKATEST_CACHE names. Test processes that run side
// by side fetch once.
package kafkatest
