// Package rulestest reads the test cases of rule packs. A case tells a patient's history and says what
// rules must answer at some instants; cases are data that clinicians can read, beside the pack.
// Package rulesrun runs them.
//
//	now: 2026-03-01T12:00:00Z                  # all offsets count from here; what it is unless a case says otherwise
//	parameters: {renal: {potassium_limit: 5.8}}   # optional: a site's own values, as its parameters.yaml has them
//	cases:
//	  - name: creatinine up by 0.3 within 48 h # required
//	    rule: aki-kdigo-1                      # required: what is expected is about it, the inputs are its pack's
//	    patient: {age: 76, sex: female}        # optional: born or age, sex, died, and id to choose one of a FHIR file
//	    history:
//	      creatinine: 0.9 @ -5d, 1.4 @ -2h     # an input of the pack: what was found, and when
//	      warfarin: active @ -3d..
//	    expect:
//	      - {at: now, truth: true}
//	      - {at: +46h1ms, truth: false}
//
// `parameters` of a case hold besides those of the file, or in their place; both hold besides those of the
// set, or in their place. The case runs as the set does at a site that has set them, within their bounds.
//
// # History
//
// The key is the name of an input, a code ("loinc|2160-0", an observation), or a kind and a code
// ("medication rxnorm|11289"). A fact written by an input's name is of the input's kind, with the first
// of its codes, its unit and its type of value. Conditions of an input's `where` are not applied to what
// is written: whether a fact belongs to an input is for the evaluators to say. The value is a text, or a
// list of texts, in this notation:
//
//	entries   = entry { "," entry } .
//	entry     = statement { "->" amendment } .
//	statement = [ code "=" ] [ value ] "@" time [ ".." [ time ] ] [ attributes ] [ "known" time ] .
//	amendment = ( [ value ] [ "@" time [ ".." [ time ] ] ] [ attributes ] | "retracted" ) "known" time .
//	value     = [ "<" | "<=" | ">" | ">=" ] number [ unit ] | "true" | "false" | code | text | status .
//	attributes = "{" [ name ":" item { "," name ":" item } ] "}" .
//	item      = number | text | "[" text { "," text } "]" .
//
// A statement with ".." has a period; without an end it goes on. One without is at an instant. What a
// value is depends on the input: a number, a code of a `value: code` input, true or false, a text (in
// double quotes where it has a comma). Facts of other kinds than observations have a status instead,
// which becomes the attribute clinical_status of a condition or an allergy and status of the others; what
// has the status not-done or not-taken is negated besides.
//
// An amendment is a newer version of the same resource, with what it does not say left as it was, except
// that attributes in braces replace all; "retracted" is entered in error. "known" says when the log
// learned of a statement; without it that is when the fact begins.
//
// History may also be a list of such mappings with one key each, and of facts written out, with code or
// codes, and optionally kind (observation unless it says otherwise), value, text, unit, at (now unless it
// says otherwise), until (a period's end, or "open"), authored, known and attributes. `facts` is another word for
// history. Of what is known at one instant, that written later was stated later.
//
// fhir names files of FHIR beside the file of cases: a resource, a Bundle, or either on each line. What
// they state is known at the latest time that it states or was updated, at the latest now, unless it is
// dated after now; its `now` must be written. The patient is known from the beginning of the history.
//
// # Times
//
// A time is "now", an offset such as -40h, +0h, -1d12h or -6mo (the units of windows; months and years by
// the program's calendar), a date, or an instant as in 2026-03-01T10:00 (in the program's zone) or
// 2026-03-01T10:00:00Z. A patient of age 76 was born 76 years and a half before now, one of 8mo eight
// months and a half.
//
// # Expectations
//
//	expect:                                    # one, or a list
//	  - at: +6h                                # now unless it says otherwise
//	    truth: true                            # true, false or unknown; or of several rules: {aki-kdigo-2: false}
//	    values: {"creatinine.last('48h')": 1.4}   # terms of the rule or its message; or "missing"
//	    values: {score: 5, potassium_limit: 5.8}  # scores and parameters by name; a score not known is "3 to 5"
//	    message: {contains: 1.4 mg/dL}         # or the whole of it, or several that it contains
//	    rule: aki-kdigo-1                      # another rule than the case's
//	fired: -2h                                 # every instant at which the rule becomes true: one, a list or
//	cleared: +46h1ms                           # "never"; or of several rules: {aki-kdigo-2: never}
//	until: +7d                                 # how far fired and cleared look, beyond all that is written
//
// A case that expects nothing is at fault, and so is one with a rule, an input, a key or a term that is
// not there: everything wrong with a file is reported at once, as rules.Faults.
//
// Nothing here keeps state; everything may be called from any number of goroutines.
package rulestest
