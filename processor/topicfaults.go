package processor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/IBM/sarama"

	"github.com/vigil-cds/vigil/internal/broker"
)

// noTiers is what to do when tiered storage is wanted and not there.
const noTiers = "the brokers have no tiered storage: set it up there (remote.log.storage.system.enable), or set kafka.tiered to false"

// configsCommand is how an operator whose connections are like ours begins to change a topic.
func configsCommand(brokers []string, ours *sarama.Config) string {
	command := "kafka-configs --bootstrap-server " + strings.Join(brokers, ",")
	if ours.Net.TLS.Enable || ours.Net.SASL.Enable {
		command += " --command-config client.properties"
	}
	return command + " --alter --entity-type topics --entity-name "
}

// compare says how a topic that exists differs from what it must be, and what to do. command is how one
// changes a topic's settings, up to its name.
func (t Topic) compare(admin sarama.ClusterAdmin, have sarama.TopicDetail, command string) error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: %s: "+format, append([]any{ErrTopicMismatch, t.Name}, args...)...))
	}
	if int(have.NumPartitions) != t.Partitions {
		fault("it has %d partitions and %d are configured; set the number of partitions to that with which the log began, since patients cannot be moved between partitions, or choose another topic prefix",
			have.NumPartitions, t.Partitions)
	}
	wanted := t.settings(int(have.ReplicationFactor))
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: t.Name,
		ConfigNames: slices.Sorted(maps.Keys(wanted))})
	if err != nil {
		return fmt.Errorf("reading the settings of topic %s: %w", t.Name, err)
	}
	settings := make(map[string]string, len(entries))
	for _, e := range entries {
		settings[e.Name] = e.Value
	}
	if _, known := settings[remoteStorage]; t.Local > 0 && !known {
		fault("%s", noTiers)
	}
	var losing, filling, changes []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		got, known := settings[name]
		want := wanted[name]
		if !known || t.admits(name, got, want, int(have.ReplicationFactor)) {
			continue
		}
		says := fmt.Sprintf("its %s is %s and must be %s", name, got, want)
		if name == remoteStorage || name == localRetention {
			filling = append(filling, says)
		} else {
			losing = append(losing, says)
		}
		changes = append(changes, name+"="+want)
	}
	var why []string
	if len(losing) > 0 {
		why = append(why, strings.Join(losing, ", ")+", or data would be lost")
	}
	if len(filling) > 0 {
		why = append(why, strings.Join(filling, ", ")+", or the brokers' disks fill up")
	}
	if len(changes) > 0 {
		fault("%s; run %s%s --add-config %s", strings.Join(why, "; "), command, t.Name, strings.Join(changes, ","))
	}
	return errors.Join(faults...)
}

// admits says whether a setting may be as it is: as wanted, or otherwise with nothing lost by it.
func (t Topic) admits(name, got, want string, copies int) bool {
	n, err := strconv.Atoi(got)
	switch {
	case got == want:
		return true
	case name == maxMessageBytes:
		return err == nil && n >= broker.MaxMessageBytes
	case name == minInSync:
		return err == nil && n >= inSync(copies)
	case name == localRetention: // how long is left to whoever changed it; -2 is as long as the whole
		return err == nil && n > 0
	case name == retentionMS:
		return t.Retention > 0
	}
	return false
}
