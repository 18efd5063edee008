package rulestest

// What each mapping of a file of test cases may have for keys.
var (
	// FileKeys are those of the file.
	FileKeys = []string{"now", "parameters", "cases"}
	// CaseKeys are those of a test case; RequiredCaseKeys it must have.
	CaseKeys         = []string{"name", "rule", "now", "parameters", "patient", "history", "facts", "fhir", "expect", "fired", "cleared", "until"}
	RequiredCaseKeys = []string{"name", "rule"}
	// PatientKeys are those of a case's patient.
	PatientKeys = []string{"id", "born", "age", "sex", "died"}
	// FactKeys are those of a fact that is written out rather than by an input's name.
	FactKeys = []string{"code", "codes", "kind", "value", "text", "unit", "at", "until", "authored", "known", "attributes"}
	// ExpectationKeys are those of what is expected at one instant.
	ExpectationKeys = []string{"at", "rule", "period", "truth", "values", "message"}
	// MessageKeys are those of an expected message that is not the whole of it.
	MessageKeys = []string{"contains"}
)
