package processor

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/vigil-cds/vigil/processor/group"
	"github.com/vigil-cds/vigil/processor/secure"
)

// The two ways in which time passes.
const (
	ClockWall = "wall" // the wall clock stamps events and makes timers due
	ClockLog  = "log"  // nothing reads the wall clock: the feeder's timestamps are the time
)

// The roles that a process can take.
const (
	RoleIntake = "intake" // events to facts
	RoleRules  = "rules"  // facts to state and alerts
)

// Config says which log to process and how. Fill turns the zero value of every field but Brokers into
// its default.
type Config struct {
	Brokers     []string // host:port
	Prefix      string   // of every topic, group and client name; "" means "vigil-"
	Partitions  int      // of every topic keyed by patient; 0 means 8. It cannot change once topics exist
	Replication int      // of every topic; 0 means 1
	Clock       string   // ClockWall ("" too) or ClockLog
	Roles       []string // none: all of them

	// Channel secures the connections of every client; nil leaves them plain.
	Channel *secure.Channel

	// InstanceID makes this process a static member of its groups, under the same name after a restart,
	// so that a quick restart moves no partitions. It must differ between processes. "" leaves it out.
	InstanceID string

	// URL is where this process answers the others of its cluster, as http://10.0.0.7:8080; "" nowhere.
	// Standby is how many warm copies of each partition are kept besides its owner's, as far as there are
	// processes to keep them; it needs a Name, which follows from InstanceID or URL.
	URL     string
	Standby int

	// SessionTimeout is after how long without a word a member is taken for dead, and its partitions are
	// given to others; 0 means ten seconds. Brokers admit six seconds to half an hour unless told otherwise.
	SessionTimeout time.Duration

	// Skew is how far ahead of the wall clock a producer's timestamp may be; what is more is cut off.
	// 0 means five seconds.
	Skew time.Duration

	// ClaimWait is how long intake tries to fetch what an event points to, while its partition waits; 0 means a
	// minute.
	ClaimWait time.Duration

	// Linger is how long the processors' producers collect records before they send; 0 means 5 ms.
	Linger time.Duration

	// How long alerts and dead letters are kept; 0 means for ever.
	AlertsRetention, DeadLetterRetention time.Duration

	// Tiered has the brokers move old records of the topics that are kept for ever to their tiered storage,
	// LocalRetention after they were written; 0 means a week.
	Tiered         bool
	LocalRetention time.Duration

	// RecoveryShare is which part of the time a partition is brought back from the log at most while others of
	// this process are written to or read; 0 means two fifths, 1 all.
	RecoveryShare float64

	// RestartDelay is the pause before a processor that stopped with an error is started again. It
	// doubles with each failure in a row, up to sixty times. 0 means half a second.
	RestartDelay time.Duration
}

// Fill returns the configuration with defaults in place of zero values.
func (c Config) Fill() Config {
	if c.Prefix == "" {
		c.Prefix = "vigil-"
	}
	if c.Partitions == 0 {
		c.Partitions = 8
	}
	if c.Replication == 0 {
		c.Replication = 1
	}
	if c.Clock == "" {
		c.Clock = ClockWall
	}
	if len(c.Roles) == 0 {
		c.Roles = []string{RoleIntake, RoleRules}
	}
	if c.Skew == 0 {
		c.Skew = 5 * time.Second
	}
	if c.Linger == 0 {
		c.Linger = 5 * time.Millisecond
	}
	if c.ClaimWait == 0 {
		c.ClaimWait = time.Minute
	}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = 10 * time.Second
	}
	if c.LocalRetention == 0 {
		c.LocalRetention = 7 * 24 * time.Hour
	}
	if c.RecoveryShare == 0 {
		c.RecoveryShare = 0.4
	}
	if c.RestartDelay == 0 {
		c.RestartDelay = 500 * time.Millisecond
	}
	return c
}

// legalPrefix is what Kafka allows in a topic's name.
var legalPrefix = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// Validate reports every fault of a filled configuration.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(c.Brokers) == 0 {
		fault("no brokers: name at least one as host:port")
	}
	if !legalPrefix.MatchString(c.Prefix) {
		fault("topic prefix %q: use up to 100 letters, digits, '.', '_' and '-'", c.Prefix)
	}
	if c.Partitions < 1 || c.Partitions > 1<<15 {
		fault("partitions %d: want 1 to 32768", c.Partitions)
	}
	if c.Replication < 1 || c.Replication > 1<<15-1 {
		fault("replication %d: want 1 or more", c.Replication)
	}
	if c.Clock != ClockWall && c.Clock != ClockLog {
		fault("clock %q: want %q or %q", c.Clock, ClockWall, ClockLog)
	}
	if c.Standby < 0 || c.Standby > 100 {
		fault("standby %d: want 0 to 100", c.Standby)
	}
	if c.Standby > 0 && c.Name() == "" {
		fault("standby %d: a process that keeps copies needs an instance id or a URL, to be known by", c.Standby)
	}
	if c.RecoveryShare <= 0 || c.RecoveryShare > 1 {
		fault("recovery share %v: want more than 0, and 1 at most", c.RecoveryShare)
	}
	for _, r := range c.Roles {
		if r != RoleIntake && r != RoleRules {
			fault("role %q: want %q or %q", r, RoleIntake, RoleRules)
		}
	}
	for name, d := range map[string]time.Duration{"skew": c.Skew, "linger": c.Linger, "alerts retention": c.AlertsRetention,
		"dead-letter retention": c.DeadLetterRetention, "restart delay": c.RestartDelay, "session timeout": c.SessionTimeout, "local retention": c.LocalRetention} {
		if d < 0 {
			fault("%s %v: cannot be negative", name, d)
		}
	}
	return errors.Join(faults...)
}

// Name is what this process is called among those that share the partitions; "" when it has no lasting one.
func (c Config) Name() string { return cmp.Or(c.InstanceID, c.URL) }

// member is this process as the others know it.
func (c Config) member() group.Member {
	return group.Member{Name: c.Name(), URL: c.URL, Standby: c.Standby}
}

// wall says whether the wall clock makes time pass.
func (c Config) wall() bool { return c.Clock == ClockWall }
