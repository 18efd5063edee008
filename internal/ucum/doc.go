// Package ucum reads units of measure written in the Unified Code for Units of
// Measure (https://ucum.org/ucum) and converts numbers between them.
//
// It is pure: no clock, no input or output, nothing that changes after it was
// first used. All of it may be called from any number of goroutines.
//
// # Reading
//
// [Parse] takes the case-sensitive (c/s) codes of the standard, the whole
// grammar: '.' and '/', a leading '/', integer factors, exponents, prefixes on
// metric atoms, parentheses, annotations in braces. [ParseLoose] first resolves
// the spellings that real feeds send instead ("mmHg", "K/uL"): the list is
// [Aliases]. Codes longer than 128 bytes, parentheses nested more than 16 deep
// and exponents beyond two digits are refused.
//
// # Exactness
//
// A unit's size is held as an exact rational number, a power of ten and a power
// of π. Only [Between] rounds, once, to float64: a conversion is
//
//	y = (x*mul + add) / div
//
// with integers for mul, add and div whenever float64 holds them exactly, so
// that mg/dL to g/L is a division by 100, not a multiplication by a rounded
// 0.01, and 37 Cel is 98.6 [degF] to the last bit.
//
// # Where this package is stricter than the standard
//
// The standard lets three groups of units convert that a clinical system must
// not mix up. Their codes are read as the standard says, but they are not
// commensurable here:
//
//   - mol is a plain number to the standard (6.02214076×10²³), which makes
//     mmol/L commensurable with 10*3/uL: a concentration with a cell count. Here
//     amount of substance is a dimension of its own, as in the SI. Mass and
//     amount (mg/dL, mmol/L) convert in neither: that takes the substance's
//     molar mass, which a caller supplies as a [Substance].
//   - eq is one mol to the standard. It is that only for a charge of one: 5 meq/L
//     of calcium are 2.5 mmol/L. Here it is a dimension of its own, and a
//     [Substance] with its valence leads from one to the other.
//   - osm is one mol to the standard. It depends on how far the substance
//     dissociates. Here it is a dimension of its own.
//
// Arbitrary units ([IU], [arb'U], [CFU] and their kind) are commensurable each
// with itself only, as the standard asks.
//
// # Special units
//
// Units on a scale without a true zero or on a logarithmic scale ([degF], Cel,
// [pH], B, Np …) convert by a function. They take prefixes where the standard
// makes them metric (dB, mCel) and pure numbers as factors; any other algebra
// with them (Cel/h, Cel2) has no meaning and is refused.
//
// The table of units (table.go) is the standard's, see NOTICE.md. To renew it,
// put ucum-essence.xml into this folder and run go generate.
package ucum

//go:generate go run ./gen -essence ucum-essence.xml -out table.go
