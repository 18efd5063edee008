package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestThePartsOfConditionsAreFoundWhereTheyAreWritten(t *testing.T) {
	parts := Parts(clinical.File{Name: "a.yaml", Data: []byte(`pack: a
inputs:
  k: {observation: ["loinc|2823-3"], where: [value > 1, 'status == ''final''']}
rules:
  - id: one
    when:
      at_least:
        n: 2
        of:
          - all: [k.last('24h') > 6]
          - >-
            k.last('48h')
            > 7
  - when: "k.exists('1h')"
    id: two
    score: [{when: k.exists(), points: 2}]
scores:
  early: {items: [{term: k.last(), bands: [[..8, 3], [9.., 0]]}]}
`)})
	type place struct{ line, column int }
	at := func(p Part, offset int) place { line, column := p.At(offset); return place{line, column} }
	var got []string
	for _, p := range parts {
		got = append(got, p.Rule+p.Owner+": "+p.Text)
	}
	require.Equal(t, []string{"k: value > 1", "k: status == 'final'", "one: 2", "one: all", "one: k.last('24h') > 6",
		"one: k.last('48h') > 7", "two: k.exists('1h')",
		"two: k.exists()", "two: 2", "early: k.last()", "early: 3", "early: 0"}, got)
	require.Equal(t, place{3, 54}, at(parts[0], 8))
	require.Equal(t, place{3, 70}, at(parts[1], 11), "quotes in quotes are written twice")
	require.Equal(t, place{8, 12}, at(parts[2], 0))
	require.Equal(t, place{10, 13}, at(parts[3], 0))
	require.Equal(t, place{12, 21}, at(parts[5], 8))
	require.Equal(t, place{13, 15}, at(parts[5], 16))
	require.Equal(t, place{14, 22}, at(parts[6], 10))
}

func TestWhatIsNoPackHasNoParts(t *testing.T) {
	for _, text := range []string{"", "[", "3", "rules: 3", "rules: [3, {id: [a]}]\ninputs: x"} {
		require.Empty(t, Parts(clinical.File{Name: "a.yaml", Data: []byte(text)}), text)
	}
}
