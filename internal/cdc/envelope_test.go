package cdc

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestEnvelopesAreReadAsToolsWriteThem(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        *Envelope
	}{
		{"an empty record, as follows a deletion", ``, nil},
		{"JSON null", `null`, nil},
		{"a heartbeat", `{"ts_ms":1}`, nil},
		{"the begin of a transaction", `{"status":"BEGIN","id":"571:1","event_count":null}`, nil},
		{"its end", `{"status":"END","id":"571:53195832","event_count":2,"data_collections":[]}`, &Envelope{Transaction: "571", Count: 2}},
		{"the end of one that changed nothing", `{"status":"END","id":"572:1","event_count":0}`, nil},
		{"a change", `{"op":"c","before":null,"after":{"id":7,"value":1.5},"source":{"schema":"public","table":"t","lsn":12,"ts_ms":99}}`,
			&Envelope{Op: Create, Schema: "public", Table: "t", After: map[string]any{"id": 7, "value": 1.5}, Version: clinical.Version{Number: 12, Updated: 99}}},
		{"with its schema around it", `{"schema":{},"payload":{"op":"r","after":{"id":9007199254740993},"source":{"table":"t","ts_ms":99}}}`,
			&Envelope{Op: Read, Table: "t", After: map[string]any{"id": 9007199254740993}, Version: clinical.Version{Updated: 99}}},
		{"of a transaction that says how many parts it has", `{"op":"d","before":{"id":7},"source":{"table":"t"},"ts_ms":5,"transaction":{"id":"a-1","total_order":2,"count":3}}`,
			&Envelope{Op: Delete, Table: "t", Before: map[string]any{"id": 7}, Transaction: "a-1", Order: 2, Count: 3, Version: clinical.Version{Updated: 5}}},
		{"of MySQL", `{"op":"c","after":{"id":7},"source":{"table":"t","file":"mysql-bin.000003","pos":154,"ts_ms":9},"transaction":{"id":"uuid-1:56","total_order":1}}`,
			&Envelope{Op: Create, Table: "t", After: map[string]any{"id": 7}, Transaction: "uuid-1:56", Order: 1, Version: clinical.Version{Number: 3<<32 | 154, Updated: 9}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decode([]byte(c.value))
			require.NoError(t, err)
			if got != nil {
				got.Source = nil
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestWhatIsNoEnvelopeIsRefusedWithoutItsValues(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"no JSON", `SECRET`},
		{"a list", `["SECRET"]`},
		{"an operation that is none", `{"op":"t","source":{"table":"t"}}`},
		{"rows that are none", `{"op":"c","after":"SECRET","source":{"table":"t"}}`},
		{"no table", `{"op":"c","after":{"name":"SECRET"},"source":{}}`},
		{"a change without the row", `{"op":"u","after":null,"before":{"name":"SECRET"},"source":{"table":"t"}}`},
		{"parts that are no number", `{"op":"c","after":{"a":"SECRET"},"source":{"table":"t"},"transaction":{"id":"x","count":-1}}`},
		{"an end of nothing", `{"status":"END","event_count":2}`},
		{"a payload in a payload", `{"payload":{"payload":{"op":"c"}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode([]byte(c.value))
			require.ErrorIs(t, err, ErrEnvelope)
			require.NotContains(t, err.Error(), "SECRET")
		})
	}
}

func TestAKeptRowComesBackWithItsWholeNumbers(t *testing.T) {
	b, err := json.Marshal(Row{Columns: map[string]any{"id": 9007199254740993, "x": 1.5}, Resources: []Resource{{"Patient", "p", "p"}}})
	require.NoError(t, err)
	var got Row
	require.NoError(t, json.Unmarshal(b, &got))
	require.Equal(t, Row{Columns: map[string]any{"id": 9007199254740993, "x": 1.5}, Resources: []Resource{{"Patient", "p", "p"}}}, got)
}
