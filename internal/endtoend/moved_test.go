package endtoend

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const movedPack = `pack: moved
inputs:
  potassium: {observation: ["loinc|2823-3"], unit: mmol/L}
  nsaid: {medication: ["rxnorm|5640"]}
rules:
  - id: hyperkalaemia
    title: Potassium is high
    severity: critical
    source: test
    when: potassium.last() >= 6
    message: Potassium {{ potassium.last() }} mmol/L
  - id: nsaid
    title: An NSAID is ordered
    severity: info
    source: test
    when: nsaid.active()
    message: An NSAID is ordered
`

// active is the rules that are true of a patient once the service has seen the position.
func (s *server) active(patient, position string) []string {
	s.t.Helper()
	rules := []string{}
	for _, alert := range s.answer(patient, "2026-03-02T00:00:00Z", position)["alerts"].([]any) {
		rules = append(rules, alert.(map[string]any)["rule"].(string))
	}
	return rules
}

// put sends a resource and returns the position of the write.
func (s *server) put(name, body string) string {
	s.t.Helper()
	status, header, answer := s.send(http.MethodPut, "/fhir/"+name, mediaFHIR, []byte(body))
	require.Equal(s.t, http.StatusOK, status, string(answer))
	return header.Get("Vigil-Position")
}

func TestAResultThatWasAnothersIsTakenAwayFromTheWrongPatient(t *testing.T) {
	dir := t.TempDir()
	pack := filepath.Join(dir, "moved.yaml")
	write(t, pack, movedPack)
	s := serve(t, filepath.Join(dir, "data"), "--rules", pack)
	result := func(version int, patient string) string {
		return s.put("Observation/k", fmt.Sprintf(`{"resourceType":"Observation","id":"k","meta":{"versionId":"%d"},"status":"final",`+
			`"code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"subject":{"reference":"Patient/%s"},`+
			`"effectiveDateTime":"2026-03-01T10:00:00Z","valueQuantity":{"value":6.4,"code":"mmol/L"}}`, version, patient))
	}
	holds := func(position string, a, b []string) {
		t.Helper()
		require.Equal(t, a, s.active("a", position), "a")
		require.Equal(t, b, s.active("b", position), "b")
	}
	high, none := []string{"hyperkalaemia"}, []string{}
	holds(result(1, "a"), high, none)
	holds(result(2, "b"), none, high)
	holds(result(1, "a"), none, high) // late: it was wrong then, and is no better now

	// After a restart only the store knows whose it was.
	s.stop()
	s = serve(t, filepath.Join(dir, "data"), "--rules", pack)
	holds("", none, high)
	holds(result(3, "a"), high, none)
}

func TestAnOrderIsSeenByTheDrugOfAMedicationSentEarlier(t *testing.T) {
	dir := t.TempDir()
	pack := filepath.Join(dir, "moved.yaml")
	write(t, pack, movedPack)
	s := serve(t, filepath.Join(dir, "data"), "--rules", pack)
	order := func(id, patient string) string {
		return s.put("MedicationRequest/"+id, `{"resourceType":"MedicationRequest","id":"`+id+`","status":"active","intent":"order",`+
			`"subject":{"reference":"Patient/`+patient+`"},"authoredOn":"2026-03-01","medicationReference":{"reference":"Medication/m"}}`)
	}
	s.put("Medication/m", `{"resourceType":"Medication","id":"m","code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"5640"}]}}`)
	require.Equal(t, []string{"nsaid"}, s.active("a", order("1", "a")))
	s.stop()
	s = serve(t, filepath.Join(dir, "data"), "--rules", pack)
	require.Equal(t, []string{"nsaid"}, s.active("b", order("2", "b")))
	s.stop()
}
