// Package fhir turns FHIR R4 into facts. It is pure: no clock, no I/O, no logs; the same bytes, and the
// same answers of Options, give the same facts for ever.
//
// # What becomes a fact
//
//	Patient                     birth date (Time), death (End), sex
//	Observation                 one fact for its code, one more for each component
//	Condition, AllergyIntolerance, Procedure, Immunization, Encounter, DiagnosticReport,
//	ServiceRequest, DeviceRequest, CarePlan, Device, DeviceUseStatement
//	                            one fact each
//	MedicationRequest, -Administration, -Statement, -Dispense
//	                            one fact each, of one kind, told apart by the attribute resource_type
//
// Every coding of a CodeableConcept is in the fact's stream. A concept that has only a text gives the
// code "text|" and the text in lower case; a reference to something that is not in the input gives
// "reference|" and the reference, besides the codes of a Medication that came earlier. Other types of
// R4 state no facts; they are Counted as such, not refused. Elements that the mapping does not know are
// ignored.
//
// A resource that is entered in error, and one that says no more than what is planned or was called
// off, states no facts. What was refuted, not done, not given, not taken, or must not be performed is
// a fact with the attribute negated; so is an Observation that was cancelled for a stated reason
// (qicore-notDoneReason), and what a modifierExtension of QI-Core says was not done. A modifierExtension that
// is not known may turn the meaning around: the resource is refused.
//
// # A Medication on its own
//
// A medication resource that refers to a Medication has every coding of it in its fact's stream. The
// Medication is looked for among the contained resources, in the same Bundle, and then among those that
// came earlier, as far as Options.Medication knows them. A Medication that arrives or changes after the
// resource that refers to it changes nothing until that resource is sent again, in a newer version if it
// has versions.
//
// # A reason on its own
//
// A resource that names a Condition as its reason (reasonReference) has every coding of it in its attribute
// reason, beside those of reasonCode; an Encounter those of its diagnoses in its attribute diagnosis, whatever
// their use and rank. The Condition is looked for among the contained resources and in the
// same Bundle. One that came in another input is not: a diagnosis may change, and its patient may be
// forgotten, while what refers to it stays as it was stated.
//
// # When it was
//
// A fact's Time is the clinical time that the resource states; where it states none, the time at which
// it was written down, then meta.lastUpdated. A resource with none of these gives facts at
// clinical.Never, which Mapped.DateUndated moves to the instant at which the log learned of them. A
// period's end that is a date includes the whole of that day (month, year), as FHIR has it; every other
// partial date stands for its start. A period that ends before it starts ends at its start.
//
// # Whose it is
//
// A patient is known by an id of FHIR's letters, digits, '-' and '.', and '_', which real feeds use.
//
//	Patient/1  Patient/1/_history/2           1
//	https://any.server/fhir/Patient/1         1: one engine holds one id space
//	urn:uuid:…  urn:oid:…                     in a Bundle, the id of the entry it names; else what follows
//	Patient?identifier=system|value           in a Bundle, the Patient who has it; else IdentifierID
//	{"identifier": …} without a reference     likewise
//	#p1, a contained Patient                  IdentifierID of its first identifier
//
// # Values that are not one number
//
//	valueRange                  no value; attributes value_low and value_high, unit of the bounds
//	valueRatio                  numerator / denominator, unit "mg/mL" of the two units
//	valueTime, valueDateTime    the text
//	valuePeriod, valueSampledData, valueQuantity without value
//	                            no value
//
// # What else it says
//
// The attributes of a fact, and the element of each resource that they come from, are in the table of
// package clinical (clinical.Attributes). Of several dosage instructions the first is taken, and of it the
// first dose and rate: the others are steps away from it. When a resource was written down (issued,
// authoredOn, recordedDate, ...) is Fact.Authored.
//
// # Compact observations
//
// Monitors send one JSON object a line, read by Decoder.Compact:
//
//	{"patient":"1","code":"loinc|8867-4","time":"2026-03-01T10:00:00Z","value":80,"unit":"/min","id":"a7"}
//
// time is a FHIR dateTime or a number of milliseconds since 1970; value is a number, a string, true or
// false; unit and id may be left out. Without an id the observation is known by patient, code
// and time alone, so that the same one sent twice is one fact and a correction replaces it; it cannot be
// deleted by name. It has the status final. Unknown members are ignored; of a repeated one the last counts.
package fhir
