// Package render shows an explanation to people: in one plain sentence (Sentence), as text for a terminal
// (Text) and as a self-contained page (HTML); a difference of two as text and as a page.
//
// Every function is a pure one over the record: there is no clock, no store and no log behind it, and the
// same record gives the same bytes (the rules of a time zone are Go's). What is written is the patient's
// data and goes nowhere but to the writer. Any number of goroutines may render the same record at the same
// time; it is only read.
//
// Times are shown in the zone given, or where that is nil in the one that the rule set counts days in.
// A date that was stated without a time is always shown in the rule set's zone, since that is the zone it
// was read in: elsewhere it would be the day before. A time is never shown finer than it was stated.
//
// Numbers are shown as rules.Value shows them. In a sentence, those that nobody has stated but that were
// worked out (a conversion, a mean, a difference) are rounded to three significant digits where they are
// long, ratios to two, and to more where it takes more to tell them from what they are compared with:
// 1.498 is never "1.5, below 1.5".
package render
