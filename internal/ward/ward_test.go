package ward

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// seen is what the tests read of any resource.
type seen struct {
	ResourceType string
	ID           string
	Meta         struct {
		VersionID   string
		LastUpdated time.Time
	}
	Status    string
	Class     struct{ Code string }
	Subject   reference
	Encounter *reference
	Period    period
	Category  json.RawMessage
	Code      concept
	Component []component

	EffectiveDateTime time.Time
	ValueQuantity     *quantity

	MedicationCodeableConcept concept
}

// entry is an event and what its resource says.
type entry struct {
	Event
	seen
}

// day is the ward that the demo shows, played and decoded once for all tests.
var day = sync.OnceValue(func() []entry {
	var entries []entry
	for e := range Stream(Options{Seed: 1}) {
		var r seen
		if err := json.Unmarshal(e.Resource, &r); err != nil {
			panic(err)
		}
		entries = append(entries, entry{e, r})
	}
	return entries
})

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	o := Options{Patients: 40, Seed: 7, Length: 8 * time.Hour}
	first, second := slices.Collect(Stream(o)), slices.Collect(Stream(o))
	require.Equal(t, len(first), len(second))
	for i := range first {
		require.Equal(t, first[i].At, second[i].At)
		require.Equal(t, string(first[i].Resource), string(second[i].Resource))
	}
	o.Seed = 8
	other := slices.Collect(Stream(o))
	require.False(t, slices.EqualFunc(first, other, func(a, b Event) bool { return bytes.Equal(a.Resource, b.Resource) }))
}

func TestAStreamMayBeLeftAndRangedOverAgain(t *testing.T) {
	stream := Stream(Options{Patients: 5, Seed: 3, Length: 2 * time.Hour})
	var first Event
	for e := range stream {
		first = e
		break
	}
	for e := range stream {
		require.Equal(t, first, e)
		break
	}
}

func TestEventsComeInOrderAndWithinTheTimeAsked(t *testing.T) {
	end := DefaultStart.Add(24 * time.Hour)
	last := DefaultStart
	for _, e := range day() {
		require.False(t, e.At.Before(last), "at %v after %v", e.At, last)
		require.True(t, e.At.Before(end))
		last = e.At
	}
}

func TestADayOfTwoHundredPatientsHasTheExpectedSize(t *testing.T) {
	require.Greater(t, len(day()), 15_000)
	require.Less(t, len(day()), 45_000)
	kinds := map[string]int{}
	for _, e := range day() {
		kinds[e.ResourceType]++
	}
	t.Logf("%d events in 24 h: %v", len(day()), kinds)
	for _, kind := range []string{"Patient", "Encounter", "Condition", "Observation", "MedicationRequest", "MedicationAdministration", "Procedure"} {
		require.NotZero(t, kinds[kind], kind)
	}
}

func TestPatientsAreAdmittedBeforeAnythingElseIsSaidOfThem(t *testing.T) {
	known, admitted := map[string]bool{}, map[string]bool{}
	for _, e := range day() {
		r := e.seen
		switch r.ResourceType {
		case "Patient":
			require.Equal(t, e.Patient, r.ID)
			known[r.ID] = true
			continue
		case "Encounter":
			require.Equal(t, "IMP", r.Class.Code)
			require.True(t, known[e.Patient])
			admitted[e.Patient] = true
		}
		require.True(t, admitted[e.Patient], "%s before the admission of %s", r.ResourceType, e.Patient)
		require.Equal(t, "Patient/"+e.Patient, r.Subject.Reference)
	}
	require.GreaterOrEqual(t, len(known), 200)
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9.\-]{1,64}$`)

func TestVersionsOfAResourceCountUp(t *testing.T) {
	versions := map[string]string{}
	next := map[string]string{"": "1", "1": "2", "2": "3"}
	for _, e := range day() {
		r := e.seen
		require.Regexp(t, idPattern, r.ID)
		require.True(t, r.Meta.LastUpdated.Equal(e.At))
		key := r.ResourceType + "/" + r.ID
		require.Equal(t, next[versions[key]], r.Meta.VersionID, key)
		versions[key] = r.Meta.VersionID
	}
}

func TestEveryResourceHasWhatFHIRRequires(t *testing.T) {
	statuses := map[string][]string{
		"Encounter":                {"in-progress", "finished"},
		"Observation":              {"registered", "preliminary", "final", "amended", "entered-in-error"},
		"MedicationRequest":        {"active", "stopped", "completed"},
		"MedicationAdministration": {"completed"},
		"Procedure":                {"completed"},
	}
	for _, e := range day() {
		r := e.seen
		if want, ok := statuses[r.ResourceType]; ok {
			require.Contains(t, want, r.Status, r.ResourceType)
		}
		switch r.ResourceType {
		case "Observation":
			require.NotEmpty(t, r.Code.Coding)
			require.NotEmpty(t, r.Category)
			require.False(t, r.EffectiveDateTime.IsZero())
			require.False(t, r.EffectiveDateTime.After(e.At), "a result before its sample")
			for _, q := range quantities(r) {
				require.Equal(t, systemUCUM, q.System)
				require.NotEmpty(t, q.Code)
			}
		case "MedicationRequest", "MedicationAdministration":
			require.NotEmpty(t, r.MedicationCodeableConcept.Coding)
		case "Condition", "Procedure":
			require.NotEmpty(t, r.Code.Coding)
		}
	}
}

// quantities are the numbers of an observation.
func quantities(r seen) []quantity {
	var qs []quantity
	if r.ValueQuantity != nil {
		qs = append(qs, *r.ValueQuantity)
	}
	for _, c := range r.Component {
		qs = append(qs, c.ValueQuantity)
	}
	return qs
}

func TestNumbersAreThoseOfTheLiving(t *testing.T) {
	bounds := map[string]*measure{}
	for s := range measures {
		bounds[measures[s].code.Code] = &measures[s]
	}
	sums, counts := map[string]float64{}, map[string]int{}
	check := func(code string, q quantity) {
		sums[code] += q.Value
		counts[code]++
		if m := bounds[code]; m != nil {
			require.GreaterOrEqual(t, q.Value, m.low, code)
			require.LessOrEqual(t, q.Value, m.high, code)
			require.Equal(t, m.ucum, q.Code)
		}
	}
	for _, e := range day() {
		r := e.seen
		if r.ValueQuantity != nil {
			check(r.Code.Coding[0].Code, *r.ValueQuantity)
		}
		for _, c := range r.Component {
			check(c.Code.Coding[0].Code, c.ValueQuantity)
		}
		if len(r.Component) == 2 {
			require.Greater(t, r.Component[0].ValueQuantity.Value, r.Component[1].ValueQuantity.Value, "no pulse pressure")
		}
	}
	typical := []struct {
		s         sign
		low, high float64
	}{
		{heartRate, 72, 90}, {respRate, 14, 20}, {spo2, 94, 98}, {temperature, 36.6, 37.6}, {systolic, 115, 135},
		{diastolic, 65, 82}, {potassium, 3.9, 5.0}, {creatinine, 0.8, 1.9}, {sodium, 137, 141}, {lactate, 0.9, 3.0},
	}
	for _, want := range typical {
		code := measures[want.s].code.Code
		mean := sums[code] / float64(counts[code])
		require.Greater(t, mean, want.low, measures[want.s].code.Display)
		require.Less(t, mean, want.high, measures[want.s].code.Display)
	}
}

// timelines are what each patient's observations of a code say, by clinical time, the latest version of
// each resource only.
func timelines(t *testing.T, code string) map[string][]seen {
	t.Helper()
	latest := map[string]seen{}
	patients := map[string]string{}
	for _, e := range day() {
		r := e.seen
		if r.ResourceType == "Observation" && r.ValueQuantity != nil && r.Code.Coding[0].Code == code {
			latest[r.ID], patients[r.ID] = r, e.Patient
		}
	}
	lines := map[string][]seen{}
	for id, r := range latest {
		if r.Status != "entered-in-error" {
			lines[patients[id]] = append(lines[patients[id]], r)
		}
	}
	for _, line := range lines {
		slices.SortFunc(line, func(a, b seen) int { return a.EffectiveDateTime.Compare(b.EffectiveDateTime) })
	}
	return lines
}

func highest(line []seen) float64 {
	x := line[0].ValueQuantity.Value
	for _, r := range line {
		x = max(x, r.ValueQuantity.Value)
	}
	return x
}

func lowest(line []seen) float64 {
	x := line[0].ValueQuantity.Value
	for _, r := range line {
		x = min(x, r.ValueQuantity.Value)
	}
	return x
}

// taking are the patients with a prescription of a drug of this ATC class.
func taking(t *testing.T, class string) map[string]bool {
	t.Helper()
	on := map[string]bool{}
	for _, e := range day() {
		r := e.seen
		if r.ResourceType != "MedicationRequest" {
			continue
		}
		for _, c := range r.MedicationCodeableConcept.Coding {
			if c.System == systemATC && strings.HasPrefix(c.Code, class) {
				on[e.Patient] = true
			}
		}
	}
	return on
}

func TestEachArcOccurs(t *testing.T) {
	cases := []struct {
		name, code string
		drug       string // ATC
		is         func(line []seen) bool
	}{
		{"sepsis recovers after antibiotics", "2524-7", "J01CR05", func(l []seen) bool { return highest(l) > 3 && l[len(l)-1].ValueQuantity.Value < highest(l)-1 }},
		{"sepsis has a fever", "8310-5", "J01CR05", func(l []seen) bool { return highest(l) > 38.3 }},
		{"sepsis has a fast pulse", "8867-4", "J01CR05", func(l []seen) bool { return highest(l) > 105 }},
		{"sepsis lowers the pressure of oxygen", "59408-5", "J01CR05", func(l []seen) bool { return lowest(l) < 94 }},
		{"creatinine rises after an NSAID", "2160-0", "M01A", func(l []seen) bool { return highest(l) >= 1.5*lowest(l) }},
		{"potassium rises on an ACE inhibitor", "2823-3", "C09AA", func(l []seen) bool { return highest(l) >= 6 }},
		{"glucose falls on insulin", "41653-7", "A10A", func(l []seen) bool { return lowest(l) < 54 }},
		{"INR rises on warfarin", "6301-6", "B01AA03", func(l []seen) bool { return highest(l) > 5 }},
		{"potassium falls on digoxin", "2823-3", "C01AA05", func(l []seen) bool { return lowest(l) < 3.5 }},
		{"metformin though the kidneys hardly filter", "98979-8", "A10BA02", func(l []seen) bool { return lowest(l) < 30 }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			on, found := taking(t, c.drug), 0
			for patient, line := range timelines(t, c.code) {
				if on[patient] && c.is(line) {
					found++
				}
			}
			require.GreaterOrEqual(t, found, 3)
		})
	}
}

func TestSomeWithSepsisHaveTheirBloodCulturedInTimeSomeLateAndSomeNever(t *testing.T) {
	taken, began := map[string]time.Time{}, map[string]time.Time{}
	for _, e := range day() {
		of, at, first := e.seen.Code, e.seen.EffectiveDateTime, taken
		if e.seen.ResourceType == "MedicationRequest" {
			of, at, first = e.seen.MedicationCodeableConcept, e.At, began
		}
		isOf := func(c coding) bool { return c.Code == "600-7" || c.Code == "J01CR05" }
		if _, met := first[e.Patient]; !met && slices.ContainsFunc(of.Coding, isOf) {
			first[e.Patient] = at
		}
	}
	before, late, never := 0, 0, 0
	for patient, at := range began {
		switch cultured, ok := taken[patient]; {
		case !ok:
			never++
		case cultured.Before(at):
			before++
		default:
			late++
		}
	}
	require.Positive(t, before)
	require.Positive(t, late)
	require.Positive(t, never)
}

func TestMostPatientsAreStable(t *testing.T) {
	calm, all := 0, 0
	for _, line := range timelines(t, "8867-4") {
		all++
		if highest(line) < 110 {
			calm++
		}
	}
	require.Greater(t, float64(calm), 0.7*float64(all))
}

func TestTimeAloneChangesAnswers(t *testing.T) {
	end := DefaultStart.Add(24 * time.Hour)
	// silent says how long after a result the next one came, or the day ended.
	silent := func(line []seen, i int) time.Duration {
		if i+1 < len(line) {
			return line[i+1].EffectiveDateTime.Sub(line[i].EffectiveDateTime)
		}
		return end.Sub(line[i].EffectiveDateTime)
	}
	count := func(code string, is func(x float64) bool, silence time.Duration) int {
		n := 0
		for _, line := range timelines(t, code) {
			for i, r := range line {
				if is(r.ValueQuantity.Value) && silent(line, i) > silence {
					n++
					break
				}
			}
		}
		return n
	}
	require.GreaterOrEqual(t, count("2524-7", func(x float64) bool { return x > 2 }, 6*time.Hour), 2, "a high lactate that is not repeated")
	require.GreaterOrEqual(t, count("41653-7", func(x float64) bool { return x < 70 }, 4*time.Hour), 1, "a low glucose that leaves its window")

	aging := 0
	for _, line := range timelines(t, "4548-4") {
		due := line[len(line)-1].EffectiveDateTime.AddDate(0, 6, 0)
		if due.After(DefaultStart) && due.Before(end) {
			aging++
		}
	}
	require.GreaterOrEqual(t, aging, 1, "an HbA1c that becomes six months old")
}

func TestRecordsAreMendedAndComeLate(t *testing.T) {
	amended, mistaken, late := 0, 0, 0
	newest := map[string]time.Time{}
	first := map[string]bool{}
	for _, e := range day() {
		r := e.seen
		if r.ResourceType != "Observation" {
			continue
		}
		switch r.Status {
		case "amended":
			require.True(t, first[r.ID])
			amended++
		case "entered-in-error":
			require.True(t, first[r.ID])
			mistaken++
		}
		first[r.ID] = true
		if r.EffectiveDateTime.Before(newest[e.Patient]) {
			late++
		} else {
			newest[e.Patient] = r.EffectiveDateTime
		}
	}
	t.Logf("%d amended, %d entered in error, %d out of order", amended, mistaken, late)
	require.Greater(t, amended, 20)
	require.Greater(t, mistaken, 3)
	require.Greater(t, late, 500)
}

func TestPatientsLeaveAndOthersCome(t *testing.T) {
	finished, patients := 0, map[string]bool{}
	for _, e := range day() {
		r := e.seen
		patients[e.Patient] = true
		if r.ResourceType == "Encounter" && r.Status == "finished" {
			require.NotEmpty(t, r.Period.End)
			finished++
		}
	}
	require.Greater(t, finished, 5)
	require.Greater(t, len(patients), 200)
}
