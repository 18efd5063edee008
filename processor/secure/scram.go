package secure

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// exchange is one login by SCRAM, as sarama drives it.
type exchange struct {
	mechanism string
	first     []byte
	session   sasl.Session
	done      bool
}

// Begin implements sarama.SCRAMClient.
func (e *exchange) Begin(user, password, authzID string) (err error) {
	auth := scram.Auth{User: user, Pass: password, Zid: authzID}
	mechanism := auth.AsSha256Mechanism()
	if e.mechanism == ScramSHA512 {
		mechanism = auth.AsSha512Mechanism()
	}
	e.session, e.first, err = mechanism.Authenticate(context.Background(), "")
	return err
}

// Step implements sarama.SCRAMClient.
func (e *exchange) Step(challenge string) (response string, err error) {
	if first := e.first; first != nil {
		e.first = nil
		return string(first), nil
	}
	if e.session == nil {
		return "", errors.New("a login by SCRAM goes on that has not begun")
	}
	var out []byte
	e.done, out, err = e.session.Challenge([]byte(challenge))
	return string(out), err
}

// Done implements sarama.SCRAMClient.
func (e *exchange) Done() bool { return e.done }
