package ward_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/internal/ward"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/rules/packs"
)

func TestIntakeTakesEveryResource(t *testing.T) {
	decoder := fhir.New(fhir.Options{})
	retracted := 0
	for e := range ward.Stream(ward.Options{Seed: 1}) {
		m, err := decoder.Resource(e.Resource)
		require.NoError(t, err, "%s", e.Resource)
		require.Equal(t, e.Patient, m.Patient)
		if len(m.Assertion.Facts) == 0 {
			require.Contains(t, string(e.Resource), "entered-in-error")
			retracted++
		}
	}
	require.Positive(t, retracted)
}

// The sample packs are what the demo shows on the ward: nearly all of them have something to say, and
// time alone raises and clears some of it.
func TestTheSamplePacksSpeakOfTheWard(t *testing.T) {
	program, err := rules.Compile(packs.Files(), rules.CompileOptions{})
	require.NoError(t, err)
	reference, decoder := explain.NewReference(program), fhir.New(fhir.Options{})

	ledgers := map[string]*explain.Ledger{}
	held := map[string]map[string]bool{} // rule, patients of whom it was true
	raised, cleared := map[string]bool{}, map[string]bool{}
	look := func(at time.Time) {
		for patient, l := range ledgers {
			history := l.History()
			for _, rule := range program.Rules {
				now := reference.Truth(rule, history, clinical.At(at)) == rules.True
				if now {
					if held[rule.ID] == nil {
						held[rule.ID] = map[string]bool{}
					}
					held[rule.ID][patient] = true
				}
				if rule.ID == "lactate-not-repeated" || rule.ID == "hypoglycaemia-level-1" {
					later := reference.Truth(rule, history, clinical.At(at.Add(6*time.Hour))) == rules.True // nothing new
					raised[rule.ID] = raised[rule.ID] || later && !now
					cleared[rule.ID] = cleared[rule.ID] || now && !later
				}
			}
		}
	}
	offset := int64(0)
	next := ward.DefaultStart.Add(4 * time.Hour)
	for e := range ward.Stream(ward.Options{Seed: 1}) {
		for ; !e.At.Before(next); next = next.Add(4 * time.Hour) {
			look(next)
		}
		m, err := decoder.Resource(e.Resource)
		require.NoError(t, err)
		for i := range m.Assertion.Facts {
			require.Empty(t, program.Unconvertible(&m.Assertion.Facts[i]), "%s", e.Resource)
		}
		if ledgers[e.Patient] == nil {
			ledgers[e.Patient] = &explain.Ledger{}
		}
		ledgers[e.Patient].Apply(&clinical.Record{Assertions: []clinical.Assertion{m.Assertion}}, offset)
		offset++
	}
	look(ward.DefaultStart.Add(24 * time.Hour))

	for _, rule := range program.Rules {
		t.Logf("%-36s true of %3d patients", rule.ID, len(held[rule.ID]))
	}
	// Not every day brings an extreme; the ward treats sepsis in time, measures no HbA1c, and discharges nobody.
	seldom := map[string]bool{"news2-pulse-red": true, "news2-temperature-red": true,
		"sepsis-3h-antibiotics-missing": true, "sepsis-3h-lactate-missing": true, "sepsis-6h-vasopressor-missing": true,
		"hba1c-poor-control": true, "severe-hypoglycaemia-after-drug": true, "stay-with-severe-hypoglycaemia": true,
		"two-opioids-at-discharge": true, "opioid-with-benzodiazepine-at-discharge": true,
		"blood-pressure-not-controlled": true, "blood-pressure-overdue": true,
		"hfref": true, "hfref-without-ras-inhibitor": true, "hfref-without-beta-blocker": true}
	for _, rule := range program.Rules {
		if !seldom[rule.ID] {
			require.NotEmpty(t, held[rule.ID], rule.ID)
		}
	}

	require.True(t, raised["lactate-not-repeated"], "raised by time alone")
	require.True(t, cleared["hypoglycaemia-level-1"], "cleared by time alone")
}
