//go:build kafka

package endtoend

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/vigil-cds/vigil/internal/kafkatest"
	"github.com/vigil-cds/vigil/processor"
)

// The user that a certificate for vigil stands for.
const certificateUser = "User:CN=vigil"

// permits gives the certificate's user exactly these operations, or takes them away.
type permits struct {
	t     *testing.T
	admin *kadm.Client
}

func acl(p processor.Permission) *kadm.ACLBuilder {
	b := kadm.NewACLs().Allow(certificateUser).AllowHosts("*").Operations(p.Operation).ResourcePatternType(kadm.ACLPatternLiteral)
	if p.Group {
		return b.Groups(p.Name)
	}
	return b.Topics(p.Name)
}

func (p *permits) add(permissions ...processor.Permission) {
	p.t.Helper()
	for _, one := range permissions {
		results, err := p.admin.CreateACLs(p.t.Context(), acl(one))
		require.NoError(p.t, err)
		for _, r := range results {
			require.NoError(p.t, r.Err)
		}
	}
}

func (p *permits) remove(permissions ...processor.Permission) {
	p.t.Helper()
	for _, one := range permissions {
		results, err := p.admin.DeleteACLs(p.t.Context(), acl(one))
		require.NoError(p.t, err)
		for _, r := range results {
			require.NoError(p.t, r.Err)
			require.NotEmpty(p.t, r.Deleted, one)
		}
	}
}

func TestAServerShowsKafkaACertificateAndMayDoWhatIsDocumented(t *testing.T) {
	pki := kafkatest.NewAuthority(t)
	cert, key := pki.Pair(t, "127.0.0.1")
	const listener = "listener.name.client."
	k := kafkatest.Start(t, kafkatest.Options{Protocol: "SSL", Properties: map[string]string{
		listener + "ssl.keystore.type": "PEM", listener + "ssl.keystore.certificate.chain": cert, listener + "ssl.keystore.key": key,
		listener + "ssl.truststore.type": "PEM", listener + "ssl.truststore.certificates": pki.PEM,
		listener + "ssl.client.auth":     "required",
		"authorizer.class.name":          "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"allow.everyone.if.no.acl.found": "false",
		"group.min.session.timeout.ms":   "1000",           // each server waits for the static members of the one before
		"super.users":                    "User:ANONYMOUS", // whom the listener of the brokers takes them for
	}})
	inside, err := kgo.NewClient(kgo.SeedBrokers(k.Inside()...))
	require.NoError(t, err)
	defer inside.Close()
	p := &permits{t, kadm.NewClient(inside)}
	shows := func(a *kafkatest.Authority) []string {
		cert, key := a.Files(t, "vigil")
		return []string{"--brokers", k.Brokers()[0], "--kafka-partitions", "2", "--kafka-session-timeout", "1s", "--kafka-tls-ca", file(t, pki.PEM), "--kafka-tls-cert", cert, "--kafka-tls-key", key}
	}
	right := shows(pki)

	t.Run("no certificate", func(t *testing.T) {
		require.Contains(t, refused(t, right[:8]...), "set kafka.tls.cert and kafka.tls.key")
	})
	t.Run("a certificate of another authority", func(t *testing.T) {
		require.Contains(t, refused(t, shows(kafkatest.NewAuthority(t))...), "have it signed by an authority that the broker trusts")
	})

	needs := processor.Config{}.Fill().Topics().Permissions()
	t.Run("nothing is permitted", func(t *testing.T) {
		said := refused(t, right...)
		for _, n := range needs {
			require.Contains(t, said, n.String())
		}
	})
	p.add(needs...)
	t.Run("the topics may not be made", func(t *testing.T) {
		said := refused(t, right...)
		require.Contains(t, said, "it lacks Create on topic vigil-")
		require.Contains(t, said, "kafka-acls --bootstrap-server "+k.Brokers()[0])
	})
	made := map[string]bool{}
	for _, n := range needs {
		if !n.Group && !made[n.Name] {
			made[n.Name] = true
			p.add(processor.Permission{Name: n.Name, Operation: kmsg.ACLOperationCreate})
		}
	}
	t.Run("what is documented", func(t *testing.T) { takesIn(t, right...) })
	for name := range made {
		p.remove(processor.Permission{Name: name, Operation: kmsg.ACLOperationCreate})
	}
	t.Run("what is documented, without Create once the topics are there", func(t *testing.T) { takesIn(t, right...) })

	for _, lacks := range []processor.Permission{
		{Name: "vigil-alerts", Operation: kmsg.ACLOperationWrite},
		{Name: "vigil-facts", Operation: kmsg.ACLOperationRead},
		{Name: "vigil-events", Operation: kmsg.ACLOperationDescribeConfigs},
		{Group: true, Name: "vigil-rules", Operation: kmsg.ACLOperationRead},
	} {
		t.Run("without "+lacks.String(), func(t *testing.T) {
			p.remove(lacks)
			require.Contains(t, refused(t, right...), "it lacks "+lacks.String()+"; let an administrator run")
			p.add(lacks)
		})
	}

	t.Run("a permission that is taken away from a running service", func(t *testing.T) {
		s := serve(t, t.TempDir(), right...)
		lacks := processor.Permission{Name: "vigil-events", Operation: kmsg.ACLOperationWrite}
		p.remove(lacks)
		require.Eventually(t, func() bool {
			status, _, _ := s.send("POST", "/v1/observations", mediaCompact, good(mediaCompact, "p2", 1))
			return status == 503 && strings.Contains(s.logs.String(), "it lacks "+lacks.String())
		}, time.Minute, 100*time.Millisecond)
		p.add(lacks)
		require.Eventually(t, func() bool {
			status, _, _ := s.send("POST", "/v1/observations", mediaCompact, good(mediaCompact, "p2", 1))
			return status == 200
		}, time.Minute, 100*time.Millisecond, "it goes on once it may")
		s.stop()
	})
}
