package endtoend

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// key is what a connector would key the change by: the beginning of the row, which is its id.
func key(after, before json.RawMessage) []byte {
	row := after
	if string(after) == "null" {
		row = before
	}
	return row[:bytes.IndexAny(row, ",}")]
}

// The worked example of a database, row by row as a tool for change data capture writes it, while the service is
// killed in the middle of transactions. A result and the diagnosis that it led to are one transaction: a rule
// that holds while the one is there and the other is not never becomes true.
func TestARuleNeverSeesHalfATransaction(t *testing.T) {
	log, data := newLog(t), t.TempDir()
	client, err := kgo.NewClient(kgo.SeedBrokers(log.broker))
	require.NoError(t, err)
	defer client.Close()
	topic := map[string]string{}
	var topics []string
	for _, table := range []string{"patients", "encounters", "lab_results", "diagnoses", "prescriptions"} {
		topic[table] = log.prefix + "hospital." + table
		topics = append(topics, topic[table])
	}
	_, err = kadm.NewClient(client).CreateTopics(t.Context(), 2, 1, nil, topics...)
	require.NoError(t, err)
	example := filepath.Join("..", "..", "examples", "cdc")
	start := func() *server {
		return serve(t, data, append(log.flags(), "--clock", "log", "--roles", "source,intake,rules", "--rules", filepath.Join(example, "rules.yaml"),
			"--source-mapping", filepath.Join(example, "mapping.yaml"), "--source-topics", strings.Join(topics, ","), "--kafka-session-timeout", "6s")...)
	}
	s := start()

	text, err := os.ReadFile(filepath.Join(example, "envelopes.ndjson"))
	require.NoError(t, err)
	for n, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var e struct {
			Before, After json.RawMessage
			Source        struct{ Table string }
		}
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic[e.Source.Table], Key: key(e.After, e.Before), Value: []byte(line)}).FirstErr())
		if n == 3 || n == 6 {
			s.kill()
			s = start()
		}
	}
	require.Eventually(t, func() bool {
		active := s.active("p2", "")
		return len(active) == 1 && active[0] == "hyperkalaemia-without-ckd" && len(s.active("p1", "")) == 0
	}, time.Minute, 50*time.Millisecond)
	told := map[string][]string{}
	seen := map[string]bool{}
	for _, r := range consume(t, log.broker, log.prefix+"alerts", 7) {
		var x transition
		require.NoError(t, json.Unmarshal(r.Value, &x))
		if !seen[x.ID] {
			told[x.Patient] = append(told[x.Patient], x.Kind+" "+x.Rule)
			seen[x.ID] = true
		}
	}
	require.Equal(t, []string{"fired hyperkalaemia-in-ckd", "cleared hyperkalaemia-in-ckd", "fired hyperkalaemia-in-ckd", "cleared hyperkalaemia-in-ckd"}, told["p1"])
	require.Equal(t, []string{"fired nsaid", "fired hyperkalaemia-without-ckd", "cleared nsaid"}, told["p2"])
	s.stop()
}
