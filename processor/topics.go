package processor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/vigil-cds/vigil/internal/broker"
)

// ErrTopicMismatch is returned by Ensure for a topic that exists otherwise than it must.
var ErrTopicMismatch = errors.New("a topic exists with other settings than Vigil needs")

// Kafka's names of the settings that matter here.
const (
	retentionMS     = "retention.ms"
	retentionBytes  = "retention.bytes"
	cleanupPolicy   = "cleanup.policy"
	maxMessageBytes = "max.message.bytes"
	minInSync       = "min.insync.replicas"
	timestampAfter  = "message.timestamp.after.max.ms"
	remoteStorage   = "remote.storage.enable"
	localRetention  = "local.retention.ms"
	forever         = "-1"
)

// Topic is one topic as it must be.
type Topic struct {
	Name       string
	Partitions int
	Compacted  bool
	Retention  time.Duration // 0: for ever
	Local      time.Duration // how long on the brokers' own disks, and then in tiered storage; 0: no such storage
}

// settings are the topic's settings in Kafka's words, for so many copies of it. All are stated, because
// brokers' defaults differ and some lose data.
func (t Topic) settings(copies int) map[string]string {
	s := map[string]string{
		cleanupPolicy:   "delete",
		retentionMS:     forever,
		retentionBytes:  forever,
		maxMessageBytes: strconv.Itoa(broker.MaxMessageBytes),
		minInSync:       strconv.Itoa(inSync(copies)),
	}
	if t.Compacted {
		s[cleanupPolicy] = "compact"
	}
	if t.Retention > 0 {
		s[retentionMS] = strconv.FormatInt(t.Retention.Milliseconds(), 10)
	}
	if t.Local > 0 {
		s[remoteStorage] = "true"
		s[localRetention] = strconv.FormatInt(t.Local.Milliseconds(), 10)
	}
	return s
}

// inSync is how many copies must have a record before it is acknowledged: all but one, so that the loss of a
// broker neither takes what was acknowledged nor stops the writing.
func inSync(copies int) int { return max(1, copies-1) }

// Topics are all topics of one installation: every name stands here and nowhere else.
type Topics struct {
	Events       Topic // what came in, as it came, by patient
	Medications  Topic // what each Medication is, by reference; made from the events, which have them all
	Facts        Topic // what it states, and control records, by patient
	RulesTable   Topic // rows, by patient: the group table of the rules processor, whose name goka derives
	RuleSets     Topic // rule sets that were activated, by hash
	Alerts       Topic // transitions, by patient
	Explanations Topic // why they came about, by patient
	DeadLetter   Topic // what was refused and why, by the key of its source

	// The consumer groups of the processors.
	IntakeGroup, RulesGroup, ExplainGroup string
}

// Topics lists the topics of a filled configuration.
func (c Config) Topics() Topics {
	local := time.Duration(0)
	if c.Tiered {
		local = c.LocalRetention
	}
	return Topics{
		Events:       Topic{Name: c.Prefix + "events", Partitions: c.Partitions, Local: local},
		Medications:  Topic{Name: c.Prefix + "medications", Partitions: 1, Compacted: true},
		Facts:        Topic{Name: c.Prefix + "facts", Partitions: c.Partitions, Local: local},
		RulesTable:   Topic{Name: c.Prefix + "rules-table", Partitions: c.Partitions, Compacted: true},
		RuleSets:     Topic{Name: c.Prefix + "rulesets", Partitions: 1, Compacted: true},
		Alerts:       Topic{Name: c.Prefix + "alerts", Partitions: c.Partitions, Retention: c.AlertsRetention},
		Explanations: Topic{Name: c.Prefix + "explanations", Partitions: c.Partitions, Local: local},
		DeadLetter:   Topic{Name: c.Prefix + "dead-letter", Partitions: c.Partitions, Retention: c.DeadLetterRetention},
		IntakeGroup:  c.Prefix + "intake",
		RulesGroup:   c.Prefix + "rules",
		ExplainGroup: c.Prefix + "explain",
	}
}

func (t Topics) all() []Topic {
	return []Topic{t.Events, t.Medications, t.Facts, t.RulesTable, t.RuleSets, t.Alerts, t.Explanations, t.DeadLetter}
}

// Ensure creates the topics that are missing. One that exists with another number of partitions, that
// would lose what must be kept, that takes too small messages, or that fills the brokers' disks although
// there is tiered storage is refused with ErrTopicMismatch; the error says of each such topic what to do.
// Retention of topics with a limited one is left to whoever changed it. Brokers that do not let this client
// in are secure.ErrRefused, and those that permit it too little ErrNotPermitted.
func (t Topics) Ensure(ctx context.Context, c Config) error {
	config, err := c.clientConfig("topics")
	if err != nil {
		return err
	}
	if err := c.Channel.Check(ctx, c.Brokers, config); err != nil {
		return fmt.Errorf("looking at the topics: %w: %w", ErrLogUnavailable, err)
	}
	if err := t.permitted(ctx, c); err != nil {
		return err
	}
	admin, err := sarama.NewClusterAdmin(c.Brokers, config)
	if err != nil {
		return fmt.Errorf("looking at the topics: %w: %w", ErrLogUnavailable, err)
	}
	defer admin.Close()
	existing, err := admin.ListTopics()
	if err != nil {
		return fmt.Errorf("looking at the topics: %w: %w", ErrLogUnavailable, err)
	}
	var faults []error
	created := false
	for _, topic := range t.all() {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("looking at the topics: %w", err)
		}
		have, ok := existing[topic.Name]
		if ok {
			faults = append(faults, topic.compare(admin, have, configsCommand(c.Brokers, config)))
			continue
		}
		err := topic.create(admin, c.Replication, c.wall())
		if errors.Is(err, sarama.ErrTopicAlreadyExists) { // another process was quicker
			continue
		}
		if errors.Is(err, sarama.ErrInvalidReplicationFactor) {
			return fmt.Errorf("creating topic %s: %w: the cluster has fewer than %d brokers up; set the replication to at most their number", topic.Name, err, c.Replication)
		}
		if errors.Is(err, sarama.ErrInvalidConfig) && topic.Local > 0 {
			return fmt.Errorf("creating topic %s: %w; %s", topic.Name, err, noTiers)
		}
		if errors.Is(err, sarama.ErrTopicAuthorizationFailed) || errors.Is(err, sarama.ErrClusterAuthorizationFailed) {
			return fmt.Errorf("creating topic %s: %w", topic.Name, notPermitted(c.Brokers, []Permission{{Name: topic.Name, Operation: kmsg.ACLOperationCreate}}))
		}
		if err != nil {
			return fmt.Errorf("creating topic %s: %w", topic.Name, err)
		}
		created = true
	}
	if created { // what is permitted on a topic is told once it is there
		faults = append(faults, t.permitted(ctx, c))
	}
	return errors.Join(faults...)
}

// create makes the topic. Where time is simulated it may be ahead of the brokers': those that bound by how much,
// an hour unless told otherwise, are told.
func (t Topic) create(admin sarama.ClusterAdmin, replication int, wall bool) error {
	detail := &sarama.TopicDetail{NumPartitions: int32(t.Partitions), ReplicationFactor: int16(replication),
		ConfigEntries: make(map[string]*string)}
	for name, value := range t.settings(replication) {
		detail.ConfigEntries[name] = &value
	}
	if !wall {
		anyTime := strconv.Itoa(math.MaxInt64)
		detail.ConfigEntries[timestampAfter] = &anyTime
		if err := admin.CreateTopic(t.Name, detail, false); !errors.Is(err, sarama.ErrInvalidConfig) {
			return err
		}
		delete(detail.ConfigEntries, timestampAfter) // a broker that does not know it has no such bound
	}
	return admin.CreateTopic(t.Name, detail, false)
}
