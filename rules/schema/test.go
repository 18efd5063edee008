package schema

// Cases is a file of test cases, beside the pack that they test.
var Cases = &Mapping{Name: "test", About: "Test cases of a Vigil rule pack", Keys: []Key{
	{"now", text, "The instant that offsets count from where a case does not say its own, as in 2026-03-01T12:00:00Z.", false},
	{"parameters", named(anyName, named(anyName, text)), "A site's own values of parameters, by pack and name, as its parameters.yaml has them; they hold in every case.", false},
	{"cases", someOf(a("case")), "The test cases.", true},
}}

// Case is one test case.
var Case = &Mapping{Name: "case", About: "What is known about one patient, and what a rule must then say.", Keys: []Key{
	{"name", text, "What the case shows, in a few words.", true},
	{"rule", text, "The id of the rule that the case tests; inputs are those of its pack.", true},
	{"now", text, "The instant that offsets count from, as in 2026-03-01T12:00:00Z.", false},
	{"parameters", named(anyName, named(anyName, text)), "A site's own values of parameters, by pack and name, that hold in this case.", false},
	{"patient", a("patient"), "The patient's person.", false},
	{"history", either(named(anyName, notation), listOf(fact)), "What is known of the patient: by input, as in `creatinine: 0.9 @ -5d, 1.4 @ -2h`, or fact by fact.", false},
	{"facts", either(named(anyName, notation), listOf(fact)), "Another word for history.", false},
	{"fhir", either(text, someOf(text)), "Files of FHIR beside this one that tell the patient's history.", false},
	{"expect", either(a("expectation"), someOf(a("expectation"))), "What the rule must say, and when.", false},
	{"fired", turns, "Every instant at which the rule becomes true, or `never`; or the same of several rules by id.", false},
	{"cleared", turns, "Every instant at which the rule is no longer true, or `never`; or the same of several rules by id.", false},
	{"until", text, "How far fired and cleared look, beyond all that is written.", false},
}}

var (
	// notation is a history in short: one text, or several.
	notation = either(text, listOf(text))
	// fact is an entry of a list of facts: written by the name of its input, or written out.
	fact  = either(a("fact"), single(notation))
	turns = either(text, listOf(text), named(anyName, either(text, listOf(text))))
)

// Patient is the patient's person.
var Patient = &Mapping{Name: "patient", About: "The patient's person.", Keys: []Key{
	{"id", text, "Which patient of a FHIR file the case is about.", false},
	{"born", text, "The date of birth, or an offset from now.", false},
	{"age", text, "The age now, as in 76, or 8mo.", false},
	{"sex", text, "male, female, other or unknown.", false},
	{"died", text, "When the patient died.", false},
}}

// Fact is a fact that is written out rather than by the name of its input.
var Fact = &Mapping{Name: "fact", About: "A fact, written out.", Keys: []Key{
	{"code", text, "The code, as system|code.", false},
	{"codes", listOf(text), "The codes, where the fact has several.", false},
	{"kind", oneOf(Kinds...), "What kind of fact it is; observation unless it says otherwise.", false},
	{"value", text, "A number, perhaps with a comparator such as <; true or false; or a code, as system|code.", false},
	{"text", text, "The value, where it is a text.", false},
	{"unit", text, "The number's unit.", false},
	{"at", text, "When: now, an offset such as -40h, a date or an instant.", false},
	{"until", text, "The end of the fact's period, or `open`.", false},
	{"known", text, "When the log learned of it.", false},
	{"authored", text, "When it was written down.", false},
	{"attributes", named(anyName, either(text, listOf(text))), "Other properties of the fact by name, such as status.", false},
}}

// Expectation is what is expected at one instant.
var Expectation = &Mapping{Name: "expectation", About: "What a rule must say at one instant.", Keys: []Key{
	{"at", text, "When: now, or an offset such as +46h.", false},
	{"rule", text, "The id of another rule than the case's.", false},
	{"period", text, "When the period begins that is meant, of a rule with for_each: an offset such as -3d.", false},
	{"truth", either(truth, named(anyName, truth)), "true, false or unknown; or the same of several rules by id.", false},
	{"values", named(anyName, text), "What questions of the rule answer, as in {\"creatinine.last('48h')\": 1.4}, or `missing`; and what its scores come to and its parameters are, by name, as in {score: 5} or {score: 3 to 5}.", false},
	{"message", either(text, a("message")), "The whole message, or what it contains.", false},
}}

// Message is an expected message that is not the whole of it.
var Message = &Mapping{Name: "message", About: "A part of a message.", Keys: []Key{
	{"contains", either(text, someOf(text)), "What the message contains, or several such parts.", true},
}}

// Tests is the format of files of test cases.
var Tests = Document{"test", Cases, []*Mapping{Case, Patient, Fact, Expectation, Message}}
