package fhir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// attributesOf names what a `where` can ask about that the fact has.
func attributesOf(f *clinical.Fact) []string {
	d := f.Detail
	var names []string
	has := func(name string, has bool) {
		if has {
			names = append(names, name)
		}
	}
	for _, a := range d.Attributes {
		names = append(names, a.Name)
	}
	dated := f.Time != clinical.Never
	has(clinical.AttrCode, len(f.Stream.Codes) > 0)
	has(clinical.AttrValue, d.Type != clinical.NoValue && d.Type != clinical.AbsentValue)
	has(clinical.AttrUnit, d.Unit != "")
	has(clinical.AttrStart, dated)
	has(clinical.AttrEnd, f.End != f.Time)
	has(clinical.AttrLength, f.End != f.Time && f.End != clinical.Forever)
	has(clinical.AttrAuthored, f.Authored != 0)
	has(clinical.AttrLag, f.Authored != 0 && dated)
	return names
}

// The golden cases hold each resource type with every element that the table of attributes names.
func TestEveryAttributeOfTheTableIsTakenFromEveryResourceThatHasIt(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	d := New(Options{})
	stated := map[[2]string]bool{}
	for _, input := range inputs {
		data, err := os.ReadFile(input)
		require.NoError(t, err)
		m, err := d.Resource(data)
		require.NoError(t, err)
		for i := range m.Assertion.Facts {
			f := &m.Assertion.Facts[i]
			require.Contains(t, []clinical.Kind{clinical.KindOfResource(m.Type)}, f.Stream.Kind, input)
			if f.Stream.Kind == clinical.KindPatient {
				continue
			}
			for _, name := range attributesOf(f) {
				stated[[2]string{name, m.Type}] = true
			}
		}
	}
	listed := map[[2]string]bool{}
	for _, a := range clinical.Attributes() {
		for _, element := range a.Elements {
			resource, _, _ := strings.Cut(element, ".")
			listed[[2]string{a.Name, resource}] = true
		}
	}
	// What lasts without a stated end has no length, though it has a time that has not come yet.
	delete(listed, [2]string{clinical.AttrLength, "AllergyIntolerance"})
	delete(listed, [2]string{clinical.AttrLength, "Device"})
	for at := range listed {
		require.True(t, stated[at], "no golden case of a %s has the attribute %s", at[1], at[0])
	}
	for at := range stated {
		require.True(t, listed[at], "a %s has the attribute %s, which the table does not give it", at[1], at[0])
	}
}

// count adds up which attributes the facts have, none of which their kind may not have.
func count(t *testing.T, facts []clinical.Fact, into map[string]int) {
	t.Helper()
	for i := range facts {
		f := &facts[i]
		if f.Stream.Kind == clinical.KindPatient {
			continue
		}
		for _, name := range attributesOf(f) {
			if a := clinical.AttributeNamed(name); a == nil || !a.Of(f.Stream.Kind) {
				t.Errorf("a fact of the kind %s has the attribute %s, which the table does not give it", f.Stream.Kind, name)
			}
			into[name]++
		}
	}
}

// inSynthea are the attributes that the simulator writes; of the others its patients show nothing.
var inSynthea = []string{clinical.AttrAuthored, clinical.AttrCategory, clinical.AttrClass, clinical.AttrClinicalStatus, clinical.AttrCode,
	clinical.AttrCriticality, clinical.AttrDisposition, clinical.AttrDose, clinical.AttrEnd, clinical.AttrIntent, clinical.AttrLag,
	clinical.AttrLength, clinical.AttrReason, clinical.AttrResourceType, clinical.AttrStart, clinical.AttrStatus, clinical.AttrUnit,
	clinical.AttrValue, clinical.AttrVerification}
