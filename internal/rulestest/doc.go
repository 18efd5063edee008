// Package rulestest runs the test cases of rule packs. A case gives facts about one patient and says
// what a rule must answer at some instants; cases are data that clinicians can read, beside the pack.
//
//	cases:
//	  - name: creatinine up by 0.3 within 48 h     # required
//	    rule: aki-kdigo-1                          # required
//	    now: 2026-03-01T12:00:00Z                  # required; all offsets count from here
//	    patient: {born: 1950-02-01, sex: female, died: +2d}   # optional, each key too
//	    facts:
//	      - creatinine: 0.9 @ -40h                 # an input of the rule's pack: value @ time
//	      - creatinine: <0.2 mg/dL @ -1h           # with a comparator, in another unit
//	      - nsaid: "@ -2d"                         # no value: a dose, a procedure
//	      - warfarin: "@ -2d .. +12h"              # a period; without an end it goes on: "@ -2d .."
//	      - {code: "loinc|2160-0", value: 1.3, unit: mg/dL, at: -2h}   # any fact at all
//	    expect:                                    # at least one
//	      - {at: +0h, truth: true}
//	      - {at: +46h, truth: false}               # or unknown
//
// A fact written by an input's name has the first of the input's codes, its unit and its type of value.
// A fact written out has code (or codes), and optionally kind (observation unless it says otherwise),
// value (a number, perhaps with a comparator, true or false, or a "system|code"), text, unit, at (now
// unless it says otherwise), until (a period's end, or "open"), and attributes, a mapping of names to a
// code, a number or a list of codes. Where conditions of inputs are not applied to what is written:
// whether a fact belongs to an input is for the evaluator to say.
//
// A time is "now", an offset such as -40h, +0h, -1d12h or -6mo (the units of windows; months and years
// by the program's calendar), a date, or an RFC 3339 instant.
//
// Cases are independent of how rules are evaluated: the caller gives the Evaluator. Nothing here keeps
// state; everything may be called from any number of goroutines.
package rulestest
