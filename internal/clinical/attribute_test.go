package clinical

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheTableOfAttributesIsInOrderAndNamesResourcesThatStateFacts(t *testing.T) {
	all := Attributes()
	require.True(t, slices.IsSortedFunc(all, func(x, y AttributeInfo) int { return strings.Compare(x.Name, y.Name) }))
	for _, a := range all {
		require.NotEmpty(t, a.Elements, a.Name)
		for _, element := range a.Elements {
			resource, path, _ := strings.Cut(element, ".")
			require.NotEqual(t, KindNone, KindOfResource(resource), element)
			require.NotEmpty(t, path, element)
		}
		require.Equal(t, a, *AttributeNamed(a.Name))
	}
	require.Nil(t, AttributeNamed("colour"))
}

func TestAKindHasTheAttributesThatOneOfItsResourcesStates(t *testing.T) {
	for name, kinds := range map[string][]Kind{
		"class": {KindEncounter}, "dose": {KindMedication, KindImmunization}, "interpretation": {KindObservation},
		"verification": {KindCondition, KindAllergy}, "lag": {KindObservation, KindMedication, KindDevice}} {
		for _, k := range kinds {
			require.True(t, AttributeNamed(name).Of(k), "%s of %s", name, k)
		}
	}
	require.False(t, AttributeNamed("class").Of(KindObservation))
	require.False(t, AttributeNamed("status").Of(KindCondition))
}

func TestACodeSystemOfHL7MayBeNamedWithoutItsAddress(t *testing.T) {
	high := NewCode("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "H")
	for s, want := range map[string]bool{
		"H": true, string(high): true, "v3-ObservationInterpretation|H": true,
		"v3-ObservationInterpretation|L": false, "ObservationInterpretation|H": false, "v2-0078|H": false, "": false,
	} {
		require.Equal(t, want, high.Is(s), s)
	}
	require.True(t, NewCode("http://hl7.org/fhir/observation-status", "final").Is("observation-status|final"))
	require.False(t, NewCode("http://loinc.example/CodeSystem/x", "H").Is("x|H"))
}
