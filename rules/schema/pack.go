package schema

import "slices"

// The forms of names, as the reader of packs checks them.
const (
	idForm    = "^[a-z0-9]+(-[a-z0-9]+)*$"
	inputForm = "^[a-z][a-z0-9_]*$"
	anyName   = "."
)

// codes are a list of codes, or a single one.
var codes = either(text, someOf(text))

// Pack is a pack, a file of its own.
var Pack = &Mapping{Name: "pack", About: "A Vigil rule pack", Keys: []Key{
	{"pack", pattern(idForm), "The pack's name, in small letters, digits and hyphens: one per rule set.", true},
	{"version", text, "The pack's own version, for people.", false},
	{"zone", text, "The time zone by which months, years, ages and times in messages are reckoned, as in Europe/London.", false},
	{"title", text, "What the pack is about, in a few words.", false},
	{"description", text, "What the pack is for, what it leaves out, and for whom.", false},
	{"constants", named(inputForm, either(text, someOf(text))), "Numbers, texts, lengths of time or lists of them that expressions use by name.", false},
	{"parameters", named(inputForm, a("parameter")), "Values that a site may set for itself, within bounds, by the names that expressions use.", false},
	{"tables", named(inputForm, a("table")), "Tables to look a value up in, as in table('limits', patient.age, patient.sex).", false},
	{"scores", named(inputForm, either(a("score"), someOf(a("item")))), "Scores that several rules compare, by the names that expressions use.", false},
	{"valuesets", named(anyName, codes), "Lists of codes by name, for inputs to refer to. FHIR ValueSets in .json files of the rule set need not be listed.", false},
	{"inputs", named(inputForm, a("input")), "The facts that the rules speak of, by the names that expressions use.", false},
	{"rules", listOf(a("rule")), "The rules.", false},
}}

// Kinds are the words with which an input says what kind of fact it takes.
var Kinds = []string{"observation", "condition", "medication", "immunization", "procedure", "encounter",
	"allergy", "report", "order", "care_plan", "device"}

// Input is what stands under an input's name.
var Input = &Mapping{Name: "input", About: "A named filter over the patient's facts: one kind of fact with its codes, or another input with more conditions.",
	Keys: slices.Concat([]Key{
		{"from", text, "The input that this one is made from: it takes those of its facts that meet `where`.", false},
		{"during", either(text, someOf(text)), "An input with periods, or several: only facts within a period of each are taken.", false},
		{"unit", text, "The UCUM unit that numbers are converted to, as in mg/dL. Numbers that cannot be converted are left out.", false},
		{"molar_mass", text, "The molar mass of the substance measured, as in 113.12 g/mol: mass and amount of substance are both taken.", false},
		{"valence", wholeNumber, "How many equivalents a mole of the substance has: equivalents are taken, too.", false},
		{"value", oneOf("number", "code", "boolean", "text"), "What the values are; number unless it says otherwise.", false},
		{"where", either(text, someOf(text)), "Conditions about the fact itself, such as `value > 5` or `status == 'final'`; all must be true.", false},
	}, kinds())}

func kinds() []Key {
	out := make([]Key, len(Kinds))
	for i, kind := range Kinds {
		out[i] = Key{kind, either(codes, a("filter")), "The codes, each as system|code, of which a fact of this kind has one; `any`; or {valueset: name}.", false}
	}
	return out
}

// Filter is what an input has in place of a list of codes.
var Filter = &Mapping{Name: "filter", About: "Codes by reference.", Keys: []Key{
	{"valueset", either(text, someOf(text)), "A value set of this pack, or the name, id or url of a FHIR ValueSet of the rule set; or a list of them.", true},
	{"codes", codes, "Codes besides those of the value sets, each as system|code.", false},
}}

// Rule is an entry of a pack's rules.
var Rule = &Mapping{Name: "rule", About: "A rule: when it is true of a patient, and what it then says.", Keys: []Key{
	{"id", pattern(idForm), "The rule's id, in small letters, digits and hyphens: one per rule set.", true},
	{"version", wholeNumber, "A whole number from 1, raised when the rule changes its meaning.", false},
	{"title", text, "A short title for whoever reads the alert.", true},
	{"severity", oneOf("info", "warning", "critical"), "How urgent the alert is.", true},
	{"source", text, "The guideline that the rule follows, with its year and section.", true},
	{"tags", listOf(text), "Words to find the rule by.", false},
	{"for_each", text, "An input: the rule holds for each of its periods by itself, such as once per stay.", false},
	{"score", someOf(a("item")), "The items of a score that the condition and the message call `score`.", false},
	{"when", condition, "The condition: an expression, or all, any, none or at_least of further conditions.", true},
	{"message", text, "The alert's text; a question in {{ }} is replaced by its answer.", false},
}}

// condition is an expression or a Condition.
var condition = either(text, a("condition"))

// Condition is a condition that is not an expression.
var Condition = &Mapping{Name: "condition", About: "Conditions joined together.", Alone: true, Keys: []Key{
	{"all", someOf(condition), "True when every one of these is.", false},
	{"any", someOf(condition), "True when at least one of these is.", false},
	{"none", someOf(condition), "True when every one of these is false.", false},
	{"at_least", a("at_least"), "True when at least so many of these are.", false},
}}

// AtLeast is what stands under at_least.
var AtLeast = &Mapping{Name: "at_least", About: "How many of some conditions must be true.", Keys: []Key{
	{"n", wholeNumber, "How many.", true},
	{"of", someOf(condition), "The conditions.", true},
}}

// Parameter is what stands under a parameter's name.
var Parameter = &Mapping{Name: "parameter", About: "A value that a site may set for itself.", Keys: []Key{
	{"default", text, "The value that the guideline gives: a number, a length of time, true or false.", true},
	{"min", text, "The least that a site may set.", false},
	{"max", text, "The greatest that a site may set.", false},
	{"unit", text, "The number's unit, for people.", false},
	{"title", text, "What the value is, in a few words.", false},
}}

// Table is what stands under a table's name.
var Table = &Mapping{Name: "table", About: "A table by which a value is found.", Keys: []Key{
	{"columns", someOf(text), "The names of the columns, the answer's last.", true},
	{"rows", someOf(someOf(text)), "The rows; a cell is a band such as 18..64, a text, true, false or any.", true},
	{"else", text, "The answer where no row fits.", false},
}}

// Score is what stands under a score's name, unless it is a list of items.
var Score = &Mapping{Name: "score", About: "A sum of points.", Keys: []Key{
	{"title", text, "What the score measures.", false},
	{"items", someOf(a("item")), "What gives points.", true},
}}

// Item is one item of a score.
var Item = &Mapping{Name: "item", About: "An item of a score: a condition with its points, or a number with bands, which may count only under a condition.", Keys: []Key{
	{"when", condition, "The condition that gives the points, or under which the bands count.", false},
	{"points", text, "The points, where the condition is true.", false},
	{"term", text, "The number that the bands are of.", false},
	{"bands", someOf(someOf(text)), "The bands with their points, as in [[..8, 3], [9..24, 0], [25.., 3]].", false},
	{"unknown", text, "The points that count where the item is not known.", false},
}}

// Packs is the format of packs.
var Packs = Document{"pack", Pack, []*Mapping{Input, Filter, Rule, Condition, AtLeast, Parameter, Table, Score, Item}}
