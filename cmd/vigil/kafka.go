package main

import (
	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/processor/secure"
)

// kafkaKeys are the knobs by which a command finds a cluster and is let in.
var kafkaKeys = []string{"kafka.brokers", "kafka.prefix", "kafka.replication",
	"kafka.tls.ca", "kafka.tls.cert", "kafka.tls.key", "kafka.tls.server_name",
	"kafka.sasl.mechanism", "kafka.sasl.user", "kafka.sasl.password_file", "kafka.sasl.token_url", "kafka.sasl.token_ca",
	"kafka.sasl.scopes", "kafka.sasl.token_file", "kafka.sasl.extensions"}

// kafkaChannel is how clients of the brokers and the brokers know each other.
func kafkaChannel(k *config.Kafka) (*secure.Channel, error) {
	t, s := k.TLS, k.SASL
	return secure.New(secure.Options{
		TLS: secure.TLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName},
		SASL: secure.SASL{Mechanism: s.Mechanism, User: s.User, Password: string(s.Password), PasswordFile: s.PasswordFile,
			TokenURL: s.TokenURL, TokenCA: s.TokenCA, Scopes: s.Scopes, TokenFile: s.TokenFile, Extensions: s.Extensions},
	})
}
