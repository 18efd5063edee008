// Package group says which instance of Vigil has which partition, and lets every instance know.
//
// The instances of a role share its partitions as members of a Kafka consumer group. The member that
// Kafka makes the leader writes a Roster (roster.go): who owns each partition, and who keeps a second,
// warm copy of it. plan.go decides it, strategy.go carries it through the group's protocol, and
// directory.go reads it back from the group, for members and for everyone else.
//
// A plan moves as little as it can, and never to a member that would have to begin from nothing while
// another could go on: a new instance first follows the log (Roster.Joining says of which partitions),
// and joins the group when it is warm.
package group
