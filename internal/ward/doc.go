// Package ward simulates a hospital ward whose records stream out as FHIR R4 resources: admissions and
// discharges, vital signs, laboratory results that arrive after their samples, prescriptions and
// doses, and now and then a correction. Most patients are stable; some follow an arc (sepsis, kidney
// injury after an NSAID, high potassium on an ACE inhibitor, low glucose on insulin, a rising INR on
// warfarin, ...) and mostly recover once treated.
//
// Nobody in it exists. The courses are plausible, not predictive: they are for demonstrations, tests
// and benchmarks. The same Options give the same bytes. Nothing here reads a clock or does I/O.
package ward
