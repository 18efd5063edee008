package rules

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// about is a fact that lasts from ten to eleven, and what a case changes about it.
func about(kind clinical.Kind, changes ...func(*clinical.Fact)) *clinical.Fact {
	const ten, eleven = 36_000_000, 39_600_000
	f := &clinical.Fact{Stream: clinical.NewStream(kind, "snomed|1", "local|one"), Time: ten, End: eleven, Detail: &clinical.Detail{}}
	for _, change := range changes {
		change(f)
	}
	return f
}

func saying(name string, codes ...clinical.Code) func(*clinical.Fact) {
	return func(f *clinical.Fact) {
		f.Detail.Attributes = append(f.Detail.Attributes, clinical.Attribute{Name: name, Codes: codes})
	}
}

func quantity(name string, x float64, unit clinical.Code) func(*clinical.Fact) {
	return func(f *clinical.Fact) {
		f.Detail.Attributes = append(f.Detail.Attributes, clinical.Attribute{Name: name, Number: x, Numeric: true})
		if unit != "" {
			saying(name+"_unit", unit)(f)
		}
	}
}

func noted(after clinical.Instant) func(*clinical.Fact) {
	return func(f *clinical.Fact) { f.Authored = f.Time + after }
}

func lasting(end clinical.Instant) func(*clinical.Fact) {
	return func(f *clinical.Fact) { f.End = end }
}

func undated(f *clinical.Fact) { f.Time, f.End = clinical.Never, clinical.Never }

func TestAWhereAsksAboutWhatTheFactSays(t *testing.T) {
	const hour, day = clinical.Instant(3_600_000), 24 * clinical.Instant(3_600_000)
	drug, result, stay, problem := clinical.KindMedication, clinical.KindObservation, clinical.KindEncounter, clinical.KindCondition
	high := clinical.NewCode("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "H")
	ranged := func(f *clinical.Fact) {
		f.Detail.Unit = "g/L"
		quantity("value_low", 2, "")(f)
		quantity("value_high", 3, "")(f)
	}
	for _, c := range []struct {
		kind    clinical.Kind
		where   string
		fact    *clinical.Fact
		belongs bool
	}{
		{drug, "dose('mg') >= 500", about(drug, quantity("dose", 0.5, "g")), true},
		{drug, "dose('mg') >= 500", about(drug, quantity("dose", 499, "mg")), false},
		{drug, "dose('mg') >= 500", about(drug, quantity("dose", 900, "")), false},
		{drug, "dose('mg') >= 500", about(drug, quantity("dose", 900, "mL")), false},
		{drug, "dose('mg') >= 500", about(drug, quantity("dose", 900, "tablet")), false},
		{drug, "dose('mg') >= 500", about(drug), false},
		{drug, "not (dose('mg') >= 500)", about(drug), false},
		{drug, "(dose('mg') ?? 500) >= 500", about(drug), true},
		{drug, "rate('mL/h') == 120", about(drug, quantity("rate", 2, "mL/min")), true},
		{drug, "dose('mg') == dose('mg')", about(drug, quantity("dose", 1, "g")), true},
		{drug, "has(dose)", about(drug, quantity("dose", 1, "tablet")), true},
		{drug, "has(dose)", about(drug), false},
		{drug, "not has(reason)", about(drug), true},
		{drug, "not has(reason)", about(drug, saying("reason", "snomed|2")), false},

		{drug, "reason in valueset('sepsis')", about(drug, saying("reason", "local|x", "snomed|91302008")), true},
		{drug, "reason in valueset('sepsis')", about(drug, saying("reason", "local|91302008")), false},
		{drug, "reason in valueset('sepsis')", about(drug), false},
		{drug, "not (reason in valueset('sepsis'))", about(drug), false},
		{drug, "not (reason in valueset('sepsis'))", about(drug, saying("reason", "local|x")), true},
		{drug, "status in valueset('usual')", about(drug, saying("status", "final")), true},
		{drug, "status in valueset('usual')", about(drug, saying("status", "stopped")), false},
		{drug, "status in valueset('usual')", about(drug, saying("status", "snomed|final")), false},
		{drug, "code in valueset('one')", about(drug), true},
		{drug, "code == 'local|one' and code == '1' and code != 'snomed|2'", about(drug), true},
		{drug, "code in ['2', 'snomed|one']", about(drug), false},
		{result, "interpretation == 'v3-ObservationInterpretation|H'", about(result, saying("interpretation", high)), true},
		{result, "interpretation == 'v2-0078|H'", about(result, saying("interpretation", high)), false},

		{result, "value_low >= 200 and value_high <= 300", about(result, ranged), true},
		{result, "value_low > 200", about(result, ranged), false},
		{result, "unit == 'g/L'", about(result, ranged), true},
		{result, "unit in ['g/L', 'mg/dL'] or unit != 'x'", about(result), false},

		{stay, "length == '50m' or length == '1h'", about(stay), true},
		{stay, "length > '59m59s999ms' and length < '1h1ms'", about(stay), true},
		{stay, "'1h' > length", about(stay), false},
		{stay, "length > '1h'", about(stay, lasting(clinical.Forever)), false},
		{stay, "(length ?? '1d') > '1h'", about(stay, lasting(clinical.Forever)), true},
		{stay, "end > start", about(stay, lasting(clinical.Forever)), true},
		{stay, "length == '0h' and end == start", about(stay, lasting(36_000_000)), true},
		{stay, "has(start) or has(end) or has(length)", about(stay, undated), false},
		{stay, "has(length)", about(stay, lasting(clinical.Forever)), false},
		{result, "lag > '24h'", about(result, noted(day+1)), true},
		{result, "lag > '24h'", about(result, noted(day)), false},
		{result, "lag > '24h'", about(result), false},
		{result, "lag < '0h'", about(result, noted(-hour)), true},
		{result, "lag >= length", about(result, noted(hour)), true},
		{result, "has(lag) or has(authored)", about(result), false},
		{problem, "authored > end", about(problem, noted(2*hour)), true},
		{problem, "authored > end", about(problem, noted(2*hour), lasting(clinical.Forever)), false},
		{problem, "authored != start", about(problem, noted(0)), false},
		{problem, "lag >= '0h'", about(problem, noted(0), undated), false},
	} {
		t.Run(c.where, func(t *testing.T) {
			pack := "pack: p\nvaluesets:\n  sepsis: [\"snomed|91302008\"]\n  one: [\"snomed|1\"]\n  usual: [\"http://hl7.org/fhir/event-status|final\"]\n" +
				"inputs:\n  it: {" + c.kind.String() + ": any, where: \"" + c.where + "\"}\n"
			if c.kind == result {
				pack = pack[:len(pack)-2] + ", unit: mg/dL}\n"
			}
			p, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(pack)}}, CompileOptions{})
			require.NoError(t, err)
			_, belongs := p.Inputs[1].Accept(c.fact)
			require.Equal(t, c.belongs, belongs)

			// What it prints as means the same again.
			again := p.Inputs[1].Where[0].String()
			q, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(strings.Replace(pack, c.where, again, 1))}}, CompileOptions{})
			require.NoError(t, err, again)
			_, belongs = q.Inputs[1].Accept(c.fact)
			require.Equal(t, c.belongs, belongs, again)
		})
	}
}

func TestMembershipByTheFactsTimesIsNotSettledByItsDetail(t *testing.T) {
	_, in := inputsOf(t, `
  late: {observation: any, where: lag > '1h'}
  one: {observation: any, where: code == 'snomed|1'}
  final: {observation: any, where: status == 'final'}
`, CompileOptions{})
	require.False(t, in["late"].Plain())
	require.False(t, in["one"].Plain())
	require.True(t, in["final"].Plain())
}

// Two packs call different sets by one name: what they ask is not the same.
func TestInputsOfValueSetsThatDifferAreNotShared(t *testing.T) {
	pack := func(name, code string) clinical.File {
		return clinical.File{Name: name + ".yaml", Data: []byte("pack: " + name + "\nvaluesets:\n  marked: [\"" + code + "\"]\n" +
			"inputs:\n  it: {procedure: any, where: \"reason in valueset('marked')\"}\n" +
			"rules:\n  - {id: " + name + ", title: t, severity: info, source: s, when: it.exists()}\n")}
	}
	for _, c := range []struct {
		codes  [2]string
		inputs int
	}{{[2]string{"snomed|1", "snomed|2"}, 3}, {[2]string{"snomed|1", "snomed|1"}, 2}} {
		p, err := Compile([]clinical.File{pack("a", c.codes[0]), pack("b", c.codes[1])}, CompileOptions{})
		require.NoError(t, err)
		require.Len(t, p.Inputs, c.inputs)
	}
}
