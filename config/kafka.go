package config

import (
	"net"
	"net/url"
)

// KafkaTLS says how brokers and this process show each other who they are.
type KafkaTLS struct {
	CA         string `koanf:"ca" doc:"PEM file with the authorities that sign the brokers' certificates, or system for those that this machine trusts. Empty: the brokers are talked to without TLS."`
	Cert       string `koanf:"cert" doc:"PEM file with this process's own certificate, and its chain after it, where brokers want one. It is read for each connection, so that a renewed one needs no restart."`
	Key        string `koanf:"key" doc:"PEM file with the private key of kafka.tls.cert."`
	ServerName string `koanf:"server_name" doc:"Name that the brokers' certificates are for, where it is not that of their addresses."`
}

// KafkaSASL says how this process logs in to the brokers.
type KafkaSASL struct {
	Mechanism    string            `koanf:"mechanism" doc:"How to log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER. Empty: not at all. PLAIN and OAUTHBEARER need kafka.tls.ca, for they send what must stay secret."`
	User         string            `koanf:"user" doc:"User to log in as; with kafka.sasl.token_url the client's id."`
	Password     Secret            `koanf:"password" doc:"The password; with kafka.sasl.token_url the client's secret. It comes from the environment alone."`
	PasswordFile string            `koanf:"password_file" doc:"File that holds the password and nothing else, in place of the variable."`
	TokenURL     string            `koanf:"token_url" doc:"For OAUTHBEARER: the endpoint that gives tokens for the client's credentials (OAuth 2.0)."`
	TokenCA      string            `koanf:"token_ca" doc:"PEM file with the authorities that sign the token endpoint's certificate. Empty: those that this machine trusts."`
	Scopes       []string          `koanf:"scopes" doc:"Scopes to ask the token endpoint for."`
	TokenFile    string            `koanf:"token_file" doc:"For OAUTHBEARER in place of kafka.sasl.token_url: a file that holds a valid token, which something else renews."`
	Extensions   map[string]string `koanf:"extensions" doc:"For OAUTHBEARER: further pairs that the cluster wants beside a token."`
}

// The words that KafkaTLS.CA and KafkaSASL.Mechanism take.
const (
	SystemCAs       = "system"
	SASLPlain       = "PLAIN"
	SASLScram256    = "SCRAM-SHA-256"
	SASLScram512    = "SCRAM-SHA-512"
	SASLOAuthBearer = "OAUTHBEARER"
)

// kafkaSecurity checks what belongs together in kafka.tls and kafka.sasl.
func (v *validation) kafkaSecurity(k *Kafka) {
	t, s := &k.TLS, &k.SASL
	cluster := len(k.Brokers) > 0
	v.check("kafka.tls.ca", cluster || t.CA == "", "the broker inside this process speaks no TLS", "set kafka.brokers, or leave it out")
	v.check("kafka.tls.cert", (t.Cert == "") == (t.Key == ""), "a certificate and its key belong together", "set both kafka.tls.cert and kafka.tls.key, or neither")
	v.check("kafka.tls.cert", t.Cert == "" || t.CA != "", "without kafka.tls.ca there is no TLS", "set kafka.tls.ca to a PEM file, or to "+SystemCAs)
	v.check("kafka.tls.server_name", t.ServerName == "" || t.CA != "", "without kafka.tls.ca there is no TLS", "set kafka.tls.ca to a PEM file, or to "+SystemCAs)

	if s.Mechanism == "" {
		set := s.User != "" || s.Password != "" || s.PasswordFile != "" || s.TokenURL != "" || s.TokenFile != ""
		v.check("kafka.sasl.mechanism", !set, "it is empty, so that nobody logs in with what else is set of kafka.sasl", "set it, or leave the others out")
		return
	}
	v.oneOf("kafka.sasl.mechanism", s.Mechanism, SASLPlain, SASLScram256, SASLScram512, SASLOAuthBearer)
	v.check("kafka.sasl.mechanism", cluster, "nobody logs in to the broker inside this process", "set kafka.brokers, or leave it out")
	secretOnTheWire := s.Mechanism == SASLPlain || s.Mechanism == SASLOAuthBearer
	v.check("kafka.sasl.mechanism", t.CA != "" || !secretOnTheWire, s.Mechanism+" without TLS shows its secret to everyone on the way", "set kafka.tls.ca, or use "+SASLScram512)

	oauth := s.Mechanism == SASLOAuthBearer
	v.check("kafka.sasl.token_url", !oauth || (s.TokenURL == "") != (s.TokenFile == ""), "a token comes from one place", "set one of kafka.sasl.token_url and kafka.sasl.token_file")
	for key, text := range map[string]string{"kafka.sasl.token_url": s.TokenURL, "kafka.sasl.token_file": s.TokenFile} {
		v.check(key, oauth || text == "", s.Mechanism+" uses no token", "leave it out, or set kafka.sasl.mechanism to "+SASLOAuthBearer)
	}
	v.check("kafka.sasl.token_url", s.TokenURL == "" || secretEndpoint(s.TokenURL), "it is not a URL that a secret may be sent to", "write it as https://login.example.org/token, with no secret in it")
	if oauth && s.TokenURL == "" {
		return
	}
	v.check("kafka.sasl.user", s.User != "", "it is empty", "set it to the user to log in as")
	v.check("kafka.sasl.password_file", (s.Password == "") != (s.PasswordFile == ""), "a password comes from one place", "set one of kafka.sasl.password_file and VIGIL_KAFKA_SASL_PASSWORD")
}

// secretEndpoint says whether a secret may be sent there, over TLS or without leaving this machine, and none
// is in the URL itself.
func secretEndpoint(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}
