package explain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestWhyAFactIsLeftOutIsSaidInWords(t *testing.T) {
	const valueSets = `{"resourceType":"ValueSet","name":"sepsis","url":"http://example.org/sepsis","version":"3","expansion":{"contains":[{"system":"http://snomed.info/sct","code":"91302008"}]}}`
	drug := func(attributes ...clinical.Attribute) clinical.Fact {
		return clinical.Fact{Stream: clinical.NewStream(clinical.KindMedication, "rxnorm|1"), Time: noon - day, End: clinical.Forever, Authored: noon - day + 30*hour,
			Detail: &clinical.Detail{Attributes: attributes}}
	}
	lab := func(attributes ...clinical.Attribute) clinical.Fact {
		return observation(noon-day, 1.2, &clinical.Detail{Type: clinical.Number, Unit: "mg/dL", Attributes: attributes})
	}
	const result, medication = `observation: ["loinc|2160-0"], unit: mg/dL`, `medication: ["rxnorm|1"]`
	for _, c := range []struct {
		of, where string
		fact      clinical.Fact
		want      string
	}{
		{result, "status in ['final', 'amended']", lab(token("status", "preliminary")), "its status preliminary is not final or amended"},
		{result, "status == 'final'", lab(), "it does not say its status"},
		{result, "status != 'preliminary'", lab(token("status", "preliminary")), "its status is preliminary"},
		{result, "category == 'local|lab'", lab(token("category", "local|a", "local|b")), "its category local|a, local|b is not local|lab"},
		{result, "value >= 2", lab(), "its value 1.2 mg/dL is not at least 2 mg/dL"},
		{result, "2 < value", lab(), "its value 1.2 mg/dL is not more than 2 mg/dL"},
		{result, "value > reference_high", lab(figure("reference_high", 1.3)), "its value 1.2 mg/dL is not more than its reference high 1.3 mg/dL"},
		{result, "value > reference_high", lab(), "it does not say its reference high"},
		{result, "status == 'final' and value > 2", lab(token("status", "amended")), "its status amended is not final, and its value 1.2 mg/dL is not more than 2 mg/dL"},
		{result, "value > 2 or status == 'final'", lab(), "it is not one of which value > 2 or status == 'final' is true"},
		{medication, "reason in valueset('sepsis')", drug(token("reason", "snomed|5")), `its reason snomed|5 is not in the value set "sepsis" (version 3)`},
		{medication, "has(reason)", drug(), "it does not say its reason"},
		{medication, "not has(status_reason)", drug(token("status_reason", "x")), "it says its status reason"},
		{medication, "dose('mg') >= 500", drug(token("dose_unit", "g"), figure("dose", 0.25)), "its dose 250 mg is not at least 500 mg"},
		{medication, "dose('mg') >= 500", drug(token("dose_unit", "tablet"), figure("dose", 2)), `its dose is in "tablet", which cannot be converted to mg`},
		{medication, "dose('mg') >= 500", drug(figure("dose", 2)), "its dose has no unit"},
		{medication, "lag > '2d'", drug(), "its lag 30 hours is not more than 48 hours"},
		{medication, "length > '2d'", drug(), "it goes on, so that its length is not known"},
		{medication, "authored > end", drug(), "its author time 2024-03-15T18:00:00Z is not after its end (not yet)"},
	} {
		t.Run(c.where, func(t *testing.T) {
			pack := "pack: p\ninputs:\n  it: {" + c.of + ", where: \"" + c.where + "\"}\n" +
				"rules:\n  - {id: r, title: t, severity: info, source: s, when: it.last_time() > it.first_time()}\n"
			p, err := rules.Compile([]clinical.File{{Name: "p.yaml", Data: []byte(pack)}, {Name: "sets.json", Data: []byte(valueSets)}}, rules.CompileOptions{})
			require.NoError(t, err)
			ref, h := NewReference(p), inOrder(c.fact)
			missing := ref.read(h).missing(p.Rules[0], noon)
			require.NotEmpty(t, missing)
			require.Equal(t, "no it ever; one 24 hours before is left out: "+c.want, missing[0].Reason)
			e := ref.Answer(p.Rules[0], h, noon, noon+day, Frame{Facts: 10})
			if c.where == "reason in valueset('sepsis')" {
				require.Equal(t, "sepsis", e.RuleSet.ValueSets[0].Name)
				require.Equal(t, "3", e.RuleSet.ValueSets[0].Version)
			} else {
				require.Empty(t, e.RuleSet.ValueSets)
			}
		})
	}
}
