package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

// ErrRefused is wrapped by the error of Check: brokers can be reached, and none lets this client in.
var ErrRefused = errors.New("the brokers and this client do not agree on how to talk")

// checkTime is how long a broker may take to let a client in before it counts as out of reach.
const checkTime = 10 * time.Second

// Check asks the brokers in turn whether they let a client of the configuration in, and returns nil once one
// does. It returns nil, too, when none can be reached: then there is nothing to say yet about the channel.
// Otherwise the error, which wraps ErrRefused, says what to change. A client left to itself would try again
// for long, and not tell.
func (c *Channel) Check(ctx context.Context, brokers []string, s *sarama.Config) error {
	own := *s
	own.Net.DialTimeout, own.Net.ReadTimeout, own.Net.WriteTimeout = checkTime, checkTime, checkTime
	own.ApiVersionsRequest = false // its failure is swallowed
	var refused []error
	for _, address := range brokers {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := attempt(address, &own)
		if err == nil {
			return nil
		}
		if why := c.explain(err); why != "" {
			refused = append(refused, fmt.Errorf("%w: %s: %s (%w)", ErrRefused, address, why, err))
		}
	}
	return errors.Join(refused...)
}

// errHandshake is wrapped by what fails before TLS is agreed on.
var errHandshake = errors.New("the TLS handshake fails")

// attempt connects to one broker, logs in, and asks for what every client asks for first.
func attempt(address string, s *sarama.Config) error {
	if s.Net.TLS.Enable {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: checkTime}, "tcp", address, s.Net.TLS.Config)
		if err != nil {
			return fmt.Errorf("%w: %w", errHandshake, err)
		}
		_ = conn.Close()
	}
	b := sarama.NewBroker(address)
	if err := b.Open(s); err != nil {
		return err
	}
	if _, err := b.Connected(); err != nil {
		return err
	}
	_, err := b.GetMetadata(sarama.NewMetadataRequest(s.Version, []string{}))
	return errors.Join(err, b.Close())
}

// explain says what to change about the channel after such an error; "" when it is not the channel's.
func (c *Channel) explain(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		notTLS   tls.RecordHeaderError
		remote   *net.OpError
		encrypts = c != nil && c.tls != nil
		logsIn   = c != nil && c.options.SASL.Mechanism != ""
	)
	switch {
	case errors.As(err, &unknown):
		if c.options.TLS.CA == SystemCAs {
			return "this machine trusts no authority that signed the broker's certificate: name a PEM file with that authority's certificate in kafka.tls.ca"
		}
		return "no authority in kafka.tls.ca, " + c.options.TLS.CA + ", signed the broker's certificate: put the certificate of the one that did into it"
	case errors.As(err, &name):
		return "the broker's certificate is for another name: ask for the broker by a name that is in it, or set kafka.tls.server_name to one"
	case errors.As(err, &invalid):
		return "the broker's certificate is not valid: have it renewed, or this machine's clock set"
	case errors.As(err, &notTLS) || errors.Is(err, errHandshake) && ended(err):
		return "the broker's port does not speak TLS: name its TLS port in kafka.brokers, or leave kafka.tls.ca out"
	case errors.As(err, &remote) && remote.Op == "remote error":
		if c.options.TLS.Cert == "" {
			return "the broker ends the TLS handshake, most likely because it wants a certificate: set kafka.tls.cert and kafka.tls.key"
		}
		return "the broker does not take the certificate in kafka.tls.cert: have it signed by an authority that the broker trusts"
	case errors.Is(err, ErrToken):
		return "set kafka.sasl.token_url, kafka.sasl.user and the client's secret, or kafka.sasl.token_file, to what gives a valid token"
	case errors.Is(err, sarama.ErrUnsupportedSASLMechanism):
		return "the broker does not offer " + c.options.SASL.Mechanism + ": set kafka.sasl.mechanism to one that it does"
	case errors.Is(err, sarama.ErrSASLAuthenticationFailed):
		if c.options.SASL.Mechanism == OAuthBearer {
			return "the broker does not take the token: see to it that its issuer, audience and scope are those that the broker expects"
		}
		return "the broker does not know kafka.sasl.user with this password: correct the user, or the password in kafka.sasl.password_file or VIGIL_KAFKA_SASL_PASSWORD"
	case unreachable(err):
		return ""
	case ended(err) || errors.Is(err, sarama.ErrIllegalSASLState):
		switch {
		case !encrypts:
			return "the broker ends the connection without a word, as one does whose port speaks TLS or wants a login: set kafka.tls.ca or kafka.sasl.mechanism, or name its plain port in kafka.brokers"
		case !logsIn:
			return "the broker ends the connection without a word, as one does that wants a login: set kafka.sasl.mechanism, kafka.sasl.user and a password"
		}
	}
	return ""
}

// ended says whether the other side ended the connection.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// unreachable says whether the error is of the network and not of what was said over it.
func unreachable(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" || errors.Is(err, os.ErrDeadlineExceeded)
}
