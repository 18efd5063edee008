package secure_test

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/vigil-cds/vigil/internal/kafkatest"
	"github.com/vigil-cds/vigil/processor/secure"
)

func written(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func config() *sarama.Config {
	s := sarama.NewConfig()
	s.Version = sarama.V2_8_0_0
	s.Metadata.Retry.Max = 0
	return s
}

// broker speaks TLS with this certificate and knows vigil, whose password is right, by both kinds of SCRAM
// and by PLAIN.
func broker(t *testing.T, own tls.Certificate) string {
	t.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(),
		kfake.Superuser(secure.Plain, "vigil", "right"), kfake.Superuser(secure.ScramSHA256, "vigil", "right"), kfake.Superuser(secure.ScramSHA512, "vigil", "right"),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{own}}))
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k.ListenAddrs()[0]
}

// reach checks and then uses a channel.
func reach(t *testing.T, o secure.Options, brokers ...string) error {
	t.Helper()
	c, err := secure.New(o)
	require.NoError(t, err)
	s := config()
	c.Apply(s)
	if err := c.Check(t.Context(), brokers, s); err != nil {
		return err
	}
	client, err := sarama.NewClient(brokers, s)
	if err != nil {
		return err
	}
	return client.Close()
}

func TestEveryMechanismLogsInOverTLS(t *testing.T) {
	pki := kafkatest.NewAuthority(t)
	address := broker(t, pki.Certificate(t, "127.0.0.1"))
	for _, mechanism := range []string{secure.Plain, secure.ScramSHA256, secure.ScramSHA512} {
		t.Run(mechanism, func(t *testing.T) {
			o := secure.Options{TLS: secure.TLS{CA: written(t, pki.PEM)},
				SASL: secure.SASL{Mechanism: mechanism, User: "vigil", PasswordFile: written(t, "right\n")}}
			require.NoError(t, reach(t, o, address))
		})
	}
}

func TestARefusalSaysWhatToChange(t *testing.T) {
	pki, stranger := kafkatest.NewAuthority(t), kafkatest.NewAuthority(t)
	ours := broker(t, pki.Certificate(t, "127.0.0.1"))
	elsewhere := broker(t, pki.Certificate(t, "kafka.example.org"))

	wary, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pki.Certificate(t, "127.0.0.1")}, ClientAuth: tls.RequireAnyClientCert}))
	require.NoError(t, err)
	defer wary.Close()

	trusted := secure.TLS{CA: written(t, pki.PEM)}
	vigil := secure.SASL{Mechanism: secure.ScramSHA512, User: "vigil", Password: "right"}
	for name, c := range map[string]struct {
		options secure.Options
		address string
		says    string
	}{
		"an unknown authority":           {secure.Options{TLS: secure.TLS{CA: written(t, stranger.PEM)}, SASL: vigil}, ours, "kafka.tls.ca"},
		"an authority nobody knows here": {secure.Options{TLS: secure.TLS{CA: secure.SystemCAs}, SASL: vigil}, ours, "name a PEM file"},
		"another name":                   {secure.Options{TLS: trusted, SASL: vigil}, elsewhere, "kafka.tls.server_name"},
		"no such mechanism": {secure.Options{TLS: trusted, SASL: secure.SASL{Mechanism: secure.OAuthBearer, TokenFile: written(t, "token")}},
			ours, "kafka.sasl.mechanism"},
		"no certificate": {secure.Options{TLS: trusted}, wary.ListenAddrs()[0], "kafka.tls.cert and kafka.tls.key"},
		"no login":       {secure.Options{TLS: trusted}, ours, "kafka.sasl.mechanism"},
		"no TLS":         {secure.Options{}, ours, "kafka.tls.ca"},
	} {
		t.Run(name, func(t *testing.T) {
			err := reach(t, c.options, c.address)
			require.ErrorIs(t, err, secure.ErrRefused)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, c.address)
		})
	}
}

func TestOneBrokerThatLetsTheClientInIsEnough(t *testing.T) {
	pki := kafkatest.NewAuthority(t)
	o := secure.Options{TLS: secure.TLS{CA: written(t, pki.PEM)}, SASL: secure.SASL{Mechanism: secure.ScramSHA256, User: "vigil", Password: "right"}}
	c, err := secure.New(o)
	require.NoError(t, err)
	s := config()
	c.Apply(s)
	renamed, good := broker(t, pki.Certificate(t, "kafka.example.org")), broker(t, pki.Certificate(t, "127.0.0.1"))
	require.NoError(t, c.Check(t.Context(), []string{renamed, good}, s))
}

func TestAServerNameStandsForTheAddress(t *testing.T) {
	pki := kafkatest.NewAuthority(t)
	address := broker(t, pki.Certificate(t, "kafka.example.org"))
	require.NoError(t, reach(t, secure.Options{TLS: secure.TLS{CA: written(t, pki.PEM), ServerName: "kafka.example.org"},
		SASL: secure.SASL{Mechanism: secure.ScramSHA256, User: "vigil", Password: "right"}}, address))
}

func TestABrokerOutOfReachIsNoRefusal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone := l.Addr().String()
	require.NoError(t, l.Close())
	var none *secure.Channel
	require.NoError(t, none.Check(t.Context(), []string{gone}, config()))
}

func TestFilesThatCannotBeUsedAreReportedTogether(t *testing.T) {
	_, err := secure.New(secure.Options{
		TLS:  secure.TLS{CA: written(t, "no certificate")},
		SASL: secure.SASL{Mechanism: secure.ScramSHA256, User: "vigil", PasswordFile: written(t, "\n")},
	})
	require.ErrorContains(t, err, "kafka.tls.ca")
	require.ErrorContains(t, err, "kafka.sasl.password_file")
	_, err = secure.New(secure.Options{TLS: secure.TLS{CA: secure.SystemCAs, Cert: "nowhere.pem", Key: "nowhere.pem"}})
	require.True(t, errors.Is(err, os.ErrNotExist), "got %v", err)
	_, err = secure.New(secure.Options{SASL: secure.SASL{Mechanism: secure.OAuthBearer, TokenFile: written(t, "")}})
	require.ErrorIs(t, err, secure.ErrToken)
}

func TestARenewedClientCertificateIsUsedWithoutARestart(t *testing.T) {
	pki := kafkatest.NewAuthority(t)
	cert, key := pki.Files(t, "first")
	c, err := secure.New(secure.Options{TLS: secure.TLS{CA: written(t, pki.PEM), Cert: cert, Key: key}})
	require.NoError(t, err)
	s := config()
	c.Apply(s)
	names := make(chan string, 2)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pki.Certificate(t, "127.0.0.1")},
		ClientAuth: tls.RequireAnyClientCert, VerifyConnection: func(s tls.ConnectionState) error { names <- s.PeerCertificates[0].Subject.CommonName; return nil }})
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	for _, name := range []string{"first", "second"} {
		if name == "second" {
			renewed, itsKey := pki.Files(t, name)
			require.NoError(t, os.Rename(renewed, cert))
			require.NoError(t, os.Rename(itsKey, key))
		}
		conn, err := tls.Dial("tcp", l.Addr().String(), s.Net.TLS.Config)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		select {
		case got := <-names:
			require.Equal(t, name, got)
		case <-time.After(20 * time.Second):
			t.Fatal("no certificate was shown")
		}
	}
}
