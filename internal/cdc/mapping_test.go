package cdc

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryFaultOfAMappingIsReportedAtOnce(t *testing.T) {
	_, err := Parse("m.yaml", []byte(`mapping: 2
codes:
  lab:
    K: {system: http://loinc.org}
tables:
  parents:
    key: id
    columns: [id, patient, patient]
    keep: [ward]
  children:
    columns: [id, parent_id]
    key: id
    colour: red
    resources:
      - resource:
          resourceType: Observation
          subject: =lookup("parents", row.parent_id, 1).patient
          code: =code("labs", row.test)
          value: =row.id +
          note: =lookup("cousins", row.id)
      - when: 7
`))
	var faults Faults
	require.ErrorAs(t, err, &faults)
	require.ErrorIs(t, err, ErrMapping)
	want := []string{
		"m.yaml:1:10: the format of mappings is 1",
		"m.yaml:4:5: a coding has a system and a code",
		"m.yaml:7:5: the column ward is not among the columns",
		`m.yaml:8:28: "patient" is here twice`,
		`m.yaml:13:5: a table has no key "colour"; it has columns, keep, key, resources`,
		"m.yaml:16:11: the resource has no id",
		"m.yaml:17:20: the key of parents is id",
		"m.yaml:17:20: table parents does not keep patient",
		`m.yaml:18:17: there is no table of codes "labs"; there are lab`,
		"m.yaml:18:17: the expression cannot be read: unknown field test",
		"m.yaml:19:18: the expression cannot be read: unexpected token EOF",
		`m.yaml:20:17: there is no table "cousins"; there are children, parents`,
		"m.yaml:21:9: there is no resource",
		"m.yaml:21:15: when is an expression",
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.Error())
	}
	require.Len(t, got, len(want), strings.Join(got, "\n"))
	for i := range want {
		require.Contains(t, got[i], want[i])
	}
}

func TestWhatIsNoMappingIsRefused(t *testing.T) {
	for _, text := range []string{"", "a: [", "mapping: 1", "mapping: 1\ntables: []", "mapping: 1\ntables: &a\n  t: 1", "- 1", "mapping: 1\ntables: {t: {key: id, columns: [id], resources: 1}}",
		"mapping: 1\ntables: {t: {key: id, columns: [id]}}\n---\nmapping: 1", "mapping: 1\nmapping: 1\ntables: {t: {key: id, columns: [id]}}"} {
		_, err := Parse("m.yaml", []byte(text))
		require.True(t, errors.Is(err, ErrMapping), text)
	}
}
