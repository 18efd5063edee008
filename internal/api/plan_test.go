package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/planning"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

const plannedPack = `pack: renal
inputs:
  dialysis: {procedure: ["snomed|302497006"]}
rules:
  - { id: spared, title: Never dialysed, severity: info, source: KDIGO 2012, when: "not dialysis.exists()" }
`

// planned is a service over one rule and one patient without facts.
func planned(t *testing.T) *service {
	t.Helper()
	program, err := rules.Compile([]clinical.File{{Name: "renal.yaml", Data: []byte(plannedPack)}}, rules.CompileOptions{})
	require.NoError(t, err)
	s := newService(t, nil)
	s.rules.plan = pointer.NewPlan(program)
	s.reader.reading = store.Reading{Plan: pointer.NewPlan(program), Now: 1000, Patient: &store.Patient{Known: true, History: pointer.NewHistory()}}
	return s
}

func TestAPlanSaysHowARuleIsReadAndHowItStandsForThePatientAskedAbout(t *testing.T) {
	s := planned(t)
	for path, patients := range map[string]int{
		"/v1/rules/spared/plan": 0,
		"/v1/patients/p1/plan/spared?now=2026-03-01T10:00:00Z&min_position=e1.7": 1,
	} {
		w := s.do(http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, w.Code, w.Body.String())
		var got planning.Plan
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		require.Equal(t, s.rules.plan.Program.Hash, got.RuleSet)
		require.Equal(t, "spared", got.Rule)
		require.True(t, got.Tree.Settled)
		require.Positive(t, got.Cost.Facts)
		require.Len(t, got.Patients, patients, path)
		if patients > 0 {
			require.Equal(t, "p1", got.Patients[0].Patient)
			require.Nil(t, got.Patients[0].Until)
		}
	}
	require.Equal(t, "2026-03-01T10:00:00Z", s.reader.options.Now.Time().UTC().Format("2006-01-02T15:04:05Z07:00"))
}

func TestAPlanThatCannotBeGivenSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		change func(*service)
		status int
		word   string
		text   string
	}{
		"a rule that is not there":           {"/v1/rules/spare/plan", nil, 404, "unknown-rule", "did you mean spared?"},
		"such a rule of a patient":           {"/v1/patients/p1/plan/spare", nil, 404, "unknown-rule", "did you mean spared?"},
		"a patient nobody knows":             {"/v1/patients/p1/plan/spared", func(s *service) { s.reader.reading.Patient = &store.Patient{} }, 404, "unknown-patient", "check the id"},
		"an id that none can have":           {"/v1/patients/p%201/plan/spared", nil, 400, "bad-patient-id", "letters"},
		"a parameter that a plan has not":    {"/v1/rules/spared/plan?now=2026-03-01T10:00:00Z", nil, 400, "unknown-parameter", "leave the query out"},
		"a parameter that is misspelt":       {"/v1/patients/p1/plan/spared?at=2026-03-01T10:00:00Z", nil, 400, "unknown-parameter", "use now"},
		"an instant that cannot be read":     {"/v1/patients/p1/plan/spared?now=today", nil, 400, "bad-parameter", "write it as"},
		"no rules yet":                       {"/v1/rules/spared/plan", func(s *service) { s.rules.plan = nil }, 422, "no-rule-set", "vigil rules activate"},
		"no rules yet, of a patient":         {"/v1/patients/p1/plan/spared", func(s *service) { s.reader.reading.Plan = nil }, 422, "no-rule-set", "vigil rules activate"},
		"a process that serves no reads":     {"/v1/patients/p1/plan/spared", func(s *service) { s.reader.err = ErrNotServed }, 503, "not-served", "mend"},
		"a position that is not reached yet": {"/v1/patients/p1/plan/spared?timeout=1ms", func(s *service) { s.reader.err = store.ErrNotReached }, 504, "position-not-reached", "mend"},
	} {
		t.Run(name, func(t *testing.T) {
			s := planned(t)
			if c.change != nil {
				c.change(s)
			}
			require.Contains(t, problemOf(t, s.do(http.MethodGet, c.path, ""), c.status, c.word), c.text)
		})
	}
}
