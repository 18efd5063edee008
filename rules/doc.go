// Package rules is the rule language: packs in YAML with expressions at the leaves, compiled once into
// an immutable Program. It is pure: no clock, no I/O, no logs, no metrics. This page is the contract;
// the engine (package pointer) and the reference evaluator (package explain) each fulfil it on their own.
//
// # Facts and inputs
//
// An input is a named filter over one kind of fact. A fact belongs to an input when
//
//   - its kind is the input's, and at least one of its codings is one of the input's codes (an input
//     that lists no codes takes every code of its kind);
//   - it is not negated (attribute "negated": do-not-perform, not done, refuted), and its value is not
//     absent (dataAbsentReason), unless the input's `where` asks for negated or absent_reason;
//   - every condition of its `where`, and of the inputs it is made `from`, is true of it (unknown is not
//     enough), and so is active() of every input that its `during` names, at its time;
//   - if the input is numeric and declares a unit, and the fact carries a number, then that number can
//     be converted to the input's unit. A number without a unit, or in a unit that cannot be converted,
//     is not guessed: the fact does not belong to the input (and Program.Unconvertible says so). A mass,
//     an amount of substance and equivalents (mg/dL, mmol/L, meq/L; alone, per volume or per time) are
//     converted to each other only where the input declares the substance's `molar_mass`, between mass and
//     amount, and its `valence`, between amount and equivalents.
//
// An input's type is number unless it says `value: code`, `value: boolean` or `value: text`. Terms about
// values see the facts of the input that carry a value of that type: a number (converted to the input's
// unit); a boolean; a text; for code, the code (without its system) of the value's first coding.
// exists, count and the terms about time see every fact of the input.
//
// # What a `where` can ask about a fact
//
// clinical.Attributes is the table of the properties: which kinds of fact have each, and the FHIR element
// that it comes from. To ask for one that the input's kind never has is a fault. A property that the fact
// does not have is missing, so that a condition about it is unknown and the fact does not belong, unless
// the condition says otherwise by `??`; has(reason) is whether the fact has it, true or false.
//
//   - A coded property (status, category, reason, code, value of a `value: code` input, ...) is compared with
//     texts by ==, != and `in ['a', 'b']`. A text is a code ('final') or a system and a code
//     ('snomed|91302008'); a code system that HL7 publishes may go by the last part of its address
//     ('v3-ObservationInterpretation|H'). Of several codings any may match; != is true when none does.
//     `reason in valueset('sepsis')` is true when any coding is a member of the value set. A coding without
//     a system (status, intent, class: FHIR fixes their systems) is a member where its code is, in any system.
//   - A number (reference_low, reference_high, value_low, value_high) is in the input's unit, to which it is
//     converted as the value is. A number that cannot be converted is missing; a reference limit beside a
//     value that is no number is as sent.
//   - A quantity (dose, rate) has a unit of its own and is asked for in a unit: dose('mg'), rate('mL/h'); a
//     rate in one per time, a dose in one that is not. It is missing where it was sent without a unit, or in
//     one that cannot be converted. Two quantities stand side by side only in the same unit. dose_unit and rate_unit are the units as sent.
//   - A time (start, end, authored) is compared with another time. start is the fact's clinical time, missing
//     where it is not known; end is start for a fact at an instant, and for one that goes on an instant
//     later than every other: it has not come yet, and is not missing. authored is when the resource says
//     that it was written down (issued, authoredOn, recordedDate), not when the log learned of it: what it
//     was recorded as is data, and does not change when the log is played again.
//   - A length of time (length, lag) is compared with another, or with a text as windows write it, without
//     months and years, which differ in length: `lag > '24h'`. It compares exactly. length is end - start,
//     0 at an instant, missing while the fact goes on. lag is authored - start: negative for what was
//     written down before, 0 where the resource states no other time, missing without either.
//   - unit is the unit of the fact's value as a text, as it was sent.
//
// # Derived inputs
//
// A `where` may ask terms of other inputs and of the patient. They are asked at the fact's own time: what
// is called now below is then the time of the fact, so that glucose.last('24h') is the latest within the
// day before it. The fact itself is among those seen if it belongs to the input asked. Three things can be
// asked only here:
//
//	'after 5m'     sees time <= t <= time+5m; 'after 1h..6h' sees time+1h <= t <= time+6h
//	x.during().op() asks about the facts with time <= t <= end: those within the fact's own period
//	               (active() of them: those whose period shares an instant with it)
//	x.overlaps()   boolean: another fact of x has a period that shares an instant with the fact's own
//	               (both ends belong to a period; a fact at an instant is a period of that instant)
//
// hours_since and days_since, which stand still at the time of a fact, may stand anywhere in a `where`.
//
// Which facts belong depends on all that is on record, whether dated before now or after, in whatever order
// it arrived, and not on now: a fact belongs before its 'after' window has passed, for as long as nothing on
// record is against it. To wait, ask the input with a window that ends in the past: lows.exists('7d..5m').
// Inputs may be derived from derived inputs, but none from itself.
//
// # Windows and time
//
// A term asks at an instant now. With no window it sees every fact with time <= now. With a window
// '48h' it sees now-48h <= time <= now; with 'a..b' it sees now-a <= time <= now-b; both ends are
// closed, the resolution is one millisecond. Durations are whole numbers with a unit, and sums of
// them: ms s m h d w (exact; d is 24 hours) and mo y (calendar, in the pack's zone), as in '1y6mo', '36h'.
// A window may also be a day of the calendar in the pack's zone, which begins at the first instant of the date and
// ends before that of the next, be it of 23, 24 or 25 hours: 'today' is from the start of the day of now up to now,
// 'yesterday' the whole of the day before. 'last day' is from the start of the day of the latest fact with
// time <= now up to now: of the facts that the question is asked of (the input's, of which its condition, if it has
// one, is true), with a value or without; nothing where the time of none is known.
// A fact dated after now is not seen. Facts are in order of time, and of two at one instant the one
// stated later in the log is the later.
//
// # Terms
//
//	exists     boolean: the window has a fact
//	count      number: how many facts; 0 of none
//	last first the value of the latest, earliest fact of the window that has one
//	min max    number: the least, greatest
//	sum        number: 0 of none
//	mean       number
//	delta      number: last - first; needs two values
//	median     number: the middle value, of an even number the mean of the two in the middle
//	stddev     number: the standard deviation of a sample (squares divided by n-1); needs two values
//	rise fall  number: the greatest v[j]-v[i], v[i]-v[j] over i before j in the order of facts, at least 0;
//	           needs two values
//	slope      number: of the least-squares line through the values, in units a day; needs two instants
//	ewma('12h', window)  number: the weighted mean with weights 2^(-age/'12h'), where age is counted from the
//	           latest value, not from now: the answer does not move with the clock
//	nth(2, window)       the second value; nth(1) is the first, nth(-1) the last, nth(-2) the one before it
//	distinct   number: how many different values; of kinds that have none, how many different sets of codes.
//	           Numbers differ in their first twelve significant digits or in their comparator. 0 of none.
//	max_gap    number: the longest time between two facts in succession, with or without a value, in hours;
//	           needs two. The ends of the window are no facts: the time up to the first and from the last
//	           does not count.
//	duration_above(180, window) duration_below(180, window)
//	           number: for how many hours the values were > 180, < 180. A value stands until the next one in
//	           the window; the last stands for no time, and nothing is carried in from before the window.
//	           With one more argument, 'carry 4h', none stands for longer than that. 0 of one value.
//	last_time first_time   time of the latest, earliest fact
//	hours_since days_since number: from the latest fact of the window to now, in hours, in days of 24 hours
//	active     boolean: some fact of the input holds: time <= now <= end. With a window some fact held at some
//	           instant of it: its period has an instant in common with the window (both ends belong to both)
//	overlaps   boolean: see derived inputs, and rules for each period
//	start end ended hours_since_start hours_since_end   see rules for each period
//	patient.age patient.age_months   completed years, months at now, in the pack's zone, by the calendar:
//	           a year is completed at the start of the birthday (28 February for one born on the 29th)
//	patient.birth_date  time: the start of the day of birth
//	patient.sex text; patient.deceased boolean, true from the instant of death on (false while not known dead)
//
// Any question but those about the patient may have a condition as its last argument: it is then asked of
// those facts of the input alone of which the condition is true. creatinine.last('48h', value >= 1.5) is
// high.last('48h') of an input {from: creatinine, where: value >= 1.5}, and the condition is all that a
// `where` may be.
//
// Two times may be asked about by the calendar of the pack's zone; missing where either is:
//
//	same_day(a, b)      boolean: whether both lie in one day. The end of what goes on lies in none.
//	patient.age_at(t) patient.age_months_at(t)   completed years, months at t instead of now; missing before the
//	                    birth and for the end of what goes on
//
// Where there is nothing to answer with, a term is missing: last, first, min, max, mean, median, ewma,
// duration_above and _below of no value, nth of fewer than that, delta, stddev, rise and fall of fewer than
// two, slope of fewer than two instants, max_gap of fewer than two facts, the times of no fact, age of an
// unknown birth date. If the log never said anything about the patient's person, patient.sex, age and deceased are missing.
//
// A pack's zone counts for the whole set: packs of one set that name different zones are a fault.
// Packs are otherwise independent; what two of them ask alike is worked out once.
//
// Numbers with a comparator: a result "<5" is a bound. last and first pass it on. If every value in the
// window is exact, min, max, sum, mean and delta are exact. Otherwise sum, mean and delta are missing;
// max is the greatest number stated: Above when any value of the window is Above, else Below if a value
// with that number is Below; but missing where the window has both Above and Below values; min is the
// mirror of it (the least number; Below when any value is Below; else Above if a value with that number
// is Above; missing with both).
// median, stddev, rise, fall, slope and ewma are missing where a value of the window has a comparator. nth
// passes one on. duration_above and _below are missing where it is unknown of a value that stands for some
// time whether it is beyond the level.
//
// Facts whose time is not known take no part in slope, ewma, max_gap and duration_above and _below. Sums are
// taken from the earliest fact to the latest: of stddev the mean first, then the squares of the differences
// from it; of slope the means of time (days from the first value) and of value first, then the products and
// squares of the differences; of ewma the products and the weights. Every term above changes, while nothing
// is stated, only when a fact enters its window or leaves it.
//
// A bounded number compares as far as it is known: "<5" < 5 and "<5" <= 5 are true (also for any greater
// number), "<5" >= 5 and "<5" > 5 false (also for any greater number), "<5" == 5 false (also for any
// greater), "<5" != 5 true (likewise); every other comparison is unknown. ">" is the mirror. Two bounded
// numbers compare to unknown. Arithmetic with a bounded number is missing.
//
// # Expressions
//
// Missing travels: arithmetic and comparison with a missing side are missing, and a missing boolean is
// the third truth value, unknown. `x ?? y` is x unless that is missing, then y. `c ? a : b` is missing
// when c is. `and`, `or`, `not` are Kleene's (truth.go); so are all (and), any (or), none (not any) and
// at_least (AtLeast). Division by zero is missing, and so is a result that is not finite. Numbers
// compare by Compare, everywhere: a fact's value in `where`, too.
//
// hours_since and days_since change with every millisecond, so an expression may only compare one of
// them by < <= > or >=, alone or with a ?? default, with something that has no such term in it:
// `lactate.hours_since() >= 6`, `(lactate.hours_since() ?? 1000) > 6`. In a message they are shown in
// whole units, rounded down.
//
// # Constants, parameters and tables
//
// A pack's `constants` are numbers, texts, booleans, and lists of numbers or texts. A name means its value:
// in an expression, after `in` (a list), and where a window stands (a text such as 365d..8d). A quoted
// number is a text. Constants, parameters and scores share one space of names with the pack's inputs.
//
// A pack's `parameters` are numbers, lengths of time (where a window stands) and switches (true, false) that
// a site may set, numbers and lengths of time from `min` to `max`, ends included (of lengths of time a month
// counts as 365.25/12 days). The site's values are a file of the set named parameters.yaml, `pack: {name:
// value}`; Set.With writes one from a configuration. They are part of the set's hash. Without one the
// default holds.
//
// A `table` leads from keys to a value: `table('name', key, …)` is that of the row whose every cell fits.
// A cell is `any`, a band of numbers, a text or a boolean. No two rows fit the same keys. It is missing if a
// key is missing or a bounded number (even where every row is `any` there), and if no row fits and the
// table has no `else`.
//
// Bands of numbers are written 9..11, ..8, 25.. (both ends inside), or 5 for 5..5. A number is rounded to
// the decimal places of the finest end in the list (of a table, in the column), half away from zero, before
// it is compared, as those do who chart by a guideline's bands: between ..8 and 9.. nothing is left out,
// and 8.5 lies in 9... If any band of the list has an open upper end, as in 9..<12, no number is rounded.
//
// # Scores
//
// A score is a sum of points over its items. `{when, points}` gives its points (which may be negative)
// when the condition is true, and 0 when it is false; `{term, bands}` gives those of the band in which the
// number lies, and `{when, term, bands}` gives those when the condition is true, and 0 when it is false. The
// bands of a list are in order, leave nothing out and do not overlap.
//
// Each item has a least and a greatest number of points: when it is known, what it gives. When its number is
// missing, the least and the greatest of all bands; of a bounded number, of those bands in which some such
// number lies (some number less than 8 of "<8"). When its condition is unknown, the lesser of 0 and the least
// of its points or bands, and the greater of 0 and the greatest. If these differ and the item says `unknown: x`, both are x. The score's least and
// greatest are the sums of them. No item may ask hours_since or days_since.
//
// Where a score itself is a side of a comparison, with [a, b] its least and greatest (of another number
// both are the number) and [c, d] those of the other side: `<` is true if b < c, false if not a < d, else
// unknown, and so is `<=` with <=; `>` and `>=` are these with the sides exchanged; `==` is false if b < c
// or a > d, as it is for the numbers if a = b and c = d, else unknown; `!=` is its negation. Anywhere else a
// score is a number that is missing unless its least and greatest are equal. In a message one that is
// not known is shown as "5 to 8".
//
// # Other rules
//
// `rule('id')` is the truth of another rule of the set, of any pack, at the same instant. Rules do not
// refer to each other in a circle. Where the other asks for elapsed time, it must be a condition of its
// own: joined by and, or, not, all, any, none, at_least.
//
// # Rules for each period
//
// A rule with `for_each: input` holds for each period of that input by itself: its condition is evaluated for each,
// and each fires and clears alone. A period is known by the instant at which it begins. Facts of the input that
// begin at the same instant are one period, which lasts to the latest of their ends; a fact at an instant is a
// period of that instant, and one whose time is not known makes none. Before it begins, and when no fact makes it
// any more, the rule is false for it. From its start on the rule is evaluated for ever, also when it has ended: write
// `not ended` to have it hold only while the period goes on. Besides all that any rule can ask, such a rule asks:
//
//	start end          times at which the period begins, ends: both belong to it. The end of one that goes on is later
//	                   than any other time; it is not missing.
//	ended              boolean: is end < now
//	hours_since_start  number: from start to now, in hours. hours_since_end: from end to now, missing until it
//	                   has ended. Both are compared as hours_since is.
//	x.during().op()    about the facts of x with start <= time <= end (active: those whose period has an instant in
//	                   common with it)
//	x.at_start().op('48h')  as of start: what is called now in windows is then the start, and 'after 6h' looks ahead of
//	                   it. x.at_end().op() is the same as of end, and missing (also exists and count) until the
//	                   period has ended. hours_since and days_since cannot be asked so.
//	x.overlaps()       boolean: a fact of x, other than those that make the period, has a period that shares an
//	                   instant with it
//
// None of them sees a fact dated after now. They may stand in the rule's message and in its own score, not in a
// score of the pack. rule('id') of such a rule may only stand in a rule for each period of the same input.
//
// # Rules
//
// A rule is true, false or unknown for a patient (or for one of the patient's periods) at an instant. It fires at
// the instant it becomes true and clears at the instant it is no longer true (false or unknown).
package rules
