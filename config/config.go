package config

import "time"

// Config is everything that can be set for `vigil serve`. The tag koanf is the knob's name in the file;
// doc is its documentation, which --print-config and --help show too; flag is its flag where that is not
// the key with dashes for dots. The zero Config is not usable: start from Default or Load. A Config is
// plain data; the slices in it are the holder's own.
type Config struct {
	Data       string     `koanf:"data" doc:"Directory for everything that is kept: the store and, without kafka.brokers, the log itself. It is created when it is not there, and belongs to one process at a time."`
	Listen     string     `koanf:"listen" doc:"Address and port of the HTTP service. The default answers this machine only; for a wider address set http.tls and access, or put a proxy before it that knows who asks."`
	Advertise  string     `koanf:"advertise" doc:"URL at which the other instances of a cluster reach this one, as http://10.0.0.7:8080: they pass questions about its patients on to it. Empty: the address of listen, when that names one."`
	Rules      string     `koanf:"rules" doc:"Rule pack, or directory of packs and value sets, to activate at the start when it differs from what is active. Empty: go on with what was activated last."`
	Parameters Parameters `koanf:"parameters" doc:"The site's own values of parameters of its rule packs, each within the bounds that the pack draws: {renal: {potassium_limit: 5.8}} in a file, renal.potassium_limit=5.8,… elsewhere. They are part of the rule set, and a change of one is a change of the rules."`
	Clock      string     `koanf:"clock" doc:"wall: live. log: simulated time, in which the events carry their own timestamps and nothing reads this machine's clock."`
	Zone       string     `koanf:"zone" doc:"Time zone (IANA name) in which dates without a time of day are read and ages are counted; a pack's own zone wins for its rules."`
	// Units is the site's own spellings of units, each with its UCUM code.
	Units   map[string]string `koanf:"units" doc:"The site's own spellings of units, each with the UCUM code that is meant: they come before the usual ones that vigil units list shows. A spelling that is a UCUM code for something else is refused. The spellings are part of what rules mean: give every process the same, and replay after a change."`
	Roles   []string          `koanf:"roles" doc:"What this process does: intake (events to facts), rules (facts to answers and alerts), explain (facts to explanations, which audit the alerts), source (changes of a database's rows to events)."`
	Kafka   Kafka             `koanf:"kafka"`
	Store   Store             `koanf:"store"`
	Explain Explain           `koanf:"explain"`
	Source  Source            `koanf:"source"`
	Claims  Claims            `koanf:"claims"`
	Limits  Limits            `koanf:"limits"`
	Access  Access            `koanf:"access"`
	HTTP    HTTP              `koanf:"http"`
	Log     Log               `koanf:"log"`
}

// Kafka says where the log is kept.
type Kafka struct {
	Brokers     []string `koanf:"brokers" flag:"brokers" doc:"host:port of the brokers to ask first. Empty: a broker inside this process, which keeps its log under the data directory."`
	Listen      int      `koanf:"listen" doc:"Port on loopback of the broker inside this process, so that a second process on this machine can be given it as kafka.brokers. 0 takes any free one."`
	Partitions  int      `koanf:"partitions" doc:"Partitions of every topic that is keyed by patient. It is fixed once the topics are there."`
	Replication int      `koanf:"replication" doc:"Copies of each partition that the cluster keeps. 3 in a cluster that must outlive the loss of a broker; the broker inside this process has 1."`
	Prefix      string   `koanf:"prefix" doc:"What the names of topics and consumer groups begin with, so that several Vigils can share one cluster."`
	Instance    string   `koanf:"instance" doc:"Name of this process in its consumer groups, another for each process. With it a quick restart moves no partitions."`

	Standby        int           `koanf:"standby" flag:"standby" doc:"Warm copies of each partition that other instances keep, as far as there are others: with 1 the loss of an instance costs seconds, without one its partitions are read from the log anew. Give every instance the same."`
	SessionTimeout time.Duration `koanf:"session_timeout" doc:"How long an instance may be silent before its partitions are given to others. Brokers take six seconds to half an hour unless they are told otherwise."`

	AlertsRetention     time.Duration `koanf:"alerts_retention" doc:"How long the alerts topic keeps alerts; 0s for ever. It is set when the topic is created."`
	DeadLetterRetention time.Duration `koanf:"dead_letter_retention" doc:"How long the dead-letter topic keeps what was refused; 0s for ever. It is set when the topic is created."`

	Tiered         bool          `koanf:"tiered" doc:"The cluster has tiered storage, which takes over old records of the topics that are kept for ever."`
	LocalRetention time.Duration `koanf:"local_retention" doc:"With kafka.tiered: how long those records stay on the brokers' own disks. A recovery reads older ones from the tiered storage."`

	TLS  KafkaTLS  `koanf:"tls"`
	SASL KafkaSASL `koanf:"sasl"`
}

// Store sizes the local state.
type Store struct {
	Memory Bytes `koanf:"memory" doc:"Memory for Pebble's cache and tables and for decoded patients together. More makes more reads hot; the process needs about 300MiB besides."`

	RecoveryShare int `koanf:"recovery_share" doc:"Percent of the time that a partition is brought back from the log at most while others of the process are written to or read, so that these do not feel it; 100 brings it back soonest."`
}

// Explain paces and sizes the explain role.
type Explain struct {
	Rate        int           `koanf:"rate" doc:"Most facts a second that are explained, so that catching up with a long log leaves the machine to others; 0 sets no limit."`
	Share       int           `koanf:"share" doc:"Percent of one core that explaining takes at most while live rules run in the same process."`
	MaxLag      int           `koanf:"max_lag" doc:"Explaining pauses while the live rules of this process lag more than this many records behind the log."`
	Memory      Bytes         `koanf:"memory" doc:"Memory for the cache and tables of the explain archive and for decoded patients together."`
	Batch       int           `koanf:"batch" doc:"Most records of the facts log that are explained together. More is faster while catching up; fewer disturbs live rules in the same process less."`
	WindowFacts int           `koanf:"window_facts" doc:"Most facts of one term's window that a kept explanation holds; those that decide are always among them."`
	AuditGrace  time.Duration `koanf:"audit_grace" doc:"How long a transition that explain found may wait for its alert, once the rules have passed its position, before it counts as a divergence."`
}

// Source says which changes of a database the source role reads.
type Source struct {
	Topics    []string      `koanf:"topics" doc:"Topics of envelopes as change data capture writes them, and, where envelopes do not count the parts of their transaction, the topic of transactions."`
	Mapping   string        `koanf:"mapping" doc:"File that says what rows state in FHIR; vigil source check tells what is wrong with it."`
	Wait      time.Duration `koanf:"wait" doc:"How long a transaction may wait for its parts before all that has come of it goes to the dead-letter topic."`
	OpenBytes Bytes         `koanf:"open_bytes" doc:"Most bytes of transactions that wait; beyond it the oldest goes to the dead-letter topic."`
}

// Claims says where events may point to for their payload (claim check).
type Claims struct {
	Files []string      `koanf:"files" doc:"Directories beneath which the files lie that events may point to."`
	S3    S3            `koanf:"s3"`
	Wait  time.Duration `koanf:"wait" doc:"How long it is tried to fetch what an event points to, while its partition waits; then the event goes to the dead-letter topic."`
}

// S3 is a store of objects.
type S3 struct {
	Endpoint      string   `koanf:"endpoint" doc:"URL of the store of objects, as https://s3.example.org. Empty: events point to no object."`
	Region        string   `koanf:"region" doc:"Region that requests are signed for."`
	Buckets       []string `koanf:"buckets" doc:"Buckets that events may point into."`
	AccessKey     string   `koanf:"access_key" doc:"Name of the key that requests are signed with. Empty: they are not signed."`
	SecretKey     Secret   `koanf:"secret_key" doc:"The key itself. It comes from the environment alone."`
	SecretKeyFile string   `koanf:"secret_key_file" doc:"File that holds the key and nothing else, in place of the variable."`
}

// Limits bounds what one caller can ask for.
type Limits struct {
	Body                   Bytes `koanf:"body" doc:"Largest request body taken, after decompression; also the largest event taken from Kafka."`
	Depth                  int   `koanf:"depth" doc:"Deepest nesting of JSON objects and arrays in a resource."`
	PatientID              int   `koanf:"patient_id" doc:"Longest patient id, in bytes. FHIR ids have at most 64."`
	ObservationsPerRequest int   `koanf:"observations_per_request" doc:"Most lines in one POST /v1/observations."`
	Page                   int   `koanf:"page" doc:"Most alerts on one page of GET /v1/alerts, and most explanations on one page of a patient's."`
	InFlight               int   `koanf:"in_flight" doc:"Most requests with a body that are worked on at once; further ones are answered 503 with Retry-After, so that memory stays bounded."`
}

// HTTP times the HTTP service.
type HTTP struct {
	ReadTimeout  time.Duration `koanf:"read_timeout" doc:"Longest that a request may take to arrive."`
	WriteTimeout time.Duration `koanf:"write_timeout" doc:"Longest from the end of a request's headers to the end of the answer; it has to exceed max_wait."`
	IdleTimeout  time.Duration `koanf:"idle_timeout" doc:"Longest that a connection is kept open between two requests."`
	MaxWait      time.Duration `koanf:"max_wait" doc:"Longest that a read waits for min_position, whatever its timeout= asks for."`
	MaxLogWait   time.Duration `koanf:"max_log_wait" doc:"Longest that a write waits for the log to acknowledge it; then it is answered 503 and is to be sent again. An election of brokers takes up to twenty seconds."`
	DrainTimeout time.Duration `koanf:"drain_timeout" doc:"Longest that requests under way are given to finish when the service is told to stop."`

	TLS TLS `koanf:"tls"`
}

// TLS is how the service and its callers know each other. Files are PEM.
type TLS struct {
	Cert       string `koanf:"cert" doc:"Certificate of the service, with those in between. Empty: no TLS. A file that is replaced is used from the next connection on."`
	Key        string `koanf:"key" doc:"Its private key."`
	ClientCA   string `koanf:"client_ca" doc:"Who signs the certificates of callers. Empty: callers are asked for none."`
	ClientAuth string `koanf:"client_auth" doc:"optional: who shows no certificate needs a token. required: nobody gets in without one."`
	PeerCA     string `koanf:"peer_ca" doc:"Who signs the certificates of the other instances. Empty: whom this machine believes."`
}

// Access says who may ask what.
type Access struct {
	KeysURL           string   `koanf:"keys_url" doc:"JSON Web Key Set of whoever issues tokens. With it, or keys_file, every caller has to show a token; without either, and without http.tls.client_ca, nobody is asked who they are."`
	KeysFile          string   `koanf:"keys_file" doc:"The same in a file. One that is replaced is read within a minute."`
	KeysCA            string   `koanf:"keys_ca" doc:"PEM file of who signed the certificate of keys_url. Empty: whom this machine believes."`
	Issuer            string   `koanf:"issuer" doc:"What the iss of a token must be."`
	Audience          string   `koanf:"audience" doc:"What the aud of a token must have."`
	CertificateScopes []string `koanf:"certificate_scopes" doc:"What a caller may who shows a certificate (http.tls.client_ca) and no token: vigil.write, vigil.read, vigil.explain, vigil.admin, or SMART system scopes."`
	Metrics           string   `koanf:"metrics" doc:"Who may read /metrics, which names no patient: open lets everyone, admin those with vigil.admin."`
	Log               string   `koanf:"log" doc:"File for one line of JSON per request: who asked for which patient. stdout for the process's output, empty for none. SIGHUP begins a new one, after the old one was moved away."`
	OnLogFailure      string   `koanf:"on_log_failure" doc:"When that cannot be written: answer goes on and counts it, refuse answers 503."`
}

// The words that Access and TLS take.
const (
	AuthOptional = "optional"
	AuthRequired = "required"
	MetricsOpen  = "open"
	MetricsAdmin = "admin"
	LogAnswer    = "answer"
	LogRefuse    = "refuse"
)

// Log says what is logged and how. Neither patients nor clinical content are logged at any level.
type Log struct {
	Level  string `koanf:"level" doc:"debug, info, warn or error."`
	Format string `koanf:"format" doc:"text for people, json for machines."`
}

// The words that Clock, Roles and Log take.
const (
	ClockWall   = "wall"
	ClockLog    = "log"
	RoleIntake  = "intake"
	RoleRules   = "rules"
	RoleExplain = "explain"
	RoleSource  = "source"
	FormatText  = "text"
	FormatJSON  = "json"
)

// Default is the configuration of a single machine that is asked by programs on it.
func Default() Config {
	return Config{
		Data:   "./vigil-data",
		Listen: "127.0.0.1:8080",
		Clock:  ClockWall,
		Zone:   "UTC",
		Roles:  []string{RoleIntake, RoleRules, RoleExplain},
		Kafka:  Kafka{Partitions: 8, Replication: 1, Prefix: "vigil-", SessionTimeout: 10 * time.Second, LocalRetention: 7 * 24 * time.Hour},
		Store:  Store{Memory: 256 << 20, RecoveryShare: 40},
		Explain: Explain{
			Share:       25,
			MaxLag:      2000,
			Memory:      256 << 20,
			Batch:       4096,
			WindowFacts: 200,
			AuditGrace:  30 * time.Second,
		},
		Claims: Claims{Wait: time.Minute, S3: S3{Region: "us-east-1"}},
		Source: Source{Wait: 5 * time.Minute, OpenBytes: 256 << 20},
		Limits: Limits{
			Body:                   16 << 20,
			Depth:                  64,
			PatientID:              64,
			ObservationsPerRequest: 100_000,
			Page:                   1000,
			InFlight:               32,
		},
		Access: Access{Metrics: MetricsOpen, OnLogFailure: LogAnswer},
		HTTP: HTTP{
			ReadTimeout:  30 * time.Second,
			WriteTimeout: 60 * time.Second,
			IdleTimeout:  2 * time.Minute,
			MaxWait:      30 * time.Second,
			MaxLogWait:   20 * time.Second,
			DrainTimeout: 20 * time.Second,
			TLS:          TLS{ClientAuth: AuthOptional},
		},
		Log: Log{Level: "info", Format: FormatText},
	}
}
