package processor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// ErrNotPermitted means that the brokers let this process in and do not let it do what it must. The error
// names each operation that is missing and the command that permits it.
var ErrNotPermitted = errors.New("the brokers do not permit this user what Vigil needs")

// Permission is one operation on one resource that Vigil needs of brokers that check what users do.
type Permission struct {
	Group     bool // the resource is a consumer group; else a topic
	Name      string
	Operation kmsg.ACLOperation // Read or Write, which include Describe, or DescribeConfigs
}

// permissionTime bounds a question about what is permitted.
const permissionTime = 10 * time.Second

// Permissions are all that one installation needs once its topics are there; who is to make them needs Create
// on each, too. All roles together need them: whichever process does a part needs no more.
func (t Topics) Permissions() []Permission {
	var all []Permission
	for _, topic := range t.all() {
		operations := []kmsg.ACLOperation{kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDescribeConfigs}
		if written := []string{t.RuleSets.Name, t.Explanations.Name, t.DeadLetter.Name}; slices.Contains(written, topic.Name) {
			operations = operations[1:] // nobody here reads them
		}
		for _, o := range operations {
			all = append(all, Permission{Name: topic.Name, Operation: o})
		}
	}
	for _, group := range []string{t.IntakeGroup, t.RulesGroup, t.ExplainGroup} {
		all = append(all, Permission{Group: true, Name: group, Operation: kmsg.ACLOperationRead})
	}
	return all
}

// String is the permission as a person says it.
func (p Permission) String() string {
	kind := "topic"
	if p.Group {
		kind = "group"
	}
	return operationNames[p.Operation] + " on " + kind + " " + p.Name
}

// operationNames are Kafka's, as kafka-acls takes them.
var operationNames = map[kmsg.ACLOperation]string{
	kmsg.ACLOperationRead: "Read", kmsg.ACLOperationWrite: "Write", kmsg.ACLOperationCreate: "Create",
	kmsg.ACLOperationDescribeConfigs: "DescribeConfigs",
}

// command permits it.
func (p Permission) command(brokers []string) string {
	kind := "topic"
	if p.Group {
		kind = "group"
	}
	return fmt.Sprintf("kafka-acls --bootstrap-server %s --command-config admin.properties --add --allow-principal User:NAME --operation %s --%s %s",
		strings.Join(brokers, ","), operationNames[p.Operation], kind, p.Name)
}

// notPermitted says which permissions are missing and how to give them; nil when none is.
func notPermitted(brokers []string, missing []Permission) error {
	if len(missing) == 0 {
		return nil
	}
	var names, commands []string
	for _, p := range missing {
		names = append(names, p.String())
		commands = append(commands, p.command(brokers))
	}
	return fmt.Errorf("%w: it lacks %s; let an administrator run, with this user's NAME:\n  %s", ErrNotPermitted, strings.Join(names, ", "), strings.Join(commands, "\n  "))
}

// permitted asks the brokers what this process may do, and is ErrNotPermitted when that is too little. Of a
// topic that is not there nothing is asked. It is nil also when the brokers do not say: then what is missing
// shows when it is needed. A group that may not be read would otherwise only be joined again and again.
func (t Topics) permitted(ctx context.Context, c Config) error {
	ctx, cancel := context.WithTimeout(ctx, permissionTime)
	defer cancel()
	// Later versions of the questions tell less of what is not there.
	client, err := kgo.NewClient(append(c.Channel.Options(), kgo.SeedBrokers(c.Brokers...), kgo.ClientID(c.Prefix+"permissions"),
		kgo.MaxVersions(kversion.V2_8_0()))...)
	if err != nil {
		return fmt.Errorf("configuring the Kafka client %s: %w", c.Prefix+"permissions", err)
	}
	defer client.Close()
	topics, groups := mayOf(ctx, client, t)
	var missing []Permission
	for _, p := range t.Permissions() {
		may, known := topics[p.Name]
		if p.Group {
			may, known = groups[p.Name]
		}
		if known && may&(1<<p.Operation) == 0 {
			missing = append(missing, p)
		}
	}
	return notPermitted(c.Brokers, missing)
}

// mayOf asks for the operations that are permitted on each topic and group, as bits. Those of which the
// brokers do not tell are not among them.
func mayOf(ctx context.Context, client *kgo.Client, t Topics) (topics, groups map[string]int32) {
	topics, groups = make(map[string]int32), make(map[string]int32)
	note := func(of map[string]int32, name string, code int16, operations int32) {
		switch err := kerr.ErrorForCode(code); {
		case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed):
			of[name] = 0
		case err == nil && operations != math.MinInt32:
			of[name] = operations
		}
	}
	ask := kmsg.NewPtrMetadataRequest()
	ask.IncludeTopicAuthorizedOperations = true
	for _, topic := range t.all() {
		ask.Topics = append(ask.Topics, kmsg.MetadataRequestTopic{Topic: &topic.Name})
	}
	if answer, err := ask.RequestWith(ctx, client); err == nil {
		for _, topic := range answer.Topics {
			if topic.Topic != nil {
				note(topics, *topic.Topic, topic.ErrorCode, topic.AuthorizedOperations)
			}
		}
	}
	of := kmsg.NewPtrDescribeGroupsRequest()
	of.IncludeAuthorizedOperations = true
	of.Groups = []string{t.IntakeGroup, t.RulesGroup, t.ExplainGroup}
	for _, shard := range client.RequestSharded(ctx, of) {
		if asked, ok := shard.Req.(*kmsg.DescribeGroupsRequest); ok && errors.Is(shard.Err, kerr.GroupAuthorizationFailed) {
			for _, name := range asked.Groups { // not even who coordinates them is told
				groups[name] = 0
			}
		}
		if answer, ok := shard.Resp.(*kmsg.DescribeGroupsResponse); ok && shard.Err == nil {
			for _, group := range answer.Groups {
				note(groups, group.Group, group.ErrorCode, group.AuthorizedOperations)
			}
		}
	}
	return topics, groups
}
