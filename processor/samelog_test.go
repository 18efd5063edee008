package processor

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/rules"
)

func TestAStoreThatIsOfAnotherLogIsNotUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kafka := newBroker(t, dir)
	c := testConfig(kafka)
	s := newStore(t)
	deps := Deps{Store: s, Decoder: fhir.New(fhir.Options{}), Sets: NewRuleSets(rules.CompileOptions{}, nil)}
	require.NoError(t, run(t, c, s, new(recorder), nil).Close())
	log, err := s.Log()
	require.NoError(t, err)
	require.NotEmpty(t, log)

	config, err := c.clientConfig("test")
	require.NoError(t, err)
	client, err := NewClient(c.Brokers, config)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, c.Topics().SameLog(t.Context(), client, s), "a restart")
	again, err := s.Log()
	require.NoError(t, err)
	require.Equal(t, log, again)

	admin, err := sarama.NewClusterAdmin(c.Brokers, config)
	require.NoError(t, err)
	defer admin.Close()
	require.NoError(t, admin.DeleteTopic(c.Topics().Facts.Name))
	_, err = Start(t.Context(), c, deps) // which makes the topic anew
	require.ErrorIs(t, err, ErrOtherLog)
	require.ErrorContains(t, err, "or start with an empty directory in its place")
	deps.Store = newStore(t)
	p, err := Start(t.Context(), c, deps)
	require.NoError(t, err)
	require.NoError(t, p.Close())
}
