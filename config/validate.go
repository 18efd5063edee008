package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/internal/ucum"
)

// Validate reports everything that is wrong with the values, as Faults; nil when nothing is. It looks at
// the values alone: whether a directory can be written or a broker be reached shows when it is used.
func (c *Config) Validate() error {
	if faults := c.faults(nil); len(faults) > 0 {
		return faults
	}
	return nil
}

// What Kafka admits in the name of a topic, and of a group's member, which may have none.
var (
	topicPrefix  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	instanceName = regexp.MustCompile(`^[A-Za-z0-9._-]{0,100}$`)
)

// maxPartitions leaves the last numbers of the store's two-byte partitions free.
const maxPartitions = 1 << 15

func (c *Config) faults(source map[string]string) Faults {
	v := validation{source: source}
	v.check("data", c.Data != "", "it is empty", "name a directory, such as ./vigil-data")
	v.address("listen", c.Listen, "127.0.0.1:8080")
	v.oneOf("clock", c.Clock, ClockWall, ClockLog)
	v.zone("zone", c.Zone)
	v.roles(c.Roles)
	v.units(c.Units)

	for _, b := range c.Kafka.Brokers {
		v.address("kafka.brokers", b, "kafka-1:9092")
	}
	v.between("kafka.partitions", int64(c.Kafka.Partitions), 1, maxPartitions)
	v.between("kafka.replication", int64(c.Kafka.Replication), 1, 32)
	v.check("kafka.replication", len(c.Kafka.Brokers) > 0 || c.Kafka.Replication <= 1,
		"the broker inside this process keeps one copy, not "+strconv.Itoa(c.Kafka.Replication), "set it to 1, or set kafka.brokers")
	v.between("kafka.listen", int64(c.Kafka.Listen), 0, 65535)
	v.check("kafka.listen", len(c.Kafka.Brokers) == 0 || c.Kafka.Listen == 0,
		"with kafka.brokers there is no broker inside this process", "leave it out, or leave kafka.brokers out")
	v.check("kafka.prefix", topicPrefix.MatchString(c.Kafka.Prefix),
		strconv.Quote(c.Kafka.Prefix)+" cannot begin a topic's name", "use up to 100 letters, digits, dots, dashes and underscores")

	v.check("kafka.instance", instanceName.MatchString(c.Kafka.Instance), strconv.Quote(c.Kafka.Instance)+" cannot name a member of a group",
		"use up to 100 letters, digits, dots, dashes and underscores")
	v.between("kafka.standby", int64(c.Kafka.Standby), 0, 10)
	v.atLeast("kafka.session_timeout", c.Kafka.SessionTimeout, time.Second)
	v.url("advertise", c.Advertise)
	v.atLeast("kafka.alerts_retention", c.Kafka.AlertsRetention, 0)
	v.atLeast("kafka.dead_letter_retention", c.Kafka.DeadLetterRetention, 0)
	v.check("kafka.tiered", len(c.Kafka.Brokers) > 0 || !c.Kafka.Tiered, "the broker inside this process has no tiered storage", "leave it out, or set kafka.brokers")
	v.atLeast("kafka.local_retention", c.Kafka.LocalRetention, time.Minute)
	v.kafkaSecurity(&c.Kafka)

	v.size("store.memory", c.Store.Memory, 32<<20, 1<<40)
	v.between("store.recovery_share", int64(c.Store.RecoveryShare), 1, 100)

	v.between("explain.rate", int64(c.Explain.Rate), 0, math.MaxInt32)
	v.between("explain.share", int64(c.Explain.Share), 1, 100)
	v.between("explain.max_lag", int64(c.Explain.MaxLag), 0, math.MaxInt32)
	v.size("explain.memory", c.Explain.Memory, 16<<20, 1<<40)
	v.between("explain.batch", int64(c.Explain.Batch), 1, 1_000_000)
	v.between("explain.window_facts", int64(c.Explain.WindowFacts), 1, 1_000_000)
	v.atLeast("explain.audit_grace", c.Explain.AuditGrace, 0)

	reads := slices.Contains(c.Roles, RoleSource)
	v.check("source.topics", !reads || len(c.Source.Topics) > 0, "the role source reads none", "name the topics of the database's tables, or leave the role out")
	v.check("source.mapping", !reads || c.Source.Mapping != "", "the role source has none", "name the file that says what rows state, or leave the role out")
	v.atLeast("source.wait", c.Source.Wait, time.Second)
	v.size("source.open_bytes", c.Source.OpenBytes, 1<<20, 1<<40)

	v.claims(&c.Claims)
	v.size("limits.body", c.Limits.Body, 1<<10, 1<<30)
	v.between("limits.depth", int64(c.Limits.Depth), 8, 1000)
	v.between("limits.patient_id", int64(c.Limits.PatientID), 1, 1024)
	v.between("limits.observations_per_request", int64(c.Limits.ObservationsPerRequest), 1, 10_000_000)
	v.between("limits.page", int64(c.Limits.Page), 1, 10_000)
	v.between("limits.in_flight", int64(c.Limits.InFlight), 1, 10_000)

	v.atLeast("http.read_timeout", c.HTTP.ReadTimeout, time.Second)
	v.atLeast("http.write_timeout", c.HTTP.WriteTimeout, time.Second)
	v.atLeast("http.idle_timeout", c.HTTP.IdleTimeout, time.Second)
	v.atLeast("http.max_wait", c.HTTP.MaxWait, 0)
	v.atLeast("http.max_log_wait", c.HTTP.MaxLogWait, 100*time.Millisecond)
	v.atLeast("http.drain_timeout", c.HTTP.DrainTimeout, 0)
	v.check("http.write_timeout", c.HTTP.WriteTimeout > c.HTTP.MaxWait,
		fmt.Sprintf("%v does not exceed http.max_wait, %v, so that a read which waits would be cut off", c.HTTP.WriteTimeout, c.HTTP.MaxWait),
		"raise it, or lower http.max_wait")

	v.check("http.write_timeout", c.HTTP.WriteTimeout > c.HTTP.MaxLogWait,
		fmt.Sprintf("%v does not exceed http.max_log_wait, %v, so that a write which waits would be cut off", c.HTTP.WriteTimeout, c.HTTP.MaxLogWait),
		"raise it, or lower http.max_log_wait")

	v.access(c)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, FormatText, FormatJSON)
	return v.faults
}

type validation struct {
	source map[string]string
	faults Faults
}

func (v *validation) check(key string, ok bool, problem, mend string) {
	if !ok {
		v.faults = append(v.faults, Fault{Key: key, Source: v.source[key], Problem: problem, Mend: mend})
	}
}

func (v *validation) between(key string, n, low, high int64) {
	v.check(key, low <= n && n <= high, fmt.Sprintf("%d is out of range", n), fmt.Sprintf("set it from %d to %d", low, high))
}

func (v *validation) size(key string, n, low, high Bytes) {
	v.check(key, low <= n && n <= high, n.String()+" is out of range", fmt.Sprintf("set it from %v to %v", low, high))
}

func (v *validation) atLeast(key string, d, least time.Duration) {
	v.check(key, d >= least, d.String()+" is too short", "set it to at least "+least.String())
}

func (v *validation) oneOf(key, value string, words ...string) {
	v.check(key, slices.Contains(words, value), strconv.Quote(value)+" is not known", "use "+strings.Join(words, " or "))
}

func (v *validation) address(key, address, example string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	v.check(key, err == nil, strconv.Quote(address)+" is not host:port", "write it as "+example)
}

func (v *validation) access(c *Config) {
	t, a := c.HTTP.TLS, c.Access
	v.check("http.tls.key", (t.Cert == "") == (t.Key == ""), "a certificate and its key go together", "set http.tls.cert and http.tls.key, or neither")
	v.check("http.tls.client_ca", t.ClientCA == "" || t.Cert != "", "callers show certificates only to a service that has one", "set http.tls.cert and http.tls.key, too")
	v.oneOf("http.tls.client_auth", t.ClientAuth, AuthOptional, AuthRequired)
	v.check("http.tls.client_auth", t.ClientAuth == AuthOptional || t.ClientCA != "", "it is not said whose certificates count", "set http.tls.client_ca")
	v.check("access.keys_file", a.KeysURL == "" || a.KeysFile == "", "the keys come from one place", "set access.keys_url or access.keys_file, not both")
	v.check("access.keys_ca", a.KeysCA == "" || a.KeysURL != "", "there is no URL whose certificate it could have signed", "set access.keys_url, or leave it out")
	if a.KeysURL != "" {
		u, err := url.Parse(a.KeysURL)
		local := err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
		v.check("access.keys_url", err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && local),
			strconv.Quote(a.KeysURL)+" cannot be trusted with keys", "write it as https://login.example.org/keys")
	}
	tokens := a.KeysURL != "" || a.KeysFile != ""
	v.check("access.issuer", !tokens || a.Issuer != "", "it is not said who issues the tokens", "set it to their iss")
	v.check("access.audience", !tokens || a.Audience != "", "tokens for other services would be taken", "set it to what their aud names this one by")
	v.check("access.certificate_scopes", len(a.CertificateScopes) == 0 || t.ClientCA != "", "it is not said whose certificates count", "set http.tls.client_ca")
	v.check("access.certificate_scopes", t.ClientCA == "" || tokens || len(a.CertificateScopes) > 0, "nobody may do anything", "name what callers with a certificate may, such as vigil.read")
	v.oneOf("access.metrics", a.Metrics, MetricsOpen, MetricsAdmin)
	v.check("access.metrics", a.Metrics != MetricsAdmin || tokens || t.ClientCA != "", "nobody is asked who they are", "set access.keys_url, access.keys_file or http.tls.client_ca, or leave it open")
	v.check("access.on_log_failure", a.OnLogFailure != LogRefuse || a.Log != "", "there is no access log that could fail", "set access.log")
	v.oneOf("access.on_log_failure", a.OnLogFailure, LogAnswer, LogRefuse)
}

// url takes what is the beginning of an HTTP request's URL, or nothing.
func (v *validation) url(key, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	v.check(key, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Path == "" && u.RawQuery == "" && u.User == nil,
		strconv.Quote(text)+" is not the URL of a service", "write it as http://10.0.0.7:8080")
}

func (v *validation) zone(key, name string) {
	_, err := time.LoadLocation(name)
	v.check(key, err == nil && name != "" && name != "Local", strconv.Quote(name)+" is not a time zone",
		"use an IANA name such as Europe/Berlin or UTC")
}

// maxUnits is how many spellings of its own a site may have.
const maxUnits = 1000

func (v *validation) units(units map[string]string) {
	v.check("units", len(units) <= maxUnits, fmt.Sprintf("%d spellings are too many", len(units)), fmt.Sprintf("keep to %d", maxUnits))
	for _, spelling := range slices.Sorted(maps.Keys(units)) {
		if err := ucum.CheckAlias(spelling, units[spelling]); err != nil {
			mend := "write a UCUM code, as in {MILLIMOL: mmol/L}; vigil units list shows the usual spellings"
			if errors.Is(err, ucum.ErrMeaning) {
				mend = "leave it out, and have the sender's interface write what it means"
			}
			v.check("units", false, fmt.Sprintf("%q cannot stand for %q: %v", spelling, units[spelling], err), mend)
		}
	}
}

func (v *validation) claims(c *Claims) {
	v.atLeast("claims.wait", c.Wait, time.Second)
	v.check("claims.files", !slices.Contains(c.Files, ""), "one of them is empty", "name directories")
	s := &c.S3
	if s.Endpoint == "" {
		set := len(s.Buckets) > 0 || s.AccessKey != "" || s.SecretKey != "" || s.SecretKeyFile != ""
		v.check("claims.s3.endpoint", !set, "it is empty, so that nothing is fetched with what else is set of claims.s3", "set it, or leave the others out")
		return
	}
	v.check("claims.s3.endpoint", secretEndpoint(s.Endpoint), "it is not a URL that may be asked for patients' data", "write it as https://s3.example.org, with no secret in it")
	v.check("claims.s3.buckets", len(s.Buckets) > 0, "there is none", "name those that events may point into")
	if s.AccessKey == "" {
		v.check("claims.s3.access_key", s.SecretKey == "" && s.SecretKeyFile == "", "a key has a name", "set it, or leave the key out")
		return
	}
	v.check("claims.s3.secret_key_file", (s.SecretKey == "") != (s.SecretKeyFile == ""), "a key comes from one place", "set one of claims.s3.secret_key_file and VIGIL_CLAIMS_S3_SECRET_KEY")
}

func (v *validation) roles(roles []string) {
	v.check("roles", len(roles) > 0, "there is none", "use one or more of "+RoleIntake+", "+RoleRules+", "+RoleExplain+", "+RoleSource)
	for i, r := range roles {
		v.oneOf("roles", r, RoleIntake, RoleRules, RoleExplain, RoleSource)
		v.check("roles", slices.Index(roles, r) == i, r+" stands there twice", "name each role once")
	}
}
