package secure

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"github.com/IBM/sarama"
)

// Options say how clients and brokers know each other. The zero value is a plain connection.
type Options struct {
	TLS  TLS
	SASL SASL
}

// SystemCAs stands in TLS.CA for the authorities that this machine trusts.
const SystemCAs = "system"

// TLS says whom to trust and what to show. Files are PEM.
type TLS struct {
	CA         string // file with the authorities that sign brokers' certificates, or SystemCAs; "": no TLS
	Cert, Key  string // files with the client's certificate, its chain after it, and its private key; "": none
	ServerName string // the name in brokers' certificates, where it is not that of their address
}

// The mechanisms of SASL.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
)

// SASL says how to log in.
type SASL struct {
	Mechanism string // "": not at all
	User      string // for OAUTHBEARER with a TokenURL the client's id

	// Password, or the file that holds it and nothing else; for OAUTHBEARER with a TokenURL the client's
	// secret.
	Password, PasswordFile string

	// For OAUTHBEARER either the endpoint that gives a token for the client's credentials, with the scopes
	// to ask it for and a file with the authorities that sign its certificate ("": those of the machine), or
	// a file that always holds a valid token because something else renews it.
	TokenURL   string
	TokenCA    string
	Scopes     []string
	TokenFile  string
	Extensions map[string]string // further pairs that some clusters want beside a token
}

// Channel is Options with their files read. A nil Channel is a plain connection. Its methods may be called
// from any goroutine.
type Channel struct {
	options  Options
	tls      *tls.Config // nil: none
	password string
	tokens   sarama.AccessTokenProvider // nil: none
}

// New reads the files that the options name and reports all that is wrong with them. A nil Channel comes of
// options that ask for nothing.
func New(o Options) (*Channel, error) {
	if o.TLS.CA == "" && o.SASL.Mechanism == "" {
		return nil, nil
	}
	c := &Channel{options: o, password: o.SASL.Password}
	var faults []error
	fault := func(err error) { faults = append(faults, err) }
	if o.TLS.CA != "" {
		var err error
		c.tls, err = o.TLS.config()
		fault(err)
	}
	if o.SASL.PasswordFile != "" {
		password, err := os.ReadFile(o.SASL.PasswordFile)
		c.password = string(bytes.TrimRight(password, "\r\n"))
		switch {
		case err != nil:
			fault(fmt.Errorf("kafka.sasl.password_file: %w", err))
		case c.password == "":
			fault(fmt.Errorf("kafka.sasl.password_file: %s is empty: write the password into it, and nothing else", o.SASL.PasswordFile))
		}
	}
	if o.SASL.Mechanism == OAuthBearer {
		var err error
		c.tokens, err = o.SASL.provider(c.password)
		fault(err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("preparing the connection to Kafka: %w", err)
	}
	return c, nil
}

// Apply lets clients of the configuration use the channel. The configuration is the caller's own.
func (c *Channel) Apply(s *sarama.Config) {
	if c == nil {
		return
	}
	if c.tls != nil {
		s.Net.TLS.Enable = true
		s.Net.TLS.Config = c.tls.Clone()
	}
	o := &c.options.SASL
	if o.Mechanism == "" {
		return
	}
	s.Net.SASL.Enable = true
	s.Net.SASL.Version = sarama.SASLHandshakeV1
	s.Net.SASL.Mechanism = sarama.SASLMechanism(o.Mechanism)
	switch o.Mechanism {
	case OAuthBearer:
		s.Net.SASL.TokenProvider = c.tokens
	case ScramSHA256, ScramSHA512:
		s.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &exchange{mechanism: o.Mechanism} }
		fallthrough
	default:
		s.Net.SASL.User, s.Net.SASL.Password = o.User, c.password
	}
}
