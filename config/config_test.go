package config

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "vigil.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func parse(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	AddFlags(flags)
	require.NoError(t, flags.Parse(args))
	return flags
}

func TestWithoutSourcesTheDefaultsHold(t *testing.T) {
	c, err := Load(Sources{Flags: parse(t)})
	require.NoError(t, err)
	require.Equal(t, Default(), c)
	require.NoError(t, c.Validate())
}

func TestALaterSourceWins(t *testing.T) {
	file := write(t, "data: from-file\nzone: Europe/Berlin\nlisten: 127.0.0.1:1\nkafka: {brokers: [a:9092, b:9092], replication: 3}\n")
	environ := []string{"VIGIL_LISTEN=127.0.0.1:2", "VIGIL_DATA=from-env", "VIGIL_LIMITS_BODY=1MiB", "HOME=/root"}
	c, err := Load(Sources{File: file, Environ: environ, Flags: parse(t, "--data=from-flag", "--http-max-wait", "5s")})
	require.NoError(t, err)
	require.Equal(t, "from-flag", c.Data)
	require.Equal(t, "127.0.0.1:2", c.Listen)
	require.Equal(t, "Europe/Berlin", c.Zone)
	require.Equal(t, []string{"a:9092", "b:9092"}, c.Kafka.Brokers)
	require.Equal(t, Bytes(1<<20), c.Limits.Body)
	require.Equal(t, "5s", c.HTTP.MaxWait.String())
	require.Equal(t, Default().Kafka.Partitions, c.Kafka.Partitions)
}

func TestASitesUnitsAreReadFromEverySource(t *testing.T) {
	want := map[string]string{"MILLIMOL": "mmol/L", "Tsd./uL": "10*3/uL"}
	for name, s := range map[string]Sources{
		"file":     {File: write(t, "units:\n  MILLIMOL: mmol/L\n  Tsd./uL: 10*3/uL\n")},
		"variable": {Environ: []string{"VIGIL_UNITS=MILLIMOL=mmol/L, Tsd./uL=10*3/uL"}},
		"flag":     {Environ: []string{"VIGIL_UNITS=other=mg"}, Flags: parse(t, "--units=MILLIMOL=mmol/L,Tsd./uL=10*3/uL")},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(s)
			require.NoError(t, err)
			require.Equal(t, want, c.Units)
		})
	}
	for text, want := range map[string]string{"units: [mg]": "is not names with values", "units: {a: {b: c}}": "is not a text", "units: loud": "is not a pair"} {
		_, err := Load(Sources{File: write(t, text)})
		require.ErrorContains(t, err, want, text)
	}
}

func TestTheVariableNamesTheFile(t *testing.T) {
	c, err := Load(Sources{Environ: []string{"VIGIL_CONFIG=" + write(t, "data: there")}})
	require.NoError(t, err)
	require.Equal(t, "there", c.Data)
}

func TestAnEmptySectionOrKnobIsLeftAtItsDefault(t *testing.T) {
	c, err := Load(Sources{File: write(t, "kafka:\nrules:\nlimits: {}\n")})
	require.NoError(t, err)
	require.Equal(t, Default(), c)
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	file := write(t, "listne: 127.0.0.1:1\nkafka: {partitions: many, brokers: [localhost]}\nlog: loud\n")
	_, err := Load(Sources{File: file,
		Environ: []string{"VIGIL_KAFKA_PARTITION=3", "VIGIL_CLOCK=sundial"},
		Flags:   parse(t, "--limits-body=16 apples")})
	require.ErrorIs(t, err, ErrInvalid)
	var faults Faults
	require.True(t, errors.As(err, &faults))
	require.Equal(t, []string{
		"listne (" + file + "): there is no such knob; did you mean listen?",
		"log (" + file + "): it is a section, not a knob; put its knobs under it, indented",
		"VIGIL_KAFKA_PARTITION: there is no such variable; did you mean VIGIL_KAFKA_PARTITIONS?",
		`kafka.partitions (` + file + `): "many" is not a whole number up to 2147483647; write a whole number`,
		`limits.body (--limits-body): "16 apples" is not a size such as 16MiB; write a size such as 16MiB`,
		`clock (VIGIL_CLOCK): "sundial" is not known; use wall or log`,
		`kafka.brokers (` + file + `): "localhost" is not host:port; write it as kafka-1:9092`,
	}, strings.Split(err.Error(), "\n"))
}

func TestAFileThatCannotBeReadIsAFault(t *testing.T) {
	for name, file := range map[string]string{
		"missing":       filepath.Join(t.TempDir(), "nowhere.yaml"),
		"not YAML":      write(t, "data: [unclosed"),
		"two of a knob": write(t, "data: a\ndata: b\n"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(Sources{File: file})
			require.ErrorIs(t, err, ErrInvalid)
			require.Contains(t, err.Error(), file)
			require.Contains(t, err.Error(), "--print-config")
		})
	}
}

func TestVariablesThatKubernetesSetsAreNoFault(t *testing.T) {
	c, err := Load(Sources{Environ: []string{
		"VIGIL_SERVICE_HOST=10.0.0.1", "VIGIL_SERVICE_PORT=8080", "VIGIL_SERVICE_PORT_HTTP=8080", "VIGIL_PORT=tcp://10.0.0.1:8080",
		"VIGIL_PORT_8080_TCP=tcp://10.0.0.1:8080", "VIGIL_PORT_8080_TCP_ADDR=10.0.0.1", "VIGIL_KAFKA_SERVICE_HOST=10.0.0.2",
	}})
	require.NoError(t, err)
	require.Equal(t, Default(), c)
}

func TestEachBrokenValueIsNamedWithItsMend(t *testing.T) {
	for _, c := range []struct {
		key, mend string
		change    func(*Config)
	}{
		{"data", "name a directory", func(c *Config) { c.Data = "" }},
		{"listen", "127.0.0.1:8080", func(c *Config) { c.Listen = "8080" }},
		{"listen", "127.0.0.1:8080", func(c *Config) { c.Listen = "127.0.0.1:99999" }},
		{"clock", "use wall or log", func(c *Config) { c.Clock = "" }},
		{"zone", "IANA", func(c *Config) { c.Zone = "Mars/Olympus" }},
		{"zone", "IANA", func(c *Config) { c.Zone = "Local" }},
		{"roles", "one or more of intake, rules, explain", func(c *Config) { c.Roles = nil }},
		{"roles", "use intake or rules or explain", func(c *Config) { c.Roles = []string{"cook"} }},
		{"roles", "name each role once", func(c *Config) { c.Roles = []string{RoleRules, RoleRules} }},
		{"units", "keep to 1000", func(c *Config) {
			c.Units = map[string]string{}
			for i := range 1001 {
				c.Units[fmt.Sprintf("unit-no-%d", i)] = "mmol/L"
			}
		}},
		{"units", "UCUM code, as in", func(c *Config) { c.Units = map[string]string{"MILLIMOL": "furlong"} }},
		{"units", "the sender's interface", func(c *Config) { c.Units = map[string]string{"C": "Cel"} }},
		{"kafka.partitions", "from 1 to 32768", func(c *Config) { c.Kafka.Partitions = 0 }},
		{"kafka.replication", "set kafka.brokers", func(c *Config) { c.Kafka.Replication = 3 }},
		{"kafka.listen", "from 0 to 65535", func(c *Config) { c.Kafka.Listen = 65536 }},
		{"kafka.tls.ca", "set kafka.brokers", func(c *Config) { c.Kafka.TLS.CA = "ca.pem" }},
		{"kafka.tls.cert", "set both", secured(func(k *Kafka) { k.TLS.Cert = "cert.pem" })},
		{"kafka.tls.cert", "to a PEM file, or to system", secured(func(k *Kafka) { k.TLS = KafkaTLS{Cert: "cert.pem", Key: "key.pem"} })},
		{"kafka.tls.server_name", "to a PEM file, or to system", secured(func(k *Kafka) { k.TLS = KafkaTLS{ServerName: "kafka"} })},
		{"kafka.sasl.mechanism", "set it, or leave", secured(func(k *Kafka) { k.SASL.Mechanism = "" })},
		{"kafka.sasl.mechanism", "SCRAM-SHA-512 or OAUTHBEARER", secured(func(k *Kafka) { k.SASL.Mechanism = "GSSAPI" })},
		{"kafka.sasl.mechanism", "set kafka.tls.ca", secured(func(k *Kafka) { k.SASL.Mechanism, k.TLS.CA = SASLPlain, "" })},
		{"kafka.sasl.user", "user to log in as", secured(func(k *Kafka) { k.SASL.User = "" })},
		{"kafka.sasl.password_file", "set one of", secured(func(k *Kafka) { k.SASL.PasswordFile = "" })},
		{"kafka.sasl.password_file", "set one of", secured(func(k *Kafka) { k.SASL.Password = "both" })},
		{"kafka.sasl.token_file", "to OAUTHBEARER", secured(func(k *Kafka) { k.SASL.TokenFile = "token" })},
		{"kafka.sasl.token_url", "set one of", secured(func(k *Kafka) { k.SASL = KafkaSASL{Mechanism: SASLOAuthBearer} })},
		{"kafka.sasl.token_url", "https://", secured(func(k *Kafka) { k.SASL.Mechanism, k.SASL.TokenURL = SASLOAuthBearer, "http://login.example.org/token" })},
		{"kafka.sasl.token_url", "https://", secured(func(k *Kafka) {
			k.SASL.Mechanism, k.SASL.TokenURL = SASLOAuthBearer, "https://id:secret@login.example.org/token"
		})},
		{"kafka.listen", "leave kafka.brokers out", func(c *Config) { c.Kafka.Listen, c.Kafka.Brokers = 9092, []string{"kafka-1:9092"} }},
		{"kafka.prefix", "letters", func(c *Config) { c.Kafka.Prefix = "a b" }},
		{"kafka.instance", "letters", func(c *Config) { c.Kafka.Instance = "a/b" }},
		{"kafka.alerts_retention", "at least 0s", func(c *Config) { c.Kafka.AlertsRetention = -1 }},
		{"kafka.local_retention", "at least 1m", func(c *Config) { c.Kafka.LocalRetention = 1 }},
		{"kafka.tiered", "or set kafka.brokers", func(c *Config) { c.Kafka.Tiered = true }},
		{"kafka.dead_letter_retention", "at least 0s", func(c *Config) { c.Kafka.DeadLetterRetention = -1 }},
		{"store.memory", "from 32MiB", func(c *Config) { c.Store.Memory = 1 }},
		{"explain.rate", "from 0", func(c *Config) { c.Explain.Rate = -1 }},
		{"store.recovery_share", "from 1", func(c *Config) { c.Store.RecoveryShare = 101 }},
		{"explain.share", "from 1", func(c *Config) { c.Explain.Share = 0 }},
		{"explain.max_lag", "from 0", func(c *Config) { c.Explain.MaxLag = -1 }},
		{"explain.memory", "from 16MiB", func(c *Config) { c.Explain.Memory = 16<<20 - 1 }},
		{"explain.batch", "from 1", func(c *Config) { c.Explain.Batch = 0 }},
		{"explain.window_facts", "from 1", func(c *Config) { c.Explain.WindowFacts = 0 }},
		{"explain.audit_grace", "at least 0s", func(c *Config) { c.Explain.AuditGrace = -1 }},
		{"limits.body", "from 1KiB to 1GiB", func(c *Config) { c.Limits.Body = 0 }},
		{"limits.depth", "from 8", func(c *Config) { c.Limits.Depth = 1 }},
		{"limits.patient_id", "from 1", func(c *Config) { c.Limits.PatientID = 0 }},
		{"limits.observations_per_request", "from 1", func(c *Config) { c.Limits.ObservationsPerRequest = 0 }},
		{"limits.page", "from 1", func(c *Config) { c.Limits.Page = 0 }},
		{"limits.in_flight", "from 1", func(c *Config) { c.Limits.InFlight = 0 }},
		{"http.read_timeout", "at least 1s", func(c *Config) { c.HTTP.ReadTimeout = 0 }},
		{"http.write_timeout", "lower http.max_wait", func(c *Config) { c.HTTP.MaxWait = c.HTTP.WriteTimeout }},
		{"http.idle_timeout", "at least 1s", func(c *Config) { c.HTTP.IdleTimeout = -1 }},
		{"http.max_wait", "at least 0s", func(c *Config) { c.HTTP.MaxWait = -1 }},
		{"http.drain_timeout", "at least 0s", func(c *Config) { c.HTTP.DrainTimeout = -1 }},
		{"http.tls.key", "set http.tls.cert and http.tls.key", func(c *Config) { c.HTTP.TLS.Cert = "cert" }},
		{"http.tls.client_ca", "set http.tls.cert", func(c *Config) { c.HTTP.TLS.ClientCA = "ca"; c.Access.CertificateScopes = []string{"vigil.read"} }},
		{"http.tls.client_auth", "optional or required", withCertificates(func(c *Config) { c.HTTP.TLS.ClientAuth = "sometimes" })},
		{"http.tls.client_auth", "set http.tls.client_ca", func(c *Config) { c.HTTP.TLS.ClientAuth = AuthRequired }},
		{"access.certificate_scopes", "such as vigil.read", withCertificates(func(c *Config) { c.Access.CertificateScopes = nil })},
		{"access.certificate_scopes", "set http.tls.client_ca", func(c *Config) { c.Access.CertificateScopes = []string{"vigil.read"} }},
		{"access.keys_file", "not both", withTokens(func(c *Config) { c.Access.KeysFile = "keys" })},
		{"access.keys_ca", "set access.keys_url", func(c *Config) { c.Access.KeysCA = "ca" }},
		{"access.keys_url", "https://", withTokens(func(c *Config) { c.Access.KeysURL = "http://login.example.org/keys" })},
		{"access.issuer", "iss", withTokens(func(c *Config) { c.Access.Issuer = "" })},
		{"access.audience", "aud", withTokens(func(c *Config) { c.Access.Audience = "" })},
		{"access.metrics", "open or admin", func(c *Config) { c.Access.Metrics = "closed" }},
		{"access.metrics", "leave it open", func(c *Config) { c.Access.Metrics = MetricsAdmin }},
		{"access.on_log_failure", "set access.log", func(c *Config) { c.Access.OnLogFailure = LogRefuse }},
		{"access.on_log_failure", "answer or refuse", func(c *Config) { c.Access.OnLogFailure = "panic" }},
		{"log.level", "debug or info", func(c *Config) { c.Log.Level = "loud" }},
		{"log.format", "text or json", func(c *Config) { c.Log.Format = "xml" }},
	} {
		t.Run(c.key+" "+c.mend, func(t *testing.T) {
			config := Default()
			c.change(&config)
			var faults Faults
			require.True(t, errors.As(config.Validate(), &faults))
			require.Len(t, faults, 1)
			require.Equal(t, c.key, faults[0].Key)
			require.Contains(t, faults[0].Mend, c.mend)
		})
	}
}

// withTokens changes a configuration that asks callers for tokens.
func withTokens(change func(*Config)) func(*Config) {
	return func(c *Config) {
		c.Access.KeysURL, c.Access.Issuer, c.Access.Audience = "https://login.example.org/keys", "https://login.example.org", "vigil"
		change(c)
	}
}

// withCertificates changes a configuration that knows callers by their certificates.
func withCertificates(change func(*Config)) func(*Config) {
	return func(c *Config) {
		c.HTTP.TLS = TLS{Cert: "cert", Key: "key", ClientCA: "ca", ClientAuth: AuthOptional}
		c.Access.CertificateScopes = []string{"vigil.read"}
		change(c)
	}
}

func TestCallersMayBeKnownByTokensOrCertificatesOrBoth(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"tokens":       withTokens(func(*Config) {}),
		"certificates": withCertificates(func(*Config) {}),
		"both":         withTokens(withCertificates(func(c *Config) { c.Access.CertificateScopes = nil; c.Access.Metrics = MetricsAdmin })),
		"keys nearby":  withTokens(func(c *Config) { c.Access.KeysURL = "http://127.0.0.1:9/keys" }),
		"refusing":     func(c *Config) { c.Access.Log, c.Access.OnLogFailure = "access.log", LogRefuse },
	} {
		c := Default()
		change(&c)
		require.NoError(t, c.Validate(), name)
	}
}

// secured changes a configuration that logs in to a cluster.
func secured(change func(*Kafka)) func(*Config) {
	return func(c *Config) {
		c.Kafka.Brokers = []string{"kafka:9092"}
		c.Kafka.TLS.CA = SystemCAs
		c.Kafka.SASL = KafkaSASL{Mechanism: SASLScram256, User: "vigil", PasswordFile: "password"}
		change(&c.Kafka)
	}
}

func TestWhatIsPrintedLoadsBackTheSame(t *testing.T) {
	c := Default()
	c.Rules = "# not: a comment"
	c.Kafka.Brokers = []string{"kafka-1:9092", "kafka-2:9092"}
	c.Limits.Body = 5000
	c.Kafka.TLS.CA = "ca.pem"
	c.Kafka.SASL = KafkaSASL{Mechanism: SASLScram512, User: "vigil", PasswordFile: "/run/secrets/kafka"}
	c.Units = map[string]string{"MILLIMOL": "mmol/L", "x Tsd. / uL": "10*3/uL", "µ: #": "umol"}
	var b bytes.Buffer
	require.NoError(t, c.Print(&b))
	back, err := Load(Sources{File: write(t, b.String())})
	require.NoError(t, err)
	require.Equal(t, c, back)
}

func TestEveryKnobIsDocumentedAndPrinted(t *testing.T) {
	var b bytes.Buffer
	c := Default()
	require.NoError(t, c.Print(&b))
	flags := parse(t)
	for _, k := range knobs() {
		require.NotEmpty(t, k.doc, k.key)
		if k.secret(&c) {
			require.Nil(t, flags.Lookup(k.flag), k.key)
			require.Contains(t, b.String(), "# "+k.env()+" alone\n")
			continue
		}
		require.NotNil(t, flags.Lookup(k.flag), k.key)
		require.Contains(t, b.String(), "# "+k.env()+", --"+k.flag+"\n")
	}
}

func TestASecretComesFromTheEnvironmentAndShowsNowhere(t *testing.T) {
	const password = "tr0ub4dor"
	environ := []string{"VIGIL_KAFKA_SASL_PASSWORD=" + password, "VIGIL_KAFKA_SASL_USER=vigil", "VIGIL_KAFKA_SASL_MECHANISM=SCRAM-SHA-256", "VIGIL_KAFKA_BROKERS=kafka:9092"}
	c, err := Load(Sources{Environ: environ})
	require.NoError(t, err)
	require.Equal(t, password, string(c.Kafka.SASL.Password))

	var b bytes.Buffer
	require.NoError(t, c.Print(&b))
	slog.New(slog.NewJSONHandler(&b, nil)).Info("started", "config", c, "password", c.Kafka.SASL.Password)
	fmt.Fprintf(&b, "%v %+v %#v %s", c, c, c, c.Kafka.SASL.Password)
	require.NotContains(t, b.String(), password)
	require.Contains(t, b.String(), hidden)

	_, err = Load(Sources{File: write(t, "kafka: {sasl: {password: "+password+"}}"), Environ: environ[1:]})
	require.ErrorContains(t, err, "kafka.sasl.password")
	require.ErrorContains(t, err, "set VIGIL_KAFKA_SASL_PASSWORD or kafka.sasl.password_file")
	require.NotContains(t, err.Error(), password)
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Bytes{"0": 0, "17": 17, "16MiB": 16 << 20, "1 GiB": 1 << 30, "5kB": 5000, "3B": 3} {
		got, err := ParseBytes(text)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
		again, err := ParseBytes(got.String())
		require.NoError(t, err)
		require.Equal(t, want, again)
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "9999999999GiB", "4 apples"} {
		_, err := ParseBytes(text)
		require.ErrorIs(t, err, errBytes, text)
	}
}
